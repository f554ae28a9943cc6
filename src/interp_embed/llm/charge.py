"""What a call counts as: estimated here, charged there."""

from dataclasses import dataclass

from interp_embed.llm.buckets import Cost
from interp_embed.llm.limits import LimitReading

MARGIN = 1.02
"""Factor on what is taken for each call: a refusal costs more than a short wait."""
_CALLS_A_SAMPLE = 25
_SCALES = (0.5, 3.0)


@dataclass(frozen=True, slots=True)
class Pass:
    """Leave to send one call."""

    number: int
    cost: Cost
    """As taken from the buckets."""
    sent_at: float
    estimated: float
    """Tokens estimated for this call and all before it."""


@dataclass(slots=True)
class ChargeScale:
    """What a server charges against its limit of tokens, for each token estimated.

    Servers charge a rough count of their own before they count tokens. It shows in how the rest
    they state falls from call to call.
    """

    scale: float = 1.0
    _since: tuple[Pass, float] | None = None
    """A call, and the rest that was stated after it."""

    def read(self, reading: LimitReading, leave: Pass) -> None:
        """Learn from the rest stated in the reply to a call."""
        if self._since is None:
            if leave.number == 0:  # sent alone, into a full bucket
                self._move((reading.limit - reading.remaining) / leave.estimated, 1.0)
            self._since = (leave, reading.remaining)
            return
        before, rest = self._since
        if leave.number < before.number + _CALLS_A_SAMPLE:
            return
        refilled = reading.limit / 60.0 * (leave.sent_at - before.sent_at)
        full = 0.97 * reading.limit
        if rest < full and reading.remaining < full:
            charged = rest + refilled - reading.remaining
            sample = charged / (leave.estimated - before.estimated)
            self._move(sample, 0.5 if sample > self.scale else 0.1)  # refusals cost, waits do not
        self._since = (leave, reading.remaining)

    def raise_to(self, factor: float) -> None:
        """Learn from a refusal that names what was requested, as a share of what was taken."""
        if factor * MARGIN > 1.0:
            self._move(self.scale * factor * MARGIN, 1.0)

    def _move(self, sample: float, share: float) -> None:
        if _SCALES[0] <= sample <= _SCALES[1]:
            self.scale += share * (sample - self.scale)
