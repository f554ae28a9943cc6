"""Who is asking a question just now, so that two processes do not both pay for it."""

import os
import secrets
import socket
import sys
from pathlib import Path

_NAMESPACE = Path("/proc/self/ns/pid")


def claim_owner() -> str:
    """Return a name no other store has: machine, process and a random token."""
    return f"{_machine()} {os.getpid()} {secrets.token_hex(8)}"


def is_here(owner: str) -> bool:
    """Tell whether an owner is this very process."""
    return owner.rpartition(" ")[0] == f"{_machine()} {os.getpid()}"


def is_gone(owner: str) -> bool:
    """Tell whether an owner's process was on this machine and has ended."""
    machine, _, rest = owner.rpartition(" ")[0].rpartition(" ")
    if machine != _machine() or not rest.isdecimal() or sys.platform == "win32":
        return False  # not to be known from here; the lease will run out
    try:
        os.kill(int(rest), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return False


def _machine() -> str:
    """Return the host's name, and on Linux its process namespace: containers may share a name."""
    try:
        namespace = _NAMESPACE.readlink().name
    except OSError:
        namespace = ""
    return f"{socket.gethostname()}/{namespace}"
