"""What a study says about itself: rows, settings, provenance, everything tried, what to mind."""

import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from interp_embed._fingerprint import digest_array, digest_settings, digest_texts
from interp_embed.hypotheses.corpus import Corpus
from interp_embed.hypotheses.evaluate import Evaluation
from interp_embed.hypotheses.features import FeatureSettings, LearnedFeatures
from interp_embed.hypotheses.generate import Candidates
from interp_embed.hypotheses.ledger import Opening, Recorded
from interp_embed.hypotheses.prepare import Prepared
from interp_embed.hypotheses.settings import StudySettings
from interp_embed.interpret import LLMRoles
from interp_embed.records import Attempt, Json, RowCounts, Signal
from interp_embed.sae import TrainedSAE

_VERSIONED = ("interp-embed", "numpy", "scipy", "scikit-learn", "statsmodels", "numba", "torch")


def count_rows(prepared: Prepared, n_discover: int, n_confirm: int) -> RowCounts:
    """Return where the rows of the user's table went; of pairs both texts count."""
    return RowCounts(
        read=prepared.n_read,
        dropped=prepared.dropped,
        discover=n_discover,
        confirm=n_confirm,
        n_groups=len(np.unique(prepared.groups)),
        n_duplicates=prepared.n_duplicates,
    )


def record_settings(
    settings: StudySettings,
    learning: FeatureSettings,
    prepared: Prepared,
    *,
    embedder: dict[str, Json],
    positive: str | None,
    roles: LLMRoles | None,
    annotator: object | None,
    n_tune: int,
) -> dict[str, Json]:
    """Return every setting that the result depends on, those left at their default included."""
    record: dict[str, Json] = asdict(settings)
    if callable(settings.select):
        record["select"] = getattr(settings.select, "__name__", "custom")
    return record | {
        "embedder": embedder,
        "sae": asdict(learning.training) | {"prefixes": list(learning.training.prefixes)},
        "pool": {
            "granularities": learning.granularities,
            "repeats": learning.repeats,
            "target_weight": learning.target_weight,
            "merge_above": learning.merge_above,
        },
        "groups": prepared.grouped,
        "positive": positive,
        "covariates": list(prepared.covariates.names),
        "strata": list(prepared.strata_names),
        "tune_documents": n_tune,
        "standard_errors": "cluster-robust by group" if prepared.grouped else "HC3",
        "labels": roles.to_json() if roles else "keywords",
        "annotator": "" if annotator is None else type(annotator).__name__,
    }


def record_provenance(
    prepared: Prepared, vectors: NDArray[np.float32], candidates: Candidates
) -> dict[str, Json]:
    """Return versions and digests."""
    return {
        "versions": {"python": platform.python_version()}
        | {package: version(package) for package in _VERSIONED},
        "digests": {
            "documents": digest_texts(prepared.documents),
            "target": digest_array(prepared.values),
            "groups": digest_array(prepared.groups),
            "embeddings": digest_array(vectors),
            "hypotheses": candidates.plan,
        },
    }


def describe_opening(confirm: Corpus, plan: str, settings: dict[str, Json]) -> Opening:
    """Return what the ledger keeps of opening the confirm documents."""
    documents = {"texts": digest_texts(confirm.documents), "target": digest_array(confirm.target)}
    return Opening(digest_settings(documents), plan, digest_settings(settings))


def list_attempts(
    learned: LearnedFeatures, candidates: Candidates, evaluation: Evaluation
) -> tuple[Attempt, ...]:
    """Return everything tried, in order."""
    n_trained = sum(len(sae.weights.decoder) for sae in learned.saes)
    return (
        Attempt(
            "learn features",
            "discover",
            n_trained,
            len(learned.stability) - learned.report.n_dead,
            f"{len(learned.saes)} SAEs; {learned.n_merged} features do what another one does",
        ),
        *candidates.attempts,
        Attempt(
            "test hypotheses",
            "confirm",
            evaluation.n_tested,
            sum(hypothesis.significant for hypothesis in evaluation.hypotheses),
        ),
    )


def tell_no_signal(signal: Signal) -> str:
    """Return in plain words that nothing was seen; empty if something was."""
    if signal.found:
        return ""
    return (
        "The texts are not seen to predict the target: a ridge regression on the embeddings of "
        f"{signal.n} discover documents does no better out of sample than by chance "
        f"({signal.metric} = {signal.score:.2f}, p = {signal.p:.2g}). A study may then find "
        "nothing; check the target, or give more documents."
    )


def tell_warnings(
    prepared: Prepared,
    settings: StudySettings,
    *,
    sae: TrainedSAE,
    candidates: Candidates,
    evaluation: Evaluation,
    signal: Signal,
    recorded: Recorded,
) -> tuple[str, ...]:
    """Return in plain words what failed, what was left out and what to mind."""
    return (
        *_about_rows(prepared),
        *filter(None, [tell_no_signal(signal)]),
        *_about_labels(settings, candidates),
        *_about_verdicts(candidates, evaluation),
        *_about_training(sae),
        *_about_the_test(evaluation, signal),
        *_about_earlier(recorded),
    )


def _about_rows(prepared: Prepared) -> list[str]:
    reasons = Counter(drop.reason for drop in prepared.dropped).most_common()
    told = [
        f"{count} of {prepared.n_read} rows were left out: {reason}." for reason, count in reasons
    ]
    return [*told, *prepared.covariates.notes]


def _about_labels(settings: StudySettings, candidates: Candidates) -> list[str]:
    told: list[str] = []
    found = len(candidates.candidates)
    if found < settings.n:
        told.append(
            f"{settings.n} hypotheses were asked for, {found} could be formed: "
            f"{candidates.n_without_label} of {candidates.n_labelled} features have no "
            + ("label" if candidates.why_without_label else "telling words")
            + f", {candidates.n_same_concept} say what another one says."
        )
    if candidates.why_without_label:
        told.append(
            f"{candidates.n_without_label} of {candidates.n_labelled} features have no label; the "
            f"first: {candidates.why_without_label}."
        )
    return told


def _about_verdicts(candidates: Candidates, evaluation: Evaluation) -> list[str]:
    sides: Sequence[tuple[str, Candidates | Evaluation]] = (
        ("discover", candidates),
        ("confirm", evaluation),
    )
    return [
        f"{of.n_missing} verdicts on {side} documents are missing; the first: {of.why_missing}."
        for side, of in sides
        if of.n_missing
    ]


def _about_training(sae: TrainedSAE) -> list[str]:
    told: list[str] = []
    if sae.report.stopped == "cap, still improving":
        told.append(
            f"The SAE stopped at its cap of {sae.report.epochs} epochs while still improving; "
            "a larger cap may give better features."
        )
    if sae.report.n_dead:
        told.append(f"{sae.report.n_dead} features of the SAE fire on no discover document.")
    return told


def _about_the_test(evaluation: Evaluation, signal: Signal) -> list[str]:
    told: list[str] = []
    if evaluation.n_incomplete:
        told.append(
            f"{evaluation.n_incomplete} confirm documents lack a verdict and take no part in the "
            "joint regression."
        )
    scores = evaluation.scores
    chance = 0.0 if scores.metric == "r2" else 0.5
    if signal.found and scores.ceiling <= chance + 0.02:
        told.append(
            "Even the full embedding hardly predicts the target on confirm documents "
            f"({scores.metric} = {scores.ceiling:.2f}): there may be little to find."
        )
    return told


def _about_earlier(recorded: Recorded) -> list[str]:
    told = [f"{recorded.problem[0].upper()}{recorded.problem[1:]}."] if recorded.problem else []
    if recorded.n_earlier:
        told.append(
            f"These confirm documents were opened before, for {recorded.n_earlier} other "
            f"{'set' if recorded.n_earlier == 1 else 'sets'} of hypotheses; the p-values and q "
            "do not account for these. Of many sets tried one looks good by chance: report them "
            "all, or confirm on new documents."
        )
    return told
