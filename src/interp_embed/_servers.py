"""The address of an OpenAI-compatible server and its key: the one place that reads them."""

import os
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from interp_embed.errors import InputError

KEY_VARIABLES = ("OPENAI_API_KEY", "OPENAI_KEY_SAE", "OPENROUTER_API_KEY")
_OPENAI = "https://api.openai.com/v1"
_OPENROUTER = "https://openrouter.ai/api/v1"
_LOCAL = re.compile(r"localhost|127\.|0\.0\.0\.0|\[?::1|10\.|192\.168\.|host\.docker\.internal")
_SECRET = re.compile(r"\b(?:sk|or|gsk|key|Bearer)[-_ ][A-Za-z0-9_\-*.]{8,}")


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where to ask, and with which key."""

    base_url: str
    key: str = field(repr=False)
    """Never logged, stored or shown."""

    @property
    def provider(self) -> str:
        """``openai``, ``openrouter``, ``local`` (this machine or its network), or the host."""
        host = urlsplit(self.base_url).hostname or self.base_url
        if host.endswith("openai.com"):
            return "openai"
        if host.endswith("openrouter.ai"):
            return "openrouter"
        return "local" if _LOCAL.match(host) else host

    def redact(self, text: str) -> str:
        """Return a text without this key, or anything that looks like one."""
        hidden = text.replace(self.key, "[key]") if len(self.key) > 5 else text
        return _SECRET.sub("[key]", hidden)


def find_server(
    base_url: str | None = None, api_key: str | None = None, *, without: str
) -> ServerAddress:
    """Return address and key, from the arguments or from the environment.

    Args:
        base_url: None for ``OPENAI_BASE_URL``, or else OpenAI (or OpenRouter, if only its key is
            set).
        api_key: None for the first of ``KEY_VARIABLES`` that is set; with OpenRouter's address its
            own comes first. Servers of one's own need none.
        without: What to do without a key, for the error.

    Raises:
        InputError: There is no key for a server that needs one, or the address is none.
    """
    address = base_url or os.environ.get("OPENAI_BASE_URL") or None
    if address is not None and urlsplit(address).scheme not in ("http", "https"):
        raise InputError(
            f"the server's address must begin with http:// or https://, but got {address!r}; "
            "for example http://localhost:8000/v1"
        )
    names: tuple[str, ...] = KEY_VARIABLES
    if address is not None and "openrouter.ai" in address:
        names = ("OPENROUTER_API_KEY", *KEY_VARIABLES)
    name = next((name for name in names if os.environ.get(name)), None)
    if address is None and api_key is None and name == "OPENROUTER_API_KEY":
        address = _OPENROUTER
    key = api_key or (os.environ[name] if name else None)
    found = ServerAddress(address or _OPENAI, key or "none")
    if key is None and found.provider in ("openai", "openrouter"):
        raise InputError(
            f"there is no API key for {found.base_url}: set one of {', '.join(KEY_VARIABLES)}, or "
            f"give api_key=; {without}"
        )
    return found
