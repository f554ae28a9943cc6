"""What a study of a difference by a language model will cost, before anything is asked."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from interp_embed.analysis.differences.design import DifferenceDesign
from interp_embed.analysis.differences.diff import Correction
from interp_embed.analysis.differences.discovery import discover_differences
from interp_embed.analysis.differences.labels import GIVEN, N_SCORED, summary_inquiry
from interp_embed.analysis.differences.naming import (
    ToName,
    VerifySettings,
    parts_to_summarise,
)
from interp_embed.analysis.differences.sides import Names, oppose
from interp_embed.analysis.documents import EncodedDocuments
from interp_embed.errors import InputError
from interp_embed.hypotheses import estimate_proposals
from interp_embed.interpret import LLMLike, LLMRoles, as_roles, estimate_scores
from interp_embed.llm import CostEstimate, Plan, add_estimates
from interp_embed.records import Label

TYPICAL_LABEL = "mentions how something was done or described by the one who wrote it"
"""Stands for a label that is not known yet."""


def estimate_difference(  # noqa: PLR0913 - as study_difference
    first: EncodedDocuments,
    second: EncodedDocuments,
    *,
    names: Names = ("first", "second"),
    pair_first: ArrayLike | None = None,
    pair_second: ArrayLike | None = None,
    groups_first: ArrayLike | None = None,
    groups_second: ArrayLike | None = None,
    strata_first: ArrayLike | None = None,
    strata_second: ArrayLike | None = None,
    match_length: bool = False,
    min_support: int = 10,
    level: float = 0.05,
    correction: Correction = "bh",
    llm: LLMLike,
    settings: VerifySettings | None = None,
    seed: int = 0,
) -> CostEstimate:
    """Return calls, tokens, money and minutes of ``study_difference``; nothing is sent.

    Which features differ is found as there, so that the questions for their labels are known;
    labels of typical length stand for the answers. What is stored of an earlier run may therefore
    count as still to be asked, and fewer calls are made where features get the same label.

    Args:
        first: As for ``study_difference``, also all others.
        second: The other group.
        names: What the groups are called.
        pair_first: Keys of documents that belong together.
        pair_second: Those of the second group.
        groups_first: Documents of one label are not independent.
        groups_second: Of the second group.
        strata_first: What is held fixed.
        strata_second: Of the second group.
        match_length: Whether length is held fixed.
        min_support: Of features tested.
        level: Significance level.
        correction: Over the features tested.
        llm: Who would label, sum up and read.
        settings: How differences are named and tested.
        seed: Of the split and of samples.

    Raises:
        InputError: As ``study_difference``.
    """
    settings, roles = settings or VerifySettings(), as_roles(llm)
    if roles is None:
        raise InputError("without a language model nothing is paid for; give llm=")
    design = DifferenceDesign(names, match_length, min_support, level, correction)
    sides = oppose(
        first,
        second,
        names=names,
        pair_first=pair_first,
        pair_second=pair_second,
        groups_first=groups_first,
        groups_second=groups_second,
        strata_first=strata_first,
        strata_second=strata_second,
    )
    seen = discover_differences(sides, design, settings, seed)
    found, wanted = seen.found, seen.wanted
    candidates = _candidates(wanted, found.labels, settings, roles)
    labels = [own[-1] for own in candidates.values()]
    parts = parts_to_summarise(found, labels, settings.k)
    asked = [
        summary_inquiry(part.labels, part.ahead, part.behind, k=part.k).first_request()
        for part in parts
    ]
    n_more = sum(part.k for part in parts) + settings.k * settings.baseline
    concepts = [*(label.text for label in labels), *_typical("in other words", n_more)]
    estimates = [
        *_of_labels(wanted, candidates, found.labels, settings, roles, seed),
        roles.labeller.llm.estimate(Plan("Summing up", tuple(asked))),
        roles.annotator.estimate(
            seen.corpus.take(seen.split.confirm).documents, list(dict.fromkeys(concepts))
        ),
    ]
    if settings.baseline:
        estimates.append(
            estimate_proposals(
                seen.contrasted, n=settings.k, llm=roles, settings=settings.proposals, seed=seed
            )
        )
    return add_estimates(estimates)


def _of_labels(
    wanted: ToName,
    candidates: Mapping[int, Sequence[Label]],
    given: Mapping[int, str],
    settings: VerifySettings,
    roles: LLMRoles,
    seed: int,
) -> list[CostEstimate]:
    """Return what labelling and the choice between labels will take."""
    searched = wanted.searched
    return [
        roles.labeller.estimate(
            [searched.documents[row] for row in searched.making],
            searched.activations[searched.making],
            _to_label(wanted, given, settings),
        ),
        estimate_scores(
            roles.annotator,
            [searched.documents[row] for row in searched.choosing],
            searched.activations[searched.choosing],
            candidates,
            n=N_SCORED,
            seed=seed,
        ),
    ]


def _candidates(
    wanted: ToName, given: Mapping[int, str], settings: VerifySettings, roles: LLMRoles
) -> dict[int, list[Label]]:
    """Return the labels there are, and ones of typical length for those that will be made."""
    fires = np.diff(wanted.searched.activations[wanted.searched.making].tocsc().indptr) > 0
    labelled = {f for f in _to_label(wanted, given, settings) if fires[f]}
    found: dict[int, list[Label]] = {}
    for feature in wanted.features:
        own = [Label(feature, given[feature], GIVEN, 0)] if given.get(feature) else []
        if feature in labelled:
            texts = _typical(f"feature {feature}", roles.labeller.n_candidates)
            own += [Label(feature, text, "", 0) for text in texts]
        if own:
            found[feature] = own
    return found


def _to_label(wanted: ToName, given: Mapping[int, str], settings: VerifySettings) -> list[int]:
    return [f for f in wanted.features if settings.relabel or not given.get(f)]


def _typical(mark: str, n: int) -> list[str]:
    """Return n labels of typical length, no two the same."""
    return [f"{TYPICAL_LABEL} ({mark}, {number})" for number in range(n)]
