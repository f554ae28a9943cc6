"""Small public files over HTTPS: whole, of bounded size, or an error that names the source."""

import gzip
import http.client
import io
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Mapping
from typing import IO

from interp_embed.errors import InputError

MAX_BYTES = 512 * 2**20
"""Largest file taken, as sent and as unpacked: 65,536 labels with embeddings take half of it."""
_BLOCK = 1 << 20
_LOCAL = ("127.0.0.1", "localhost", "::1")
_ABSENT = (403, 404)
"""A public bucket answers 403 for what does not exist where listing is not allowed."""
_PATIENCE = 20
"""A whole download may take this many times the timeout of one read."""


def fetch(
    url: str,
    *,
    timeout_s: float,
    max_bytes: int = MAX_BYTES,
    headers: Mapping[str, str] | None = None,
) -> bytes | None:
    """Return the content of a URL; None where the server says that there is no such file.

    Args:
        url: ``https``; ``http`` only for this machine.
        timeout_s: Of the connection and of each read.
        max_bytes: Larger files are refused.
        headers: Sent with the request.

    Raises:
        InputError: It cannot be reached, is not sent whole, or is too large.
    """
    check_url(url)
    request = urllib.request.Request(url, headers=dict(headers or {}))  # noqa: S310 - checked
    until = time.monotonic() + _PATIENCE * timeout_s
    try:
        with _OPENER.open(request, timeout=timeout_s) as response:
            content = io.BytesIO()
            while block := response.read(_BLOCK):
                content.write(block)
                if content.tell() > max_bytes:
                    raise InputError(f"{url} is larger than {max_bytes} bytes; it was not read")
                if time.monotonic() > until:
                    raise InputError(f"{url} came too slowly and was given up; try again later")
            wanted = response.headers.get("Content-Length", "")
            if wanted.isdecimal() and content.tell() < int(wanted):
                raise InputError(
                    f"{url} was cut off after {content.tell()} of {wanted} bytes; try again"
                )
            return content.getvalue()
    except urllib.error.HTTPError as error:
        if error.code in _ABSENT:
            return None
        raise InputError(f"{url} answered {error.code} {error.reason}; try again later") from error
    except (OSError, http.client.HTTPException) as error:  # URLError and time-outs are OSErrors
        reason = getattr(error, "reason", None) or error
        raise InputError(
            f"{url} could not be fetched ({type(error).__name__}: {reason}); check the network, or "
            "give a local file"
        ) from error


def unpack(content: bytes, source: str, *, max_bytes: int = MAX_BYTES) -> bytes:
    """Return the content of a gzip file.

    Raises:
        InputError: It is no gzip file, is cut off, or unpacks to more than ``max_bytes``.
    """
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            out = file.read(max_bytes + 1)
        if not content:
            raise EOFError("it is empty")
    except (OSError, EOFError, zlib.error) as error:
        begins = content[:20].decode("ascii", "replace")
        raise InputError(
            f"{source} is not a whole gzip file ({error or type(error).__name__}); it has "
            f"{len(content)} bytes and begins {begins!r}"
        ) from error
    if len(out) > max_bytes:
        raise InputError(f"{source} unpacks to more than {max_bytes} bytes; it was not read")
    return out


def check_url(url: str) -> None:
    """Raise unless a URL is ``https``, or ``http`` on this machine.

    Raises:
        InputError: It is neither.
    """
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOCAL):
        return
    raise InputError(f"{url} is not fetched: only https addresses are; give one of these")


class _CheckedRedirects(urllib.request.HTTPRedirectHandler):
    """Follows to addresses that may be fetched, and from ``https`` to nothing else."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        check_url(newurl)
        if req.type == "https" and not newurl.lower().startswith("https:"):
            raise InputError(f"{req.full_url} leads to {newurl}, which is not https; not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_OPENER = urllib.request.build_opener(_CheckedRedirects)
