"""Differences found on some documents, put into words, and tested on the others."""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interp_embed._fingerprint import digest_texts
from interp_embed.analysis.differences.design import DifferenceDesign
from interp_embed.analysis.differences.diff import Correction
from interp_embed.analysis.differences.discovery import discover_differences
from interp_embed.analysis.differences.held_out import (
    NamedDifference,
    count_missing,
    measure_coverage,
    share_estimate,
    verify_concepts,
)
from interp_embed.analysis.differences.held_out_split import take_rows
from interp_embed.analysis.differences.labels import ChosenLabels
from interp_embed.analysis.differences.naming import (
    VerifySettings,
    from_features,
    from_model,
    from_summary,
    name_features,
)
from interp_embed.analysis.differences.records import GroupDiff
from interp_embed.analysis.differences.sides import Names, Sides, oppose
from interp_embed.analysis.differences.verified import (
    FROM_FEATURE,
    FROM_MODEL,
    FROM_SUMMARY,
    Verification,
    VerifiedDifference,
)
from interp_embed.analysis.documents import EncodedDocuments
from interp_embed.errors import InputError
from interp_embed.hypotheses import (
    CalibratedAnnotator,
    Corpus,
    SealedSplit,
)
from interp_embed.interpret import Annotator, LLMLike, as_roles
from interp_embed.records import Estimate


def study_difference(  # noqa: PLR0913 - diff_groups' arguments and the study's
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
    llm: LLMLike | None = None,
    annotator: Annotator | CalibratedAnnotator | None = None,
    settings: VerifySettings | None = None,
    seed: int = 0,
) -> GroupDiff:
    """Return what differs on some documents, with ``verified``: the same, in words, on the others.

    Documents are split at random; groups, pairs and near-duplicates stay whole. On the documents
    searched, features that differ are found (``diff_groups``) and one of each family is named: by
    its label, or by a better one made from part of these documents (better on the rest of them).
    With a language model the names are summed up in at most k sentences; without one the k largest
    differences are the summary. All this is fixed before the held-out documents are opened, once:
    an annotator who knows neither group nor feature reads each concept in each document, and the
    verdicts are compared as the features were. Missing verdicts are left out and counted.

    Args:
        first: As in ``diff_groups``, also all up to correction.
        second: The other group.
        names: What the groups are called.
        pair_first: Keys of documents that belong together.
        pair_second: Those of the second group.
        groups_first: Documents of one label are not independent.
        groups_second: Of the second group.
        strata_first: What is held fixed, in both comparisons; as in ``diff_groups``.
        strata_second: Of the second group.
        match_length: Whether length is held fixed, in both comparisons.
        min_support: Of features tested.
        level: Significance level, in both.
        correction: Over the features tested; and over the concepts of each source.
        llm: Labels, sums up and reads; None for keyword labels and the rule that reads them.
        annotator: Reads concepts instead.
        settings: How differences are named and tested.
        seed: Of the split and of samples.

    Raises:
        InputError: As ``diff_groups``; there are too few documents to split, or a part of them
            cannot be compared; or a baseline is asked for without a language model.
        LLMError: The server cannot be used; what was answered before is stored.
        Interrupted: Ctrl-C; answers are stored, a second run asks only the rest.

    Source: Jiang et al. 2025, arXiv 2512.10092, section 3.1. There one set of documents is
    searched, labelled and verified on, unreadable answers count as no, and a difference above 1
    point is valid.
    """
    settings, roles = settings or VerifySettings(), as_roles(llm)
    if settings.baseline and roles is None:
        raise InputError("the baseline is a language model's own proposals; give llm=")
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
    found = seen.found
    chosen = name_features(seen.wanted, found, settings, roles, annotator, seed)
    own = from_model(seen.contrasted, settings, roles, seed)
    concepts = [
        *from_features(found, chosen),
        *from_summary(found, chosen, settings.k, roles),
        *own.named,
    ]
    plan = digest_texts([f"{one.source} {one.feature} {one.concept}" for one in concepts] or ["-"])
    sealed = SealedSplit(seen.corpus, seen.split)
    sealed.fix(plan)
    confirm = sealed.open(plan)
    verified = _verify(confirm, sides, concepts, chosen, design, settings)
    if own.why_none:
        why = f"the language model alone named nothing that could be tested: {own.why_none}"
        verified = replace(verified, notes=(*verified.notes, why))
    told = (
        f"differences were searched on {len(seen.discover)} of {len(seen.corpus)} documents and "
        "tested on the others"
    )
    return replace(found, notes=(*sides.notes, told, *found.notes), verified=verified)


def _verify(
    confirm: Corpus,
    sides: Sides,
    concepts: list[NamedDifference],
    chosen: ChosenLabels,
    design: DifferenceDesign,
    settings: VerifySettings,
) -> Verification:
    held = design.oppose(take_rows(sides, confirm.rows))
    wording = list(dict.fromkeys(one.concept for one in concepts))
    read = chosen.reader.annotate(confirm.documents, wording)
    verdicts = read.verdicts[:, [wording.index(one.concept) for one in concepts]]
    tested = verify_concepts(
        concepts, verdicts, held, level=design.level, correction=design.correction
    )
    sources = [one.source for one in tested]
    summed_up = FROM_SUMMARY if FROM_SUMMARY in sources else FROM_FEATURE
    named = _places(sources, summed_up)[: settings.k]
    covers = [_coverage(tested, named, verdicts, held, way) for way in (1.0, -1.0)]
    own = _places(sources, FROM_MODEL)
    notes = []
    if chosen.n_without:
        why = f" ({chosen.why_without})" if chosen.why_without else ""
        notes.append(
            f"{chosen.n_without} features that differ have no words and were not tested{why}"
        )
    if chosen.n_same:
        notes.append(f"{chosen.n_same} features that differ have the words of another one")
    return Verification(
        names=design.names,
        concepts=tested,
        named=tuple(named),
        coverage=covers[0],
        coverage_second=covers[1],
        verification_rate=_held_share([tested[i] for i in _places(sources, FROM_FEATURE)]),
        baseline_rate=_held_share([tested[i] for i in own]) if settings.baseline else None,
        baseline_coverage=(
            _coverage(tested, own, verdicts, held, 1.0) if settings.baseline else None
        ),
        n_discover=len(sides.rows_first) + len(sides.rows_second) - len(confirm),
        n_confirm=len(confirm),
        n_missing=count_missing(read),
        why_missing=next(iter(read.reasons.values()), ""),
        method="verdicts on held-out documents, compared as the features were",
        notes=(*notes, *held.notes),
        paired=held.paired,
    )


def _places(sources: list[str], source: str) -> list[int]:
    return [place for place, own in enumerate(sources) if own == source]


def _coverage(
    tested: tuple[VerifiedDifference, ...],
    named: list[int],
    verdicts: NDArray[np.float32],
    held: Sides,
    way: float,
) -> Estimate:
    """Return what the named differences that hold cover of the side they are more frequent on."""
    columns = [i for i in named if tested[i].holds and tested[i].difference.value * way > 0]
    return measure_coverage(verdicts, held, columns, of_second=way < 0)


def _held_share(tested: list[VerifiedDifference]) -> Estimate:
    return share_estimate(sum(one.holds for one in tested), len(tested))
