"""What is found on the documents searched, before anything is put into words or paid for."""

from dataclasses import dataclass

from interp_embed.analysis.differences.design import DifferenceDesign
from interp_embed.analysis.differences.held_out_split import (
    alike_in_strata,
    as_corpus,
    split_corpus,
    take_rows,
)
from interp_embed.analysis.differences.naming import ToName, VerifySettings, features_to_name
from interp_embed.analysis.differences.rate_comparison import can_compare
from interp_embed.analysis.differences.records import GroupDiff
from interp_embed.analysis.differences.sides import Sides
from interp_embed.errors import InputError
from interp_embed.hypotheses import Corpus
from interp_embed.stats import SplitRows


@dataclass(frozen=True, slots=True, eq=False)
class Discovery:
    """Differences of the documents searched, and which features get names."""

    corpus: Corpus
    """The compared documents of both sides, the first group's above."""
    split: SplitRows
    discover: Corpus
    """Those of them that were searched."""
    contrasted: Corpus
    """Those of them that a language model is shown to find differences by itself: alike in strata
    on both sides, where something is held fixed."""
    found: GroupDiff
    wanted: ToName


def discover_differences(
    sides: Sides, design: DifferenceDesign, settings: VerifySettings, seed: int
) -> Discovery:
    """Return what differs between the documents searched; the others are not looked at.

    Of these only the design is checked, so that a comparison that cannot be made is refused before
    a language model is asked.

    Raises:
        InputError: There are too few documents to split, or a part of them cannot be compared.
    """
    corpus = as_corpus(sides)
    split = split_corpus(corpus, settings.confirm_share, seed)
    if not can_compare(design.oppose(take_rows(sides, split.confirm))):
        raise InputError(
            f"the {len(split.confirm)} documents held out are of one group on a side: how much "
            "groups differ cannot be judged from fewer than two; group by something finer, or "
            "leave the groups out"
        )
    discover = corpus.take(split.discover)
    searched = take_rows(sides, split.discover)
    found = design.diff(searched)
    wanted = features_to_name(found, searched, discover, settings, seed)
    contrasted = alike_in_strata(discover, design.oppose(searched), seed)
    return Discovery(corpus, split, discover, contrasted, found, wanted)
