"""The labels of a data set: kept in it, pre-made elsewhere, or made from its documents."""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed.dataset.binding import LazyBinding
from interp_embed.dataset.contents import Contents
from interp_embed.dataset.labelling import (
    MIN_DOCUMENTS,
    STRONG,
    LabelOutcome,
    label_by_documents,
    label_by_tokens,
    measure_labels,
)
from interp_embed.dataset.llm_labelling import (
    LabelDocuments,
    Marks,
    annotator_for_label,
    estimate_labels,
    keep_strong,
    label_by_llm,
)
from interp_embed.dataset.selection import as_feature
from interp_embed.dataset.tokens import TokenAccess
from interp_embed.errors import InputError
from interp_embed.interpret import LLMAnnotator, LLMRoles, TokenContext, score_labels
from interp_embed.interpret.premade import PremadeLabels, load_premade_labels
from interp_embed.llm import CostEstimate
from interp_embed.records import Fidelity, Label
from interp_embed.stats import near_duplicate_groups
from interp_embed.store import Store

LABELS = "features"
"""Under which name a store keeps the labels of features; each says how it was made."""
_LABEL_TOKENS = 100_000
"""Tokens that labels are made from: more change them little."""


class LabelBook:
    """Labels of a store's features; one book is shared by a data set and its views."""

    def __init__(self, store: Store, binding: LazyBinding) -> None:
        self._store, self._binding = store, binding
        self._premade: PremadeLabels | None = None

    def own(self) -> dict[int, str]:
        """Return the labels kept in the store, by feature."""
        kept = self._store.labels(LABELS)
        return {feature: stored.label.text for feature, stored in kept.items()}

    def every(self) -> dict[int, str]:
        """Return pre-made labels and, before them, our own.

        Pre-made ones are fetched once. If that fails a warning says so, and the next call tries
        again: that is not the same as having none.
        """
        if self._premade is None and (source := self._binding.label_source()) is not None:
            try:
                self._premade = load_premade_labels(
                    source, n_features=self._store.header.n_features
                )
            except InputError as error:
                warnings.warn(
                    f"the pre-made labels could not be read: {error}", UserWarning, stacklevel=3
                )
        premade = {} if self._premade is None else self._premade.labels
        return {feature: label.text for feature, label in premade.items()} | self.own()

    def add(self, labels: Mapping[int, str]) -> None:
        """Keep labels that the user gives.

        Raises:
            InputError: There is no such feature.
        """
        n_features = self._store.header.n_features
        records = [
            Label(as_feature(feature, n_features), str(text), "given", 0)
            for feature, text in labels.items()
        ]
        self._store.append_labels(LABELS, records)

    def make(
        self, contents: Contents, features: Sequence[int] | None, *, progress: bool = False
    ) -> LabelOutcome:
        """Label features by words, from half of the documents; measure them on the others.

        Equal and nearly equal texts are on one side, or the measure would flatter.

        Raises:
            InputError: Fewer than two documents that differ have activations.
        """
        making, measuring = _split(contents)
        activations = contents.load_csr("max")
        n_features = self._store.header.n_features
        features = _frequent(activations) if features is None else features
        contexts: dict[int, tuple[TokenContext, ...]] = {}
        cuts: NDArray[np.float32]
        if self._binding.is_of_documents():
            texts = [contents.text(position) for position in making]
            labels = label_by_documents(texts, activations[making], features)
            cuts = np.zeros(n_features, np.float32)
        else:
            found = TokenAccess(contents, self._binding).for_labels(making, _LABEL_TOKENS)
            making = list(found.positions)
            texts = [contents.text(position) for position in making]
            cuts = np.float32(STRONG) * activations[making].max(axis=0).toarray().ravel()
            labels, contexts = label_by_tokens(
                texts, found.tokens, cuts, features, progress=progress
            )
        held_out = [contents.text(position) for position in measuring]
        others = activations[measuring]
        fidelity = measure_labels(held_out, others, labels, cuts, progress=progress)
        strong = others.indices[others.data > cuts[others.indices]]
        density = np.bincount(strong, minlength=n_features) / len(measuring)
        self._store.append_labels(LABELS, list(labels.values()), _known_f1(fidelity))
        return LabelOutcome(
            labels=labels,
            fidelity=fidelity,
            density={feature: float(density[feature]) for feature in labels},
            unlabelled=tuple(feature for feature in features if feature not in labels),
            contexts=contexts,
            n_label_documents=len(making),
            n_measure_documents=len(measuring),
        )

    def make_by_llm(
        self, contents: Contents, features: Sequence[int] | None, roles: LLMRoles
    ) -> LabelOutcome:
        """Label features by a language model, from half of the documents; measure on the others.

        Raises:
            InputError: Fewer than two documents that differ have activations.
        """
        sides = self._sides(contents)
        features = _frequent(contents.load_csr("max")) if features is None else features
        outcome = label_by_llm(
            roles,
            sides.making,
            sides.measuring,
            features,
            marks=sides.marks,
        )
        labels = list(outcome.labels.values())
        self._store.append_labels(LABELS, labels, _known_f1(outcome.fidelity))
        return outcome

    def estimate(
        self, contents: Contents, features: Sequence[int] | None, roles: LLMRoles
    ) -> CostEstimate:
        """Return what :meth:`make_by_llm` would take."""
        sides = self._sides(contents)
        features = _frequent(contents.load_csr("max")) if features is None else features
        return estimate_labels(roles, sides.making, sides.measuring, features)

    def _sides(self, contents: Contents) -> "_Sides":
        making, measuring = _split(contents)
        activations = contents.load_csr("max")
        cuts = np.zeros(self._store.header.n_features, np.float32)
        marks = None
        if not self._binding.is_of_documents():
            cuts = np.float32(STRONG) * activations[making].max(axis=0).toarray().ravel()
            tokens = TokenAccess(contents.take(np.array(making, np.int64)), self._binding)
            marks = tokens.marked
        strong = keep_strong(activations, cuts)
        return _Sides(
            LabelDocuments([contents.text(i) for i in making], strong[making]),
            LabelDocuments([contents.text(i) for i in measuring], strong[measuring]),
            marks,
        )

    def score(
        self, contents: Contents, feature: int, label: str | None, annotator: LLMAnnotator | None
    ) -> Fidelity:
        """Return how well a label tells where a feature fires, on the documents that measure.

        Raises:
            InputError: The feature has no label, or the label needs a model to be read.
        """
        text = label
        if text is None:
            text = self.own().get(feature) or self.every().get(feature)
        if not text:
            raise InputError(
                f"feature {feature} has no label to score; label it first, or give label="
            )
        making, measuring = _split(contents)
        activations = contents.load_csr("max", features=[feature])
        cut = 0.0
        if not self._binding.is_of_documents():
            cut = STRONG * float(activations[making].max())
        strong = keep_strong(activations[measuring], np.array([cut], np.float32))
        texts = [contents.text(i) for i in measuring]
        judge = annotator_for_label(text, annotator)
        scored = {0: (Label(feature, text, "given", 0),)}
        return score_labels(judge, texts, strong, scored)[0, 0]


@dataclass(frozen=True, slots=True, eq=False)
class _Sides:
    """Documents that make labels, and others that measure them."""

    making: LabelDocuments
    measuring: LabelDocuments
    marks: Marks | None


def _known_f1(fidelity: Mapping[int, Fidelity]) -> dict[int, float]:
    """Return F1 by feature, without those for which every verdict is missing."""
    return {f: measured.f1 for f, measured in fidelity.items() if math.isfinite(measured.f1)}


def _frequent(activations: csr_matrix) -> list[int]:
    """Return the features that fire in enough documents to be labelled."""
    counts = np.bincount(activations.indices, minlength=activations.shape[1])
    return [int(feature) for feature in np.flatnonzero(counts >= MIN_DOCUMENTS)]


def _split(contents: Contents) -> tuple[list[int], list[int]]:
    """Return documents to make labels from and to measure them on, copies on one side.

    Raises:
        InputError: Fewer than two documents that differ have activations.
    """
    failed = contents.errors()
    good = [position for position in range(len(contents)) if position not in failed]
    if len(good) < 2:
        raise InputError(
            f"labels need at least two documents with activations, there are {len(good)}"
        )
    groups = near_duplicate_groups([contents.text(position) for position in good])
    making = [good[i] for i in np.flatnonzero(groups % 2 == 0)]
    measuring = [good[i] for i in np.flatnonzero(groups % 2 == 1)]
    if not measuring:
        raise InputError(
            f"labels need documents that differ: the {len(good)} with activations are equal, "
            "or nearly"
        )
    return making, measuring
