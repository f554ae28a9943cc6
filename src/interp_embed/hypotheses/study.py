"""From documents and a target to tested hypotheses, in the order that keeps it honest.

prepare (drop unusable rows, understand the target) -> split (authors and duplicates kept whole) ->
embed -> train the SAE on discover -> screen, label, choose on discover -> fix -> open confirm ->
test.
"""

import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from interp_embed._fingerprint import digest_array, digest_texts
from interp_embed.embedders import Embedder, embed_documents, load_embedder
from interp_embed.embedders.documents import Cache
from interp_embed.errors import InputError
from interp_embed.hypotheses.corpus import Corpus, SealedSplit
from interp_embed.hypotheses.evaluate import Evaluation, evaluate_candidates
from interp_embed.hypotheses.generate import Candidates, generate_candidates
from interp_embed.hypotheses.plan import EvaluationPlan
from interp_embed.hypotheses.settings import StudySettings
from interp_embed.hypotheses.targets import Target, understand_target
from interp_embed.interpret import LLMLike, LLMRoles, as_roles
from interp_embed.records import DroppedDocument, HypothesisStudy, Json, RowCounts
from interp_embed.sae import Origin, TrainedSAE, TrainingSettings, train_sae
from interp_embed.sae.matrix import check_embeddings
from interp_embed.stats import SplitRows, merge_groups, near_duplicate_groups, split_rows
from interp_embed.tables import collect_documents

MIN_DOCUMENTS = 100
"""Usable documents below which a study is refused: 50 a side leave nothing to find or to test."""
_MIN_MINORITY = 20
"""Documents that each class of a binary target needs."""
_VERSIONED = ("interp-embed", "numpy", "scipy", "scikit-learn", "statsmodels", "numba", "torch")


@dataclass(frozen=True, slots=True, eq=False)
class StudyRun:
    """A finished study together with the SAE it was made with."""

    study: HypothesisStudy
    sae: TrainedSAE
    origin: Origin
    """What the SAE was trained on, to be saved with it."""


@dataclass(frozen=True, slots=True, eq=False)
class _Prepared:
    """Usable rows of what the user gave, aligned."""

    documents: tuple[str, ...]
    target: Target
    values: NDArray[np.float64]
    rows: NDArray[np.int64]
    groups: NDArray[np.int64]
    """User's groups and duplicates merged."""
    n_duplicates: int
    dropped: tuple[DroppedDocument, ...]
    n_read: int
    grouped: bool
    """Whether the user gave groups."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the study is to do, all defaults filled in."""

    settings: StudySettings
    training: TrainingSettings
    target_name: str
    positive: str | None
    embedder: dict[str, Json]
    """Identity of the embedder."""
    roles: LLMRoles | None


def find_hypotheses(
    documents: Sequence[object],
    target: Sequence[object],
    *,
    groups: Sequence[object] | None = None,
    embedder: Embedder | str = "all-MiniLM-L6-v2",
    embeddings: ArrayLike | None = None,
    settings: StudySettings | None = None,
    target_name: str = "target",
    target_kind: Literal["auto", "numeric", "binary"] = "auto",
    positive: str | None = None,
    llm: LLMLike | None = None,
    cache: Cache = "default",
    progress: bool = True,
) -> StudyRun:
    """Return named concepts associated with the target, tested on documents nothing else has read.

    Rows whose text, target or group is unusable are left out, counted and listed with the reason.

    Args:
        documents: One text a row; None, NaN, other types and blank texts are left out.
        target: One value a row: numbers, or two classes in any spelling.
        groups: One label a row, such as the author: a group is never on both sides.
        embedder: An embedder or its name; it is not used where ``embeddings`` are given.
        embeddings: One vector a row, shape (n_rows, d_in), made elsewhere.
        settings: Size, sparsity, split, level and seed.
        target_name: What the target is called in the report.
        target_kind: ``numeric`` or ``binary`` if it should not be told from the values.
        positive: The class to explain against all others.
        llm: A language model or its name, or two for labelling and annotating; None: labels are
            contrasting words, and a rule reads them.
        cache: Folder of the embedding cache, ``default`` or None (``embed_documents``).
        progress: Show progress bars on the standard error stream.

    Raises:
        InputError: The input cannot bear a study; the message says why and what to do.
    """
    settings = settings or StudySettings()
    roles = as_roles(llm)
    prepared = _prepare(
        documents, target, groups, name=target_name, kind=target_kind, positive=positive
    )
    _check_enough(prepared)
    split = split_rows(
        prepared.groups,
        confirm_share=settings.confirm_share,
        seed=settings.seed,
        stratify=prepared.values,
        minimum=MIN_DOCUMENTS // 4,
    )
    training = settings.training(n_documents=len(split.discover))
    training.schedule(n_documents=len(split.discover))  # refuses more features than documents
    if embeddings is None:
        used = load_embedder(embedder) if isinstance(embedder, str) else embedder
        used = used.fit([prepared.documents[i] for i in split.discover])
        vectors = embed_documents(prepared.documents, used, cache=cache, progress=progress)
        identity: dict[str, Json] = dict(used.identity)
    else:
        vectors = _given(embeddings, prepared)
        identity = {"kind": "given"}
    corpus = Corpus(prepared.documents, prepared.values, vectors, prepared.rows, prepared.groups)
    # One BLAS thread more than asked, and a busy machine spends its time waiting for it.
    with threadpool_limits(settings.threads):
        asked = _Asked(settings, training, target_name, positive, identity, roles)
        return _run(prepared, corpus, split, asked, progress=progress)


def _run(
    prepared: _Prepared,
    corpus: Corpus,
    split: SplitRows,
    asked: _Asked,
    *,
    progress: bool,
) -> StudyRun:
    """Discover, fix, confirm."""
    settings = asked.settings
    sealed = SealedSplit(corpus, split)
    discover = sealed.discover
    sae = train_sae(discover.embeddings, asked.training, progress=progress)
    candidates = generate_candidates(
        discover,
        sae.weights.encode(discover.embeddings, threads=settings.threads),
        n=settings.n,
        select=settings.select,
        roles=asked.roles,
        seed=settings.seed,
    )
    sealed.fix(candidates.plan)
    confirm = sealed.open(candidates.plan)
    evaluation = evaluate_candidates(
        candidates,
        confirm,
        sae.weights.encode(confirm.embeddings, threads=settings.threads),
        discover=discover,
        plan=EvaluationPlan(
            kind=prepared.target.kind,
            level=settings.level,
            correction=settings.correction,
            clustered=prepared.grouped,
            control_length=False,
        ),
        annotator=asked.roles.annotator if asked.roles else None,
        seed=settings.seed,
    )
    study = HypothesisStudy(
        hypotheses=evaluation.hypotheses,
        scores=evaluation.scores,
        rows=_count_rows(prepared, discover, confirm),
        target_name=asked.target_name,
        target_kind=prepared.target.kind,
        target_note=prepared.target.note,
        target_mean=float(confirm.target.mean()),
        training=sae.report,
        settings=_settings_record(asked, prepared),
        provenance=_provenance(prepared, corpus.embeddings, candidates),
        tried=candidates.n_screened,
        tested=evaluation.n_tested,
        shown=len(evaluation.hypotheses),
        level=settings.level,
        correction=settings.correction,
        warnings=_warnings(prepared, settings, sae, candidates, evaluation),
    )
    return StudyRun(study, sae, Origin.of(discover.embeddings, asked.training, asked.embedder))


def _prepare(
    documents: Sequence[object],
    target: Sequence[object],
    groups: Sequence[object] | None,
    *,
    name: str,
    kind: Literal["auto", "numeric", "binary"],
    positive: str | None,
) -> _Prepared:
    others = (target,) if groups is None else (target, groups)
    collected = collect_documents(documents, *others)
    understood = understand_target(target, name=name, kind=kind, positive=positive)
    labels = np.arange(len(target)) if groups is None else _group_numbers(groups)
    dropped = {drop.row: drop for drop in (*understood.dropped, *collected.dropped)}
    for row in np.flatnonzero(labels < 0).tolist():
        dropped.setdefault(row, DroppedDocument(row, "group is missing"))
    kept = [i for i, row in enumerate(collected.rows.tolist()) if row not in dropped]
    texts = tuple(collected.texts[i] for i in kept)
    rows = collected.rows[kept]
    if len(texts) > 1 and len(set(texts)) == 1:
        raise InputError(
            f"all {len(texts)} usable documents are the same text, {texts[0][:60]!r}; "
            "check that the right column was named"
        )
    duplicates = near_duplicate_groups(texts)
    return _Prepared(
        documents=texts,
        target=understood,
        values=understood.values[rows],
        rows=rows,
        groups=merge_groups(labels[rows], duplicates),
        n_duplicates=int(len(texts) - len(np.unique(duplicates))),
        dropped=tuple(dropped[row] for row in sorted(dropped)),
        n_read=len(target),
        grouped=groups is not None,
    )


def _group_numbers(groups: Sequence[object]) -> NDArray[np.int64]:
    """Return a number for each group, -1 where the label is missing."""
    numbers: dict[object, int] = {}
    found = np.empty(len(groups), np.int64)
    for row, label in enumerate(groups):
        try:
            missing = label is None or label is pd.NA or bool(label != label)
            missing = missing or (isinstance(label, str) and not label.strip())
            found[row] = -1 if missing else numbers.setdefault(label, len(numbers))
        except (TypeError, ValueError) as error:  # a list, an array
            raise InputError(
                f"groups must be plain labels, but row {row} holds a {type(label).__name__}; "
                "use strings or numbers"
            ) from error
    return found


def _check_enough(prepared: _Prepared) -> None:
    n = len(prepared.documents)
    if n < MIN_DOCUMENTS:
        reasons = Counter(drop.reason for drop in prepared.dropped).most_common(3)
        told = "; ".join(f"{count} x {reason}" for reason, count in reasons)
        raise InputError(
            f"a study needs at least {MIN_DOCUMENTS} usable documents, some to search and some to "
            f"test, but {n} of {prepared.n_read} rows are usable"
            + (f" ({told})" if told else "")
            + "; give more documents"
        )
    if np.ptp(prepared.values) == 0:
        raise InputError(
            f"the target is {prepared.values[0]:g} on all {n} usable documents; "
            "nothing can predict it"
        )
    if prepared.target.kind == "binary":
        ones = int(prepared.values.sum())
        if min(ones, n - ones) < _MIN_MINORITY:
            raise InputError(
                f"the target has {ones} of one class and {n - ones} of the other "
                f"({prepared.target.note}); each needs at least {_MIN_MINORITY} documents"
            )


def _given(embeddings: ArrayLike, prepared: _Prepared) -> NDArray[np.float32]:
    try:
        matrix = np.asarray(embeddings)
    except ValueError as error:
        raise InputError(
            f"embeddings cannot be read as a matrix ({error}); give one row of numbers a "
            "document, all of one length"
        ) from error
    if matrix.ndim != 2 or len(matrix) != prepared.n_read:
        raise InputError(
            f"embeddings must have one row for each of the {prepared.n_read} documents, "
            f"but their shape is {matrix.shape}"
        )
    used = matrix[prepared.rows]
    if used.dtype.kind == "f" and not np.isfinite(used).all():
        bad = prepared.rows[~np.isfinite(used).all(axis=1)]
        raise InputError(
            f"{len(bad)} of {len(used)} rows of embeddings are not finite (NaN or infinity), such "
            f"as row {', '.join(map(str, bad[:5].tolist()))}; embed these documents again, or "
            "leave them out"
        )
    return check_embeddings(used)


def _count_rows(prepared: _Prepared, discover: Corpus, confirm: Corpus) -> RowCounts:
    return RowCounts(
        read=prepared.n_read,
        dropped=prepared.dropped,
        discover=len(discover),
        confirm=len(confirm),
        n_groups=len(np.unique(prepared.groups)),
        n_duplicates=prepared.n_duplicates,
    )


def _settings_record(asked: _Asked, prepared: _Prepared) -> dict[str, Json]:
    settings, training = asked.settings, asked.training
    record: dict[str, Json] = asdict(settings)
    if callable(settings.select):
        record["select"] = getattr(settings.select, "__name__", "custom")
    return record | {
        "embedder": asked.embedder,
        "sae": asdict(training) | {"prefixes": list(training.prefixes)},
        "groups": prepared.grouped,
        "positive": asked.positive,
        "standard_errors": "cluster-robust by group" if prepared.grouped else "HC3",
        "labels": asked.roles.to_json() if asked.roles else "keywords",
    }


def _provenance(
    prepared: _Prepared, vectors: NDArray[np.float32], candidates: Candidates
) -> dict[str, Json]:
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


def _warnings(
    prepared: _Prepared,
    settings: StudySettings,
    sae: TrainedSAE,
    candidates: Candidates,
    evaluation: Evaluation,
) -> tuple[str, ...]:
    """Return in plain words what failed, what was left out and what to mind."""
    told: list[str] = []
    for reason, count in Counter(drop.reason for drop in prepared.dropped).most_common():
        told.append(f"{count} of {prepared.n_read} rows were left out: {reason}.")
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
    for side, missing, why in (
        ("discover", candidates.n_missing, candidates.why_missing),
        ("confirm", evaluation.n_missing, evaluation.why_missing),
    ):
        if missing:
            told.append(f"{missing} verdicts on {side} documents are missing; the first: {why}.")
    if sae.report.stopped == "cap, still improving":
        told.append(
            f"The SAE stopped at its cap of {sae.report.epochs} epochs while still improving; "
            "a larger cap may give better features."
        )
    if sae.report.n_dead:
        told.append(f"{sae.report.n_dead} features of the SAE fire on no discover document.")
    if evaluation.n_incomplete:
        told.append(
            f"{evaluation.n_incomplete} confirm documents lack a verdict and take no part in the "
            "joint regression."
        )
    scores = evaluation.scores
    chance = 0.0 if scores.metric == "r2" else 0.5
    if scores.ceiling <= chance + 0.02:
        told.append(
            "Even the full embedding hardly predicts the target on confirm documents "
            f"({scores.metric} = {scores.ceiling:.2f}): there may be little to find."
        )
    return tuple(told)
