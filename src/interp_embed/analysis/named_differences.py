"""What will be tested on held-out documents: names of features, their summary, and a rival's."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix, vstack

from interp_embed.analysis.diff_labels import (
    ChosenLabels,
    LabellingDocuments,
    choose_diff_labels,
    summarise_labels,
)
from interp_embed.analysis.diff_records import GroupDiff
from interp_embed.analysis.firing_counts import above_cuts
from interp_embed.analysis.group_sides import Sides
from interp_embed.analysis.held_out import NamedDifference
from interp_embed.analysis.held_out_split import MIN_SIDE
from interp_embed.analysis.verified_records import FROM_FEATURE, FROM_MODEL, FROM_SUMMARY
from interp_embed.errors import InputError
from interp_embed.hypotheses import (
    CalibratedAnnotator,
    Corpus,
    ProposalSettings,
    propose_hypotheses,
)
from interp_embed.interpret import Annotator, LLMRoles
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


def name_features(
    found: GroupDiff,
    searched: Sides,
    discover: Corpus,
    settings: VerifySettings,
    roles: LLMRoles | None,
    annotator: Annotator | CalibratedAnnotator | None,
    seed: int,
) -> ChosenLabels:
    """Return words for the features that lead their families, the largest differences first."""
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
    return choose_diff_labels(
        leaders[: settings.n_candidates].tolist(),
        found.labels,
        labelling,
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


def from_summary(
    found: GroupDiff, chosen: ChosenLabels, k: int, roles: LLMRoles | None
) -> list[NamedDifference]:
    """Return what a language model sums the names up in: k in all, a share for each direction."""
    if roles is None or not chosen.labels:
        return []
    gaps = found.rates.difference
    ways = {
        sign: [one.label for one in chosen.labels if gaps[one.label.feature] * sign > 0]
        for sign in (1.0, -1.0)
    }
    room = _share_out(k, len(ways[1.0]), len(ways[-1.0]))
    named: list[NamedDifference] = []
    for (sign, labels), n in zip(ways.items(), room, strict=True):
        if not n:
            continue
        rates = found.rates.rate_first, found.rates.rate_second
        ahead, behind = rates if sign > 0 else rates[::-1]
        features = [label.feature for label in labels]
        told = summarise_labels(
            [label.text for label in labels],
            ahead[features].tolist(),
            behind[features].tolist(),
            k=n,
            roles=roles,
        )
        named += [NamedDifference(label.text, label.feature, FROM_SUMMARY, sign) for label in told]
    return named


def _share_out(k: int, n_first: int, n_second: int) -> tuple[int, int]:
    """Return how many of k concepts each direction gets: by their number, at least one if any."""
    if not n_first or not n_second:
        return min(k, n_first), min(k, n_second)
    if k == 1:
        return (1, 0) if n_first >= n_second else (0, 1)
    own = int(np.clip(round(k * n_first / (n_first + n_second)), 1, k - 1))
    return min(own, n_first), min(k - own, n_second)


def from_model(
    discover: Corpus, settings: VerifySettings, roles: LLMRoles | None, seed: int
) -> list[NamedDifference]:
    """Return what a language model proposes by itself, shown samples of both groups."""
    if not settings.baseline or roles is None:
        return []
    found = propose_hypotheses(
        discover,
        n=settings.k,
        llm=roles,
        kind="binary" if discover.pairs is None else "preference",
        settings=settings.proposals,
        seed=seed,
    )
    return [
        NamedDifference(one.label.text, one.label.feature, FROM_MODEL, one.selection_score)
        for one in found.candidates
    ]
