"""The way of one batch: uploaded, created, waited for, fetched; or taken up again after a kill."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from interp_embed.errors import StoredFileError
from interp_embed.llm.batch_calls import BatchCalls
from interp_embed.llm.batch_records import BatchRecord, BatchRecords
from interp_embed.llm.batch_wire import (
    BatchStatus,
    LineError,
    TokenLimit,
    read_lines,
    read_token_limit,
)
from interp_embed.llm.run_state import RunState
from interp_embed.llm.transport import Reply

logger = logging.getLogger(__name__)

LEASE_S = 3600.0
"""For how long another machine waits for one that is sending a batch."""
_POLL_S = (10.0, 300.0)
"""Between two looks at a batch: at first, and at most."""
_LOOK_S = 2.0


@dataclass(frozen=True, slots=True)
class Finished:
    """What came of a batch."""

    batch_id: str
    status: str
    """The provider's word: ``completed``, ``expired``, ``cancelled`` or ``failed``."""
    replies: dict[str, Reply]
    """By key; what is missing was not answered."""
    errors: tuple[LineError, ...]
    """Why it was not taken at all."""


class BatchFlow:
    """Takes batches along their way; ``None`` means that the run was stopped on it."""

    def __init__(
        self,
        calls: BatchCalls,
        records: BatchRecords,
        state: RunState,
        *,
        accepted: Callable[[], None],
    ) -> None:
        self._calls, self._records, self._state = calls, records, state
        self._accepted = accepted

    async def place(self, record: BatchRecord, content: bytes) -> BatchRecord | TokenLimit | None:
        """Send a batch that is noted, and note the provider's name of it.

        Raises:
            StoredFileError: The name could not be noted; the next run finds the batch by its mark.
        """
        maybe_made, placed = False, None
        try:
            file_id = await self._calls.upload(content, name=f"{record.digest[:16]}.jsonl")
            if file_id is None:
                return None
            maybe_made = True
            made = await self._calls.create(file_id, digest=record.digest, since=record.created_at)
            if isinstance(made, TokenLimit):
                maybe_made = False
                return made
            if made is not None:
                self._records.save_sent(record.digest, file_id=file_id, batch_id=made.batch_id)
                placed = replace(record, file_id=file_id, batch_id=made.batch_id)
            return placed
        finally:
            if placed is None:
                self._leave(record.digest, maybe_made=maybe_made)

    def _leave(self, digest: str, *, maybe_made: bool) -> None:
        """Leave a batch without a name: to be looked for, or forgotten if it was never made."""
        try:
            if maybe_made:
                self._records.let_go(digest)
            else:
                self._records.forget(digest)
        except StoredFileError as error:
            logger.warning("a batch stays noted until its lease runs out: %s", error)

    async def find_out(self, digest: str) -> BatchRecord | None:
        """Return a noted batch with its name; None if it is over, or was never made."""
        while (record := self._records.get(digest)) is not None and not record.batch_id:
            if self._state.has_stopped():
                return None
            if not self._records.take_over(digest, lease_s=LEASE_S):
                await self._state.rest(_LOOK_S)  # another process is at it
                continue
            found = await self._calls.find(digest, since=record.created_at)
            if found is not None:
                name = found.batch_id
                self._records.save_sent(digest, file_id=found.input_file_id, batch_id=name)
            elif not self._state.has_stopped():
                self._records.forget(digest)
            else:
                self._records.let_go(digest)
        return record

    async def finish(self, record: BatchRecord) -> Finished | TokenLimit | None:
        """Wait until a batch is over, and return what came of it."""
        pause, most = _POLL_S
        is_accepted = False
        while not self._state.has_stopped():
            status = await self._calls.retrieve(record.batch_id)
            if status is None:
                break
            if status.status not in ("validating", "failed") and not is_accepted:
                is_accepted = True
                self._accepted()
            if status.is_over:
                return await self._fetch(status)
            logger.info(
                "%s: %s, %d of %d done", *(status.batch_id, status.status, status.n_done),
                status.n_requests,
            )  # fmt: skip
            await self._state.rest(pause)
            pause = min(most, 1.5 * pause)
        return None

    async def _fetch(self, status: BatchStatus) -> Finished | TokenLimit | None:
        said = [part for error in status.errors for part in (error.code, error.message)]
        refused = read_token_limit(said) if status.status == "failed" else None
        if refused is not None:
            return refused
        replies: dict[str, Reply] = {}
        for file_id in (status.error_file_id, status.output_file_id):  # an answer beats an error
            text = "" if file_id is None else await self._calls.fetch(file_id)
            if text is None:
                return None
            replies |= await asyncio.to_thread(read_lines, text)
        return Finished(status.batch_id, status.status, replies, status.errors)
