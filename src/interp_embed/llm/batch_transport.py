"""The seam to a provider's batches: files and batches go out and come back as replies."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from interp_embed.llm.transport import OpenAITransport, Reply

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_FILE_TIMEOUT_S = 600.0


@runtime_checkable
class BatchTransport(Protocol):
    """Sends one request about batches once; it neither waits nor tries again."""

    async def upload(self, content: bytes, *, name: str) -> Reply:
        """Return the reply to a file of questions."""
        ...

    async def create(self, file_id: str, *, metadata: Mapping[str, str]) -> Reply:
        """Return the reply to the wish that a file be answered within a day."""
        ...

    async def retrieve(self, batch_id: str) -> Reply:
        """Return how a batch stands."""
        ...

    async def listed(self, *, after: str | None, limit: int) -> Reply:
        """Return a page of batches, the newest first."""
        ...

    async def content(self, file_id: str) -> Reply:
        """Return the content of a file."""
        ...


class OpenAIBatches:
    """Batches through the ``openai`` client that also asks one by one."""

    def __init__(self, transport: OpenAITransport) -> None:
        self._transport = transport

    async def _send(self, call: "Callable[[AsyncOpenAI], Awaitable[Any]]") -> Reply:
        return await self._transport.exchange(call)

    async def upload(self, content: bytes, *, name: str) -> Reply:
        """Return the reply to a file of questions."""
        return await self._send(
            lambda client: client.files.with_raw_response.create(
                file=(name, content), purpose="batch", timeout=_FILE_TIMEOUT_S
            )
        )

    async def create(self, file_id: str, *, metadata: Mapping[str, str]) -> Reply:
        """Return the reply to the wish that a file be answered within a day."""
        return await self._send(
            lambda client: client.batches.with_raw_response.create(
                input_file_id=file_id,
                endpoint="/v1/chat/completions",
                completion_window="24h",
                metadata=dict(metadata),
            )
        )

    async def retrieve(self, batch_id: str) -> Reply:
        """Return how a batch stands."""
        return await self._send(lambda client: client.batches.with_raw_response.retrieve(batch_id))

    async def listed(self, *, after: str | None, limit: int) -> Reply:
        """Return a page of batches, the newest first."""
        page: dict[str, Any] = {"limit": limit} | ({} if after is None else {"after": after})
        return await self._send(lambda client: client.batches.with_raw_response.list(**page))

    async def content(self, file_id: str) -> Reply:
        """Return the content of a file."""
        return await self._send(
            lambda client: client.files.with_raw_response.content(file_id, timeout=_FILE_TIMEOUT_S)
        )
