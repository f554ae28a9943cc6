"""The one seam to the network: a body goes out, whatever comes back is a reply."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from interp_embed._servers import ServerAddress
from interp_embed.records import Json

if TYPE_CHECKING:
    from openai import AsyncOpenAI


_CONNECT_S = 10.0
_NO_CONNECTION = ("ConnectError", "ConnectTimeout")


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, read no further than its text."""

    status: int | None
    """HTTP status; None where there was none."""
    text: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    trouble: str = ""
    """Why there is no status, in words."""
    unreachable: bool = False
    """Whether there was no connection at all."""


class Transport(Protocol):
    """Sends one request once; it neither waits nor tries again."""

    def prepare(self) -> None:
        """Load what sending needs, before any clock runs."""
        ...

    async def send(self, body: Mapping[str, Json]) -> Reply:
        """Return the reply to a chat completion; what fails on the way is a reply too."""
        ...

    async def models(self) -> tuple[str, ...]:
        """Return the names of the models on offer; empty where the server does not tell."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


class OpenAITransport:
    """Chat completions through the ``openai`` client, with its own retries off."""

    def __init__(self, server: ServerAddress, *, timeout_s: float) -> None:
        self._server = server
        self._timeout_s = timeout_s
        self._client: AsyncOpenAI | None = None

    def _open(self) -> "AsyncOpenAI":
        if self._client is None:
            from openai import AsyncOpenAI, Timeout  # 800 modules: only where something is asked

            self._client = AsyncOpenAI(
                api_key=self._server.key,
                base_url=self._server.base_url,
                max_retries=0,
                timeout=Timeout(self._timeout_s, connect=min(_CONNECT_S, self._timeout_s)),
            )
        return self._client

    def prepare(self) -> None:
        """Load the client: a second or two, once in a process."""
        self._open()

    async def send(self, body: Mapping[str, Json]) -> Reply:
        """Return the reply to a chat completion; what fails on the way is a reply too."""
        return await self.exchange(
            lambda client: client.chat.completions.with_raw_response.create(**body)
        )

    async def exchange(self, call: "Callable[[AsyncOpenAI], Awaitable[Any]]") -> Reply:
        """Return the reply to any call of the client; what fails on the way is a reply too.

        Args:
            call: Makes it, ``with_raw_response``.
        """
        client = self._open()
        from openai import APIConnectionError, APIError, APIStatusError, APITimeoutError

        try:
            raw = await call(client)
        except APIStatusError as error:
            return Reply(error.status_code, error.response.text, _lowered(error.response.headers))
        except APITimeoutError:
            return Reply(None, trouble=f"no answer within {self._timeout_s:g} s")
        except APIConnectionError as error:
            cause = error.__cause__ or error
            name = type(cause).__name__  # of httpx, or of httpx2 with openai >= 3
            trouble = self._server.redact(f"{name}: {cause}")
            return Reply(None, trouble=trouble, unreachable=name in _NO_CONNECTION)
        except APIError as error:
            return Reply(None, trouble=self._server.redact(str(error)))
        return Reply(raw.status_code, raw.text, _lowered(raw.headers))

    async def models(self) -> tuple[str, ...]:
        """Return the names of the models on offer; empty where the server does not tell."""
        client = self._open()
        from openai import APIError

        try:
            page = await client.models.list()
        except APIError:
            return ()
        listed = getattr(page, "data", None) or []
        return tuple(str(getattr(model, "id", "")) for model in listed)

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None


def _lowered(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
