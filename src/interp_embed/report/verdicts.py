"""What a hypothesis's verdict rests on."""

import math

from interp_embed.records import Hypothesis


def tested_p(hypothesis: Hypothesis) -> float:
    """Return the p-value behind the verdict; NaN where there is none.

    That of the coefficient where the record holds no other: not with several classes, where the
    coefficient is that of the class with the smallest p.
    """
    if math.isfinite(hypothesis.p) or hypothesis.by_class:
        return hypothesis.p
    return hypothesis.coefficient.p


def is_untested(hypothesis: Hypothesis) -> bool:
    """Return whether a hypothesis is without a verdict, rather than with a negative one."""
    return not hypothesis.significant and not math.isfinite(tested_p(hypothesis))
