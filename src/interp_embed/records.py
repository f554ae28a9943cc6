"""Facts that travel between packages: frozen, plain, without behaviour beyond reading them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

NO_FEATURE = -1
"""Stands for the feature of a concept that comes from none: it has no activations, and its
fidelity is NaN."""

Json = Any
"""A value JSON can hold: numbers, strings, booleans, None, lists and dicts of them."""

TargetKind = Literal[
    "numeric", "binary", "count", "ordinal", "multiclass", "multilabel", "preference"
]
"""What a target's values are: ``multiclass`` one of several classes a document, ``multilabel`` any
number of them, ``preference`` which of two texts was preferred."""


@dataclass(frozen=True, slots=True)
class DroppedDocument:
    """A row of the user's table that takes no part, and why."""

    row: int
    """Position in the table as read, from 0."""
    reason: str
    """In words, such as ``text is empty`` or ``target is missing``."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its interval and the rows it stands on."""

    value: float
    low: float
    """Lower end of the interval."""
    high: float
    """Upper end of the interval."""
    p: float
    """Two-sided p-value of "no association", in [0, 1]; NaN where it cannot be tested."""
    n: int
    """Documents used."""


@dataclass(frozen=True, slots=True)
class Label:
    """Short text saying what a feature responds to."""

    feature: int
    """Index of the feature; ``NO_FEATURE`` (-1) of a concept that comes from none."""
    text: str
    """What a person or an annotator reads, such as ``mentions "waited", "host"``."""
    source: str
    """How it was made, such as ``keywords``."""
    n_examples: int
    """Documents the labeller saw."""


@dataclass(frozen=True, slots=True)
class Fidelity:
    """How well a label predicts where its feature fires, on documents the labeller did not see."""

    precision: float
    """Share of documents annotated 1 in which the feature fires, in [0, 1]; NaN if none was."""
    precision_low: float
    precision_high: float
    """95 % interval of ``precision``: Wilson's; for weighted documents see ``measure_fidelity``."""
    recall: float
    """Share of documents in which the feature fires that are annotated 1; NaN if it never does."""
    recall_low: float
    recall_high: float
    """95 % Wilson interval of ``recall``, of the effective number of documents if weighted."""
    f1: float
    """Harmonic mean of precision and recall, in [0, 1]; 0 where nothing was found."""
    n: int
    """Documents annotated, the missing ones left out."""
    n_missing: int
    """Documents whose annotation failed; left out, not counted as 0."""
    f1_low: float = float("nan")
    f1_high: float = float("nan")
    """95 % interval of ``f1``; NaN where it was not estimated."""


@dataclass(frozen=True, slots=True)
class ConceptAgreement:
    """How often the verdicts on one concept stayed the same when it was asked alone."""

    n: int
    """Documents asked again and answered."""
    agreement: float
    """Share of the same verdict, in [0, 1]."""
    to_yes: int
    """Documents whose no became a yes."""
    to_no: int
    """Documents whose yes became a no."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far an annotator that is asked many concepts at once agrees with itself asked for one.

    Over a sample with as many yes as no of every concept, where there are: rare verdicts count
    more here than among all documents.
    """

    n: int
    """Pairs of document and concept asked again, alone, and answered."""
    agreement: float
    """Share of the same verdict, in [0, 1]; NaN if there is none."""
    kappa: float
    """Cohen's kappa, agreement beyond chance; NaN where all verdicts are the same."""
    retest: float
    """Share of the same verdict when asked alone a second time: the annotator's own noise."""
    n_retest: int
    per_concept: Mapping[str, ConceptAgreement]
    n_missing: int
    """Pairs asked again without an answer that can be read."""


@dataclass(frozen=True, slots=True)
class Annotations:
    """Verdicts of an annotator on documents x concepts."""

    concepts: tuple[str, ...]
    """The concepts, in words: all that the annotator was told."""
    verdicts: NDArray[np.float32]
    """Shape (n_documents, n_concepts): 1, 0, or NaN where the answer is missing."""
    reasons: Mapping[tuple[int, int], str] = field(default_factory=dict)
    """Why an answer is missing, by (document, concept); none for pairs that were not wanted."""
    agreement: Agreement | None = None
    """How far the verdicts stay the same when asked one by one; None where it was not checked."""


@dataclass(frozen=True, slots=True)
class Example:
    """A document shown as evidence for a feature."""

    row: int
    """Position in the user's table, from 0."""
    text: str
    activation: float
    """Value >= 0 of the feature on the document."""
    spans: tuple[tuple[int, int], ...] = ()
    """Character ranges [start, end) of the words the label names, in order, not overlapping."""


@dataclass(frozen=True, slots=True)
class Scores:
    """How well the target is predicted on confirm rows, out of sample by cross-fitting."""

    metric: str
    """``r2`` for a numeric target, ``auc`` for a binary one."""
    ceiling: float
    """Ridge on the dense embeddings."""
    features: float
    """The activations of the selected features."""
    hypotheses: float
    """The annotations of the hypotheses: what the words alone carry."""
    floor: float
    """Length of the document alone."""
    n: int
    """Confirm documents scored."""


@dataclass(frozen=True, slots=True)
class ClassEffect:
    """A concept's association with one class of several, against all others."""

    name: str
    """The class."""
    separation: Estimate
    """Share of the class with the concept minus without it."""
    coefficient: Estimate
    """In the joint regression."""
    q: float
    """``coefficient.p`` corrected over all concepts and classes (Benjamini-Hochberg)."""


@dataclass(frozen=True, slots=True)
class ControlledEffect:
    """A concept's separation with covariates held fixed, the other concepts left aside."""

    covariates: tuple[str, ...]
    """What is held fixed, such as ``length``."""
    effect: Estimate
    explained_share: float
    """1 - effect / separation: 1 if the covariates take it all, above 1 if the sign turns."""
    explained_away: bool
    """Whether the separation is certain, but nothing is shown beyond the covariates."""
    note: str = ""
    """Why it could not be estimated; empty if it was."""


@dataclass(frozen=True, slots=True)
class NamedEffect:
    """An effect among the documents of one stratum."""

    name: str
    effect: Estimate


@dataclass(frozen=True, slots=True)
class StrataEffects:
    """A concept's effect in each stratum, and whether it is the same in all."""

    effects: tuple[NamedEffect, ...]
    within: Estimate
    """With each stratum's mean held fixed."""
    p_interaction: float
    """Of "the effect is the same in all strata"."""
    q_interaction: float
    """Corrected in the same family as the p-values of the hypotheses."""
    varies: bool
    """Whether the effect differs between strata, at the study's level after correction."""
    sign_reversal: bool
    """Whether it is certainly positive in one stratum and negative in another."""
    note: str = ""
    """Which strata could not be judged; empty if none."""


@dataclass(frozen=True, slots=True)
class ConceptGroup:
    """Concepts that occur together, tested as one: a joint model divides an effect among them."""

    members: tuple[str, ...]
    """Hypotheses, in the order of the study."""
    p: float
    """Wald test that all their coefficients are 0."""
    q: float
    """Corrected over groups (Benjamini-Hochberg)."""
    significant: bool


@dataclass(frozen=True, slots=True)
class Attempt:
    """A step that looked at data, and how much it tried."""

    step: str
    """Such as ``screen features``."""
    side: Literal["discover", "tune", "confirm"]
    """Documents it read."""
    n_tried: int
    n_kept: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Signal:
    """Whether anything in the texts predicts the target, before anything is spent."""

    metric: str
    """``r2`` or ``auc``."""
    score: float
    """Out-of-fold score of a ridge on the dense embeddings of the discover documents."""
    p: float
    """One-sided p of "the embeddings predict no better than chance"."""
    found: bool
    """Whether ``p`` is at most .05."""
    n: int
    """Discover documents."""


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """The joint regression of the target on all hypotheses and covariates."""

    family: str
    """``linear`` | ``logit`` | ``poisson`` | ``ordered`` | ``multinomial``."""
    estimator: str
    """Such as ``least squares``, ``maximum likelihood`` or ``Firth``."""
    errors: str
    """Such as ``HC3`` or ``cluster-robust``."""
    effect: str
    """What a coefficient is, in words, such as ``log odds ratio``."""
    covariates: tuple[str, ...]
    n: int
    n_groups: int | None
    r2: float
    """On the rows fitted: R2, or McFadden's."""
    condition_number: float
    """Above 30 the columns are collinear."""
    note: str = ""
    """Columns left out, separation, a change of estimator; empty if none."""


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A concept, the feature it came from, its association with the target, and the evidence."""

    hypothesis: str
    """The concept in words: the feature's label."""
    feature: int
    """Index of the feature in the SAE; ``NO_FEATURE`` (-1) where it comes from none."""
    separation: Estimate
    """Mean target with the concept minus mean without it, Welch interval and p."""
    coefficient: Estimate
    """Coefficient in the joint regression on all hypotheses and covariates."""
    q: float
    """``p`` corrected for everything tested (Benjamini-Hochberg)."""
    significant: bool
    """Whether the hypothesis holds at the study's level after the chosen correction."""
    prevalence: float
    """Share of confirm documents with the concept, in [0, 1]."""
    fidelity: Fidelity
    n: int
    """Confirm documents with a verdict."""
    selection_score: float
    """What the selection on discover rows ranked the feature by."""
    note: str = ""
    """Why it could not be tested, in words; empty if it was."""
    top_examples: tuple[Example, ...] = ()
    """Discover documents on which the feature is strongest."""
    contrast_examples: tuple[Example, ...] = ()
    """Discover documents on which it is silent, near the others in length."""
    p: float = float("nan")
    """What is corrected: ``coefficient.p``, or with several classes that of the Wald test that
    the coefficients of all of them are 0; NaN where it cannot be tested."""
    about: str = ""
    """With several classes, the one of which ``separation`` and ``coefficient`` are: the one of
    the smallest p. Empty otherwise."""
    by_class: tuple[ClassEffect, ...] = ()
    """With several classes, the effect on each; empty otherwise."""
    controlled: ControlledEffect | None = None
    """With length and covariates held fixed; None where it was not estimated."""
    strata: StrataEffects | None = None
    """None where no strata were given."""
    similar: tuple[str, ...] = ()
    """Labels that say the same, on discover documents, and were not tested beside this one."""
    vif: float = float("nan")
    """Variance inflation of its column in the joint regression, >= 1."""
    stability: float = float("nan")
    """How well SAEs of other seeds and sizes find the feature again: the correlation of its
    activations with the most like ones there, on average, in [0, 1]; NaN if there is one SAE."""


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """How the training of an SAE went; ``stopped`` tells in words why it ended."""

    epochs: int
    best_epoch: int
    """Epoch (from 1) whose weights were kept."""
    stopped: str
    """``patience`` | ``cap`` | ``cap, still improving``."""
    validation_nmse: float
    """Plain normalised squared error on validation rows at the kept weights; 0 is perfect."""
    train_nmse: float
    validation_history: tuple[float, ...]
    mean_active: float
    """Mean number of active features a document (L0) on the training rows."""
    n_dead: int
    """Features that fire on no training document."""
    n_revived: int
    """Revivals of dead features over the whole training."""
    n_train: int
    n_validation: int


@dataclass(frozen=True, slots=True)
class RowCounts:
    """Where the rows of the user's table went."""

    read: int
    dropped: tuple[DroppedDocument, ...]
    discover: int
    confirm: int
    n_groups: int
    """Groups that the split kept whole (rows, where there are none)."""
    n_duplicates: int
    """Documents kept on one side because an equal or nearly equal one is there."""


@dataclass(frozen=True, slots=True)
class HypothesisStudy:
    """A finished study: what was asked, what was found, and all that is needed to judge it."""

    hypotheses: tuple[Hypothesis, ...]
    """Most certain first: by p of the joint regression, then by |separation|."""
    scores: Scores
    rows: RowCounts
    target_name: str
    target_kind: TargetKind
    target_note: str
    """How the target was understood, in a sentence: ``"1" is yes, "-1" is no``."""
    target_mean: float
    """Mean target on confirm documents (share of yes for a binary one)."""
    training: TrainingReport
    settings: Mapping[str, Json]
    """Every setting, including those left at their default."""
    provenance: Mapping[str, Json]
    """Versions, digests and seeds."""
    tried: int
    """Features screened against the target."""
    tested: int
    """Hypotheses tested on confirm rows: the family the correction is over."""
    shown: int
    level: float
    """Significance level, such as 0.05."""
    correction: str
    """``bh`` or ``bonferroni``."""
    warnings: tuple[str, ...]
    """In plain words: what failed, what was left out, what to mind."""
    classes: tuple[str, ...] = ()
    """Of a target with several; empty otherwise."""
    model: ModelSummary | None = None
    """None where no concept could be tested."""
    groups: tuple[ConceptGroup, ...] = ()
    """Concepts that occur together, two or more each."""
    ledger: tuple[Attempt, ...] = ()
    """Everything tried, in order."""
    n_earlier: int = 0
    """Other sets of hypotheses that were tested on these confirm documents before."""
    signal: Signal | None = None
    detectable: float = float("nan")
    """Least |separation| that a concept of median prevalence shows with 80 % power."""
    strata_name: str = ""
    """Empty where no strata were given."""
