"""Peak memory of this process. Standard library only: both interpreters import it."""

import resource
import sys
from pathlib import Path

MB = 2**20


def peak_mb() -> float:
    """Return the most memory this process has held so far, in MB.

    Linux keeps it by address space in /proc. ``ru_maxrss`` serves elsewhere; it may carry over the
    peak of the process that started this one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / MB
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MB
