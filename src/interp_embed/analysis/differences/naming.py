"""What will be tested on held-out documents: names of features, their summary, and a rival's."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix, vstack

from interp_embed.analysis.differences.firing_counts import above_cuts
from interp_embed.analysis.differences.held_out import NamedDifference
from interp_embed.analysis.differences.held_out_split import MIN_SIDE
from interp_embed.analysis.differences.labels import (
    ChosenLabels,
    LabellingDocuments,
    choose_diff_labels,
    summarise_labels,
)
from interp_embed.analysis.differences.records import GroupDiff
from interp_embed.analysis.differences.sides import Sides
from interp_embed.analysis.differences.verified import FROM_FEATURE, FROM_MODEL, FROM_SUMMARY
from interp_embed.errors import InputError
from interp_embed.hypotheses import (
    CalibratedAnnotator,
    Corpus,
    ProposalSettings,
    propose_hypotheses,
)
from interp_embed.hypotheses.choose import NothingToTestError
from interp_embed.interpret import Annotator, LLMRoles
from interp_embed.records import Label
from interp_embed.stats import split_rows

_CHOOSING_SHARE = 1 / 3
"""Of the documents searched, those that choose between labels."""


@dataclass(frozen=True, slots=True)
class VerifySettings:
    """How differences are put into words and tested."""

    confirm_share: float = 0.4
    """Share of documents held out, in (0, 1)."""
    n_candidates: int = 40
    """Features named and tested, one of each family, the largest differences first."""
    k: int = 10
    """The most differences that the summary names."""
    relabel: bool = True
    """Whether features that have a label are given another; the better of the two is tested."""
    baseline: bool = False
    """Whether the language model proposes differences by itself, to be tested beside."""
    proposals: ProposalSettings | None = None
    """How it is asked."""

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            InputError: One is out of range.
        """
        if not 0.0 < self.confirm_share < 1.0:
            raise InputError(f"confirm_share must lie between 0 and 1, got {self.confirm_share}")
        for name in ("n_candidates", "k"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, got {getattr(self, name)}")


@dataclass(frozen=True, slots=True, eq=False)
class ToName:
    """Features to be put into words, and the documents for it."""

    features: list[int]
    """They lead their families, the largest difference first."""
    searched: LabellingDocuments


def features_to_name(
    found: GroupDiff, searched: Sides, discover: Corpus, settings: VerifySettings, seed: int
) -> ToName:
    """Return which features are named, and the documents searched in two parts."""
    ranked = found.ranked()
    leaders = ranked[found.families.leads[ranked] & found.significant[ranked]]
    inner = split_rows(
        discover.groups,
        confirm_share=_CHOOSING_SHARE,
        seed=seed,
        stratify=discover.target,
        minimum=MIN_SIDE,
    )
    strong = [
        above_cuts(searched.first, searched.rows_first),
        above_cuts(searched.second, searched.rows_second),
    ]
    labelling = LabellingDocuments(
        documents=discover.documents,
        activations=csr_matrix(vstack(strong, format="csr")),
        making=inner.discover,
        choosing=inner.confirm,
    )
    return ToName(leaders[: settings.n_candidates].tolist(), labelling)


def name_features(
    wanted: ToName,
    found: GroupDiff,
    settings: VerifySettings,
    roles: LLMRoles | None,
    annotator: Annotator | CalibratedAnnotator | None,
    seed: int,
) -> ChosenLabels:
    """Return words for features, in their order."""
    return choose_diff_labels(
        wanted.features,
        found.labels,
        wanted.searched,
        annotator=annotator,
        roles=roles,
        relabel=settings.relabel,
        seed=seed,
    )


def from_features(found: GroupDiff, chosen: ChosenLabels) -> list[NamedDifference]:
    """Return the named features as they will be tested."""
    return [
        NamedDifference(
            concept=one.label.text,
            feature=one.label.feature,
            source=FROM_FEATURE,
            expected=float(found.rates.difference[one.label.feature]),
            f1=one.f1,
        )
        for one in chosen.labels
    ]


@dataclass(frozen=True, slots=True)
class ToSummarise:
    """What is more frequent in one group, to be summed up."""

    sign: float
    """1 for the first group, -1 for the second."""
    labels: list[str]
    """The largest difference first."""
    ahead: list[float]
    """Share of each in the group."""
    behind: list[float]
    """Share of each in the other group."""
    k: int
    """The most concepts."""


def parts_to_summarise(found: GroupDiff, labels: Sequence[Label], k: int) -> list[ToSummarise]:
    """Return the labels of either direction, with its share of the k concepts."""
    gaps = found.rates.difference
    ways = {sign: [one for one in labels if gaps[one.feature] * sign > 0] for sign in (1.0, -1.0)}
    room = _share_out(k, len(ways[1.0]), len(ways[-1.0]))
    parts = []
    for (sign, own), n in zip(ways.items(), room, strict=True):
        rates = found.rates.rate_first, found.rates.rate_second
        ahead, behind = rates if sign > 0 else rates[::-1]
        features = [label.feature for label in own]
        texts = [label.text for label in own]
        parts.append(
            ToSummarise(sign, texts, ahead[features].tolist(), behind[features].tolist(), n)
        )
    return [part for part in parts if part.k]


def from_summary(
    found: GroupDiff, chosen: ChosenLabels, k: int, roles: LLMRoles | None
) -> list[NamedDifference]:
    """Return what a language model sums the names up in: k in all, a share for each direction."""
    if roles is None:
        return []
    named: list[NamedDifference] = []
    for part in parts_to_summarise(found, [one.label for one in chosen.labels], k):
        told = summarise_labels(part.labels, part.ahead, part.behind, k=part.k, roles=roles)
        named += [
            NamedDifference(label.text, label.feature, FROM_SUMMARY, part.sign) for label in told
        ]
    return named


def _share_out(k: int, n_first: int, n_second: int) -> tuple[int, int]:
    """Return how many of k concepts each direction gets: by their number, at least one if any."""
    if not n_first or not n_second:
        return min(k, n_first), min(k, n_second)
    if k == 1:
        return (1, 0) if n_first >= n_second else (0, 1)
    own = int(np.clip(round(k * n_first / (n_first + n_second)), 1, k - 1))
    return min(own, n_first), min(k - own, n_second)


@dataclass(frozen=True, slots=True)
class OwnProposals:
    """What a language model proposes without features."""

    named: tuple[NamedDifference, ...] = ()
    why_none: str = ""
    """Why there is nothing to test, where it was asked."""


def from_model(
    contrasted: Corpus, settings: VerifySettings, roles: LLMRoles | None, seed: int
) -> OwnProposals:
    """Return what a language model proposes by itself, shown samples of both groups.

    Args:
        contrasted: Documents searched, alike in what is held fixed.
        settings: How many are asked for, and how; nothing is asked without ``baseline``.
        roles: Who is asked.
        seed: Of the samples.
    """
    if not settings.baseline or roles is None:
        return OwnProposals()
    try:
        found = propose_hypotheses(
            contrasted,
            n=settings.k,
            llm=roles,
            kind="binary" if contrasted.pairs is None else "preference",
            settings=settings.proposals,
            seed=seed,
        )
    except NothingToTestError as error:  # the study of features stands without it
        return OwnProposals(why_none=str(error))
    return OwnProposals(
        tuple(
            NamedDifference(one.label.text, one.label.feature, FROM_MODEL, one.selection_score)
            for one in found.candidates
        )
    )
