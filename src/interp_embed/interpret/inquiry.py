"""One text and the concepts asked of it: what is missing is asked again, in ever smaller groups."""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from interp_embed.interpret.parsing import read_verdicts, reads_as_refusal
from interp_embed.interpret.prompts import Prompt
from interp_embed.interpret.shown_text import cut_text, one_line, shield_markers
from interp_embed.llm.protocol import Ask
from interp_embed.llm.records import Answer, Failure, Request
from interp_embed.records import Json

_TRIES = 3
"""Of the first group; the parts of a group that failed are asked once, single concepts twice."""
_MAX_DOUBLINGS = 2
_TOKENS = 20
_TOKENS_A_VERDICT = 7
"""``"c12": false, `` is 6 or 7 tokens; 20 verdicts were measured to need 120."""
_SHOWN = 80
"""Characters of an unreadable answer given in the reason."""

Keep = Callable[[Mapping[str, bool], str], None]
"""Takes verdicts by concept, and the key of the call they come from."""


@dataclass(frozen=True, slots=True)
class QuestionForm:
    """How a text and concepts are put to the model."""

    prompt: Prompt
    max_words: int | None = None
    parameters: Mapping[str, Json] = field(default_factory=dict)

    def request(
        self, text: str, concepts: Sequence[str], *, sample: int = 0, factor: int = 1
    ) -> Request:
        """Return the request: the concepts first, so that texts share the beginning."""
        ids = [f"c{number}" for number in range(1, len(concepts) + 1)]
        asked = "\n".join(
            f"{name}: {one_line(concept)}" for name, concept in zip(ids, concepts, strict=True)
        )
        shown = shield_markers(cut_text(text, self.max_words))
        return Request(
            kind=self.prompt.kind,
            messages=self.prompt.fill(concepts=asked, text=shown),
            max_tokens=factor * (_TOKENS + _TOKENS_A_VERDICT * len(concepts)),
            schema={
                "type": "object",
                "properties": {name: {"type": "boolean"} for name in ids},
                "required": ids,
                "additionalProperties": False,
            },
            sample=sample,
            parameters=self.parameters,
        )


@dataclass(frozen=True, slots=True)
class _Batch:
    """Concepts to ask together."""

    concepts: tuple[str, ...]
    tries: int
    refused: bool = False
    """Whether it was refused before."""


@dataclass(slots=True)
class _State:
    """How far the inquiry has come."""

    waiting: deque[_Batch]
    reasons: dict[str, str] = field(default_factory=dict)
    asked: Counter[tuple[str, ...]] = field(default_factory=Counter)
    """How often the same concepts were asked together: the number of the sample."""
    doublings: int = 0
    too_long: int | None = None
    """Characters of a concept with which, alone, the text was too long."""


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A job: asks of one text whether it has the concepts, until all is known or cannot be.

    It takes one call where the model answers as it should, at most 4 n + 4 for n concepts.
    """

    form: QuestionForm
    text: str
    concepts: tuple[str, ...]
    """At least one, no two the same."""
    keep: Keep
    """Called at once with what an answer says."""
    sample: int = 0
    """Number of the first sample."""

    def first_request(self) -> Request:
        """Return what is asked first."""
        return self.form.request(self.text, self.concepts, sample=self.sample)

    async def __call__(self, ask: Ask) -> dict[str, str]:
        """Ask, and return why a verdict is missing, by concept."""
        state = _State(deque([_Batch(self.concepts, _TRIES)]))
        while state.waiting:
            await self._ask_batch(ask, state.waiting.popleft(), state)
        return state.reasons

    async def _ask_batch(self, ask: Ask, batch: _Batch, state: _State) -> None:
        missing, tries, text = batch.concepts, batch.tries, ""
        if state.too_long is not None and min(map(len, missing)) >= state.too_long:
            state.reasons.update(dict.fromkeys(missing, "too long for the model's context"))
            return
        while missing and tries:
            answer = await self._ask(ask, missing, state)
            if isinstance(answer, Failure):
                _take_failure(answer, _Batch(missing, tries - 1, batch.refused), state)
                return
            known = self._read(answer, missing)
            text = answer.text
            declined = answer.finish_reason == "content_filter" or reads_as_refusal(text)
            if not known and declined:
                failure = Failure("refused", _shown(text))
                _take_failure(failure, _Batch(missing, tries - 1, batch.refused), state)
                return
            missing = tuple(concept for concept in missing if concept not in known)
            if answer.finish_reason != "length":
                tries -= 1
            elif missing and state.doublings < _MAX_DOUBLINGS:
                state.doublings += 1
            else:
                tries = tries - 1 if len(missing) == 1 else 0
        if missing:
            was_alone = len(batch.concepts) == 1
            reason = f"the answer could not be read as yes or no: {_shown(text)}"
            _split(missing, reason if was_alone else "", state)

    async def _ask(self, ask: Ask, concepts: tuple[str, ...], state: _State) -> Answer | Failure:
        sample = self.sample + state.asked[concepts]
        state.asked[concepts] += 1
        factor = 2**state.doublings
        return await ask(self.form.request(self.text, concepts, sample=sample, factor=factor))

    def _read(self, answer: Answer, concepts: tuple[str, ...]) -> dict[str, bool]:
        by_id = {f"c{number}": concept for number, concept in enumerate(concepts, 1)}
        verdicts = read_verdicts(answer.text, tuple(by_id))
        known = {by_id[name]: verdict for name, verdict in verdicts.items()}
        if known:
            self.keep(known, answer.key)
        return known


def _take_failure(failure: Failure, batch: _Batch, state: _State) -> None:
    """Give the concepts a reason, or put them up to be asked in another way."""
    concepts, alone = batch.concepts, len(batch.concepts) == 1
    if failure.kind == "stopped":
        for left in (batch, *state.waiting):
            state.reasons.update(dict.fromkeys(left.concepts, failure.reason))
        state.waiting.clear()
    elif failure.kind == "refused":
        if batch.refused and alone:
            state.reasons[concepts[0]] = f"refused: {failure.reason}"
            return
        singles = [_Batch((c,), 1 if alone else 2, refused=True) for c in concepts]
        state.waiting.extendleft(reversed(singles))
    elif failure.kind == "too_long":
        if alone:
            state.too_long = len(concepts[0])
            state.reasons[concepts[0]] = f"too long for the model's context: {failure.reason}"
            return
        # The shortest concept alone tells whether the text itself is what is too long.
        shortest = min(concepts, key=len)
        rest = tuple(concept for concept in concepts if concept != shortest)
        _split(rest, "", state)
        state.waiting.appendleft(_Batch((shortest,), 2))
    else:
        # Many attempts failed before a word was said: other groupings would fare no better.
        reason = f"there is no usable answer: {failure.reason}"
        state.reasons.update(dict.fromkeys(concepts, reason))


def _split(concepts: tuple[str, ...], reason: str, state: _State) -> None:
    """Put two halves up to be asked; a concept that was asked alone is given the reason instead."""
    if reason:
        state.reasons[concepts[0]] = reason
        return
    middle = (len(concepts) + 1) // 2
    halves = [half for half in (concepts[:middle], concepts[middle:]) if half]
    batches = [_Batch(half, 1 if len(half) > 1 else 2) for half in halves]
    state.waiting.extendleft(reversed(batches))


def _shown(text: str) -> str:
    start = one_line(text)
    if not start:
        return "it was empty"
    return repr(start[:_SHOWN]) + ("..." if len(start) > _SHOWN else "")
