"""Who waits for which batch: questions noted as they go out, answers handed out as they come."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

from interp_embed._fingerprint import digest_text
from interp_embed.llm.answered import as_stored, is_eaten
from interp_embed.llm.answers import AnswerStore
from interp_embed.llm.batch_flow import LEASE_S, Finished
from interp_embed.llm.batch_packing import Packed, Question
from interp_embed.llm.batch_records import BatchRecord, BatchRecords, BatchRow
from interp_embed.llm.batch_wire import refusal
from interp_embed.llm.keys import read_request, request_json
from interp_embed.llm.prices import Price
from interp_embed.llm.quirks import Quirks
from interp_embed.llm.records import Request
from interp_embed.llm.replies import Fatal, Good, Limited, Meaning, Passing, read_reply
from interp_embed.llm.run_state import RunState
from interp_embed.llm.sender import Sender, Sent
from interp_embed.llm.transport import Reply

DISCOUNT = 0.5
"""What a call in a batch costs, of its price alone (OpenAI, Groq, Mistral, Together)."""


def batch_price(price: Price | None) -> Price | None:
    """Return what a model costs in a batch, of what it costs call by call."""
    if price is None:
        return None
    cached = None if price.cached_input is None else DISCOUNT * price.cached_input
    return replace(
        price, input=DISCOUNT * price.input, output=DISCOUNT * price.output, cached_input=cached
    )


@dataclass(frozen=True, slots=True)
class Noted:
    """A batch that is in the store and not yet at the provider."""

    record: BatchRecord
    content: bytes
    """Its file."""


class BatchDesk:
    """Keeps questions, store and money together."""

    def __init__(
        self, live: Sender, store: AnswerStore, records: BatchRecords, state: RunState
    ) -> None:
        self.sent: dict[str, Question] = {}
        """Questions in a batch, by key."""
        self._live, self._store, self._records, self._state = live, store, records, state
        self._server, self._price = live.server, batch_price(live.server.price)
        self._batch_of: dict[str, str] | None = None
        self._assumed: dict[str, float] = {}
        """Dollars counted as spent for questions whose answers were not waited for, by key."""

    @property
    def batch_of(self) -> dict[str, str]:
        """Digests of the batches on their way, by the keys in them."""
        if self._batch_of is None:
            provider = self._server.address.provider
            self._batch_of = self._records.digests(provider, self._server.model)
        return self._batch_of

    def look_again(self) -> None:
        """Have the store asked which batches are on their way: other processes send some too."""
        self._batch_of = None

    def is_nameless(self, digest: str) -> bool:
        """Return whether a batch is on its way to the provider just now."""
        record = self._records.get(digest)
        return record is not None and not record.batch_id

    def left_behind(self) -> str:
        """Return what goes on at the provider after a run, in words; empty for nothing."""
        batches = self._records.on_their_way(self._server.address.provider, self._server.model)
        if not batches:
            return ""
        names = [record.batch_id or "one being sent" for record in batches]
        shown = ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
        n_left = sum(len(self._records.rows(record.digest)) for record in batches)
        return (
            f"; {n_left:,} questions are being answered at the provider ({shown}), to be collected "
            'by the next run with mode="batch" (--llm-batch)'
        )

    def worst_cost(self, request: Request, quirks: Quirks) -> float:
        """Return the most a question may cost in a batch, dollars."""
        return self._live.worst_cost(request, quirks, self._price)

    def note(self, packed: Packed, quirks: Quirks) -> Noted | None:
        """Commit a batch to the store; None where others have seen to all its questions.

        Raises:
            StoredFileError: It cannot be committed: nothing may be sent.
        """
        record = BatchRecord(
            digest_text("\n".join([secrets.token_hex(16), *(q.key for q in packed.questions)])),
            self._server.address.provider,
            self._server.model,
            quirks.to_json(),
            packed.tokens,
            len(packed.questions),
            self._state.clock.wall(),
        )
        rows = [self._row(question) for question in packed.questions]
        taken = self._records.prepare(record, rows, lease_s=LEASE_S)
        if len(taken) < len(rows):  # answered, in another one's batch, or being asked just now
            self.look_again()
        lines = []
        for question, line in zip(packed.questions, packed.lines, strict=True):
            if question.key in taken:
                question.batch = self.batch_of[question.key] = record.digest
                self.sent[question.key] = question
                lines.append(line)
            else:
                self._live.settle(question.reserved, 0.0)
                question.give(None)
        return Noted(replace(record, n_requests=len(lines)), b"".join(lines)) if lines else None

    def _row(self, question: Question) -> BatchRow:
        request = question.request
        return BatchRow(question.key, request.kind, request_json(request, self._server.identity))

    def take_back(self, record: BatchRecord) -> list[Question]:
        """Take a batch out of the store that came to nothing, and return who waits for it."""
        self._records.forget(record.digest)
        self.look_again()
        return self._pop(record.digest)

    def _pop(self, digest: str) -> list[Question]:
        waiting = [question for question in self.sent.values() if question.batch == digest]
        for question in waiting:
            del self.sent[question.key]
            question.batch = ""
        return waiting

    def send_away(self, digest: str) -> None:
        """Have those who still wait for a batch that is over look in the store, and ask again."""
        waiting = self._pop(digest)
        self.look_again()
        if not waiting:
            return
        stored = self._store.find([question.key for question in waiting])  # by another process
        spent = sum(call.cost_usd or 0.0 for call in stored.values())
        self._live.settle(sum(question.reserved for question in waiting), spent)
        for question in waiting:
            question.give(None)

    def leave_all(self) -> None:
        """Wait for nothing more; what is sent counts as paid at its worst until it is collected."""
        waiting = list(self.sent.values())
        self.sent.clear()
        reserved = sum(question.reserved for question in waiting)
        self._live.settle(reserved, reserved)
        for question in waiting:
            if question.reserved:
                self._assumed[question.key] = question.reserved
            question.give(self._state.stopped())

    def call_too_large(self, question: Question, reason: str) -> None:
        """Tell that a question is more than a batch may ever hold."""
        self._live.settle(question.reserved, 0.0)
        meaning = Limited(reason, None, None, too_large=True)
        question.give(Sent(meaning, 0.0, question.quirks()))

    def hand_out(self, record: BatchRecord, finished: Finished) -> str:
        """Give every question of a batch what came of it; return a summary.

        An answer leaves the batch as it is stored; what has none leaves it here, to be put into
        another one.

        Raises:
            StoredFileError: An answer that nobody waits for cannot be kept.
        """
        quirks = Quirks.read(record.quirks, provider=record.provider)
        latency = max(0.0, self._state.clock.wall() - record.created_at)
        rows = self._records.rows(record.digest)
        meanings = self._meanings(finished, list(rows))
        dropped: list[str] = []
        reserved = spent = 0.0
        for key, row in rows.items():
            question = self.sent.pop(key, None)
            request = question.request if question else read_request(row.request, kind=row.kind)
            sent = Sent(meanings[key], latency, quirks)
            sent = self._live.count(request, sent, self._price)
            reserved += question.reserved if question else 0.0
            spent += (sent.cost_usd or 0.0) - self._assumed.pop(key, 0.0)
            call = as_stored(self._server, key, request, sent)
            if call is None or is_eaten(sent.meaning):
                dropped.append(key)
            elif question is None:
                self._store.add(call)
            if question is not None:
                question.give(sent)
        self._records.drop(dropped)
        self.look_again()
        self._live.settle(reserved, spent)
        n_good = sum(isinstance(meaning, Good) for meaning in meanings.values())
        return f"{n_good:,} of {len(rows):,} questions answered"

    def _meanings(self, finished: Finished, keys: Sequence[str]) -> dict[str, Meaning]:
        """Return what came of each question: an answer, or why there is none."""
        left_out = f"{finished.batch_id} ended as {finished.status!r} without an answer to it"
        whole: Meaning = Passing(left_out)
        replies = dict(finished.replies)
        for error in finished.errors:
            if error.line is not None and 1 <= error.line <= len(keys):
                replies.setdefault(keys[error.line - 1], refusal(error))
            else:
                whole = _of_the_whole(f"{left_out}: {error.code} {error.message}", refusal(error))
        wall = self._state.clock.wall()
        found = {key: read_reply(replies[key], wall=wall) for key in keys if key in replies}
        return {key: _as_passing(found.get(key, whole)) for key in keys}


def _of_the_whole(reason: str, reply: Reply) -> Meaning:
    """Return what a batch that was not taken means for a question in it."""
    meaning = read_reply(reply, wall=0.0)
    return meaning if isinstance(meaning, Fatal) else Passing(reason)


def _as_passing(meaning: Meaning) -> Meaning:
    """Return a limit as what it is in a batch: a trouble that may be gone in the next one."""
    if isinstance(meaning, Limited) and not meaning.too_large:
        return Passing(meaning.reason)
    return meaning
