"""A question to a data set as features with weights: found by their labels, and open to edits."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from interp_embed.analysis.plain_values import quoted
from interp_embed.analysis.retrieval.label_search import LabelIndex, check_text
from interp_embed.analysis.retrieval.phrases import choose_phrases
from interp_embed.analysis.retrieval.questions import as_model, ask_labels
from interp_embed.errors import InputError
from interp_embed.interpret import LLMLike
from interp_embed.records import Json

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TEMPERATURE = 0.2
_BY_HAND = "by hand"
_SHOWN = 5
N_RANKED_LABELS = 100
"""Labels a model is shown at most."""


@dataclass(frozen=True, slots=True)
class FeatureQuery:
    """Features that stand for a question, most important first; edits return a new query."""

    text: str
    """The question; empty where features were given without one."""
    features: tuple[int, ...]
    """No two the same, by falling weight."""
    weights: tuple[float, ...]
    """Above 0, n_features; the first of those found has about 1."""
    similarity: tuple[float, ...]
    """Of each label to the question or its nearest phrase; NaN for features given by hand."""
    labels: tuple[str, ...]
    """What each feature responds to; ``feature 12`` where it has no label."""
    keyphrases: tuple[str, ...] = ()
    """What labels were compared with: the question, and phrases given, a model's or built in."""
    source: str = _BY_HAND
    """How the features were found, in words."""
    temperature: float = TEMPERATURE
    """Of the weights by rank: a small one leaves the first features only."""
    note: str = ""
    """What did not go as asked, such as a failed call, and where phrases of ours were taken."""

    def __post_init__(self) -> None:
        """Check that the parts fit.

        Raises:
            InputError: There are no features, one is given twice or is no index, or a weight is
                not above 0.
        """
        if not self.features:
            raise InputError(
                "a query needs at least one feature; search for the words of another label, or add "
                "a feature by its number"
            )
        for feature in self.features:
            _as_index(feature)
        if len(set(self.features)) < len(self.features):
            twice = next(f for f in self.features if self.features.count(f) > 1)
            raise InputError(f"feature {twice} is in the query twice; give each once")
        for feature, weight in zip(self.features, self.weights, strict=True):
            if not (math.isfinite(weight) and weight > 0):
                raise InputError(
                    f"the weight of feature {feature} must be above 0, but is {weight}; drop the "
                    "feature to leave it out"
                )

    def __len__(self) -> int:
        return len(self.features)

    @classmethod
    def of(
        cls,
        features: Sequence[int],
        *,
        weights: Sequence[float] | None = None,
        labels: Mapping[int, str] | None = None,
        text: str = "",
        temperature: float | None = None,
    ) -> Self:
        """Return a query of features given by number.

        Args:
            features: Most important first, no two the same.
            weights: Above 0, one a feature; None: all 1, or by rank with a temperature.
            labels: Words by feature, to be shown.
            text: The question, to be shown, and to be read by other rankings.
            temperature: For weights by rank.

        Raises:
            InputError: A feature is no index or given twice, or weights do not fit.
        """
        numbers = [_as_index(feature) for feature in features]
        if weights is not None and len(weights) != len(numbers):
            raise InputError(f"there are {len(weights)} weights for {len(numbers)} features")
        chosen = [1.0] * len(numbers) if weights is None else [float(w) for w in weights]
        if weights is None and temperature is not None:
            chosen = rank_weights(len(numbers), temperature=temperature).tolist()
        found = labels or {}
        query = cls(
            text=text,
            features=tuple(numbers),
            weights=tuple(chosen),
            similarity=(math.nan,) * len(numbers),
            labels=tuple(found.get(f) or f"feature {f}" for f in numbers),
            temperature=TEMPERATURE if temperature is None else temperature,
        )
        return query._sorted()

    def drop(self, *features: int) -> Self:
        """Return the query without some features; the weights of the others stay.

        Raises:
            InputError: One is not in it, or none would be left.
        """
        gone = {self._place(feature) for feature in features}
        return self._take([place for place in range(len(self)) if place not in gone])

    def add(self, feature: int, weight: float | None = None, *, label: str | None = None) -> Self:
        """Return the query with one more feature.

        Args:
            feature: Its index.
            weight: Above 0; None: as heavy as the heaviest.
            label: Words to be shown.

        Raises:
            InputError: It is no index, or in the query already.
        """
        number = _as_index(feature)
        return replace(
            self,
            features=(*self.features, number),
            weights=(*self.weights, max(self.weights) if weight is None else float(weight)),
            similarity=(*self.similarity, math.nan),
            labels=(*self.labels, label or f"feature {number}"),
        )._sorted()

    def reweight(
        self, weights: Mapping[int, float] | None = None, *, temperature: float | None = None
    ) -> Self:
        """Return the query with other weights.

        Args:
            weights: New ones by feature; those not named stay.
            temperature: Set all by their rank anew, before ``weights`` are set.

        Raises:
            InputError: A feature is not in the query, or a weight is not above 0.
        """
        chosen = list(self.weights)
        if temperature is not None:
            chosen = rank_weights(len(self), temperature=temperature).tolist()
        for feature, weight in (weights or {}).items():
            chosen[self._place(feature)] = float(weight)
        kept = self.temperature if temperature is None else temperature
        return replace(self, weights=tuple(chosen), temperature=kept)._sorted()

    def first(self, n: int) -> Self:
        """Return the query with its n heaviest features only.

        Raises:
            InputError: n < 1.
        """
        if n < 1:
            raise InputError(f"n must be at least 1, but got {n}")
        return self._take(list(range(min(n, len(self)))))

    def check_features(self, n_features: int) -> None:
        """Raise unless every feature is one of an SAE of so many.

        Raises:
            InputError: One is out of range.
        """
        beyond = [feature for feature in self.features if feature >= n_features]
        if beyond:
            raise InputError(
                f"feature {beyond[0]} of the query is out of range: the data set has {n_features} "
                f"features; use an index from 0 to {n_features - 1}"
            )

    def to_frame(self) -> pd.DataFrame:
        """Return a row a feature: feature, label, weight, similarity."""
        return pd.DataFrame(
            {
                "feature": list(self.features),
                "label": list(self.labels),
                "weight": list(self.weights),
                "similarity": list(self.similarity),
            }
        )

    def summary(self) -> str:
        """Return what is searched for, in sentences."""
        shown = ", ".join(map(quoted, self.labels[:_SHOWN]))
        asked = f"The query {quoted(self.text)}" if self.text else "The query"
        more = f" and {len(self) - _SHOWN:,} more" if len(self) > _SHOWN else ""
        told = f" {self.note}" if self.note else ""
        return f"{asked} stands for {len(self):,} features ({self.source}): {shown}{more}.{told}"

    def to_json(self) -> dict[str, Json]:
        """Return plain values; NaN as None."""
        return {
            "text": self.text,
            "features": [
                {
                    "feature": feature,
                    "label": label,
                    "weight": weight,
                    "similarity": None if math.isnan(similarity) else similarity,
                }
                for feature, label, weight, similarity in zip(
                    self.features, self.labels, self.weights, self.similarity, strict=True
                )
            ],
            "keyphrases": list(self.keyphrases),
            "source": self.source,
            "temperature": self.temperature,
            "note": self.note,
        }

    def plot(self, ax: "Axes | None" = None, *, most: int = 20) -> "Axes":
        """Draw the weights of the first features."""
        from interp_embed import plots

        shown = self.first(most)
        return plots.stacked_shares(
            np.array(shown.weights)[:, None],
            bar_labels=list(shown.labels),
            part_labels=["weight"],
            xlabel="weight",
            ax=ax,
        )

    def _repr_html_(self) -> str:
        return self.to_frame().to_html(escape=True, index=False, float_format="{:.3f}".format)

    def _place(self, feature: int) -> int:
        if feature not in self.features:
            raise InputError(
                f"feature {feature} is not in the query; it has "
                f"{', '.join(map(str, self.features[:20]))}"
            )
        return self.features.index(feature)

    def _take(self, places: Sequence[int]) -> Self:
        return replace(
            self,
            features=tuple(self.features[place] for place in places),
            weights=tuple(self.weights[place] for place in places),
            similarity=tuple(self.similarity[place] for place in places),
            labels=tuple(self.labels[place] for place in places),
        )

    def _sorted(self) -> Self:
        return self._take(sorted(range(len(self)), key=lambda place: -self.weights[place]))


def rank_weights(n: int, *, temperature: float = TEMPERATURE) -> NDArray[np.float64]:
    """Return the weights of n features by rank: exp(-(r / n) / temperature), r = 0, ..., n - 1.

    n = 2, temperature .5 -> [1, 0.368]

    Raises:
        InputError: The temperature is not above 0.

    Source: Jiang et al. 2025 (arXiv 2512.10092), section on property-based retrieval, with ranks
    from 1, which gives the same order of documents.
    """
    if not (math.isfinite(temperature) and temperature > 0):
        raise InputError(f"temperature must be above 0, such as 0.2, but got {temperature}")
    weights = np.exp(-np.arange(n) / n / temperature) if n else np.empty(0)
    return np.maximum(weights, np.finfo(np.float64).tiny)


def find_features(
    query: str,
    labels: Mapping[int, str] | LabelIndex,
    *,
    k: int = 100,
    keep: int | None = None,
    keyphrases: Sequence[str] = (),
    llm: LLMLike | None = None,
    min_similarity: float | None = None,
    temperature: float = TEMPERATURE,
    common_axes: bool = True,
) -> FeatureQuery:
    """Return the features whose labels are nearest to a question, as a query that can be edited.

    Labels that are rules of words are compared with phrases term by term (``TermIndex``).

    A language model, where one is given, puts the question into two to ten phrases, and of the
    labels nearest to any of them it keeps and ranks those that are relevant. Where a call fails
    the ranking by similarity stands, and ``note`` says why.

    Args:
        query: A property of documents, such as ``expresses gratitude``.
        labels: By feature, or an index of them, which keeps what it has embedded.
        k: Candidates, >= 1: of each phrase; of all together where labels are compared term by
            term, which takes an embedder.
        keep: Most features kept; None: all candidates that are similar enough.
        keyphrases: Phrases to search for beside the question; no model is asked for them then.
        llm: Who gives phrases and ranks candidates.
        min_similarity: Cosine from which a label is a candidate; None: the index's. Labels that
            share a telling word always are, unless they are compared term by term.
        temperature: Of the weights by rank, above 0.
        common_axes: Where there is neither a phrase nor a model, the query names an axis such as
            ``sentiment``, and most labels are rules of words, which do not name what they are
            about: whether to search for the built-in phrases for the axis (``find_axis``), which
            stand for all its sides.

    Raises:
        InputError: The query or a phrase is empty, there are no labels, none matches (the nearest
            are named), or k or keep is below 1.

    Source: Jiang et al. 2025 (arXiv 2512.10092), sections on clustering and retrieval.
    """
    for name, value in (("k", k), ("keep", keep)):
        if value is not None and value < 1:
            raise InputError(f"{name} must be at least 1, but got {value}")
    index = labels if isinstance(labels, LabelIndex) else LabelIndex(labels)
    model = as_model(llm)
    check_text(query)
    common_axes = common_axes and index.are_rules()
    phrases = choose_phrases(query, keyphrases, model, common_axes=common_axes)
    note = phrases.note
    least = index.min_similarity if min_similarity is None else min_similarity
    if phrases.built_in and index.embedder is None:
        least = math.inf  # letters shared with some twenty phrases say nothing: words only
    similarity = _candidates(phrases.compared, index, k=k, least=least)
    if not similarity:
        raise InputError(_no_match(query, index))
    ranked = list(similarity)
    by_feature = dict(zip(index.features.tolist(), index.labels, strict=True))
    source = "by similarity of labels"
    if model is not None:
        shown = ranked[:N_RANKED_LABELS]
        told = ask_labels(query, [by_feature[feature] for feature in shown], model)
        if told.why_not:
            note = f"{note} The labels were not ranked by {model.model}: {told.why_not}.".strip()
        elif not told.numbers:
            raise InputError(
                f"{model.model} finds none of the {len(shown)} nearest labels relevant to "
                f"{query!r}: {_listed([by_feature[f] for f in shown])}; ask for something else, or "
                "give features by number"
            )
        else:
            ranked = [shown[place] for place in told.numbers]
            source = f"labels ranked by {model.model}"
    ranked = ranked[:keep]
    return FeatureQuery(
        text=query,
        features=tuple(ranked),
        weights=tuple(rank_weights(len(ranked), temperature=temperature).tolist()),
        similarity=tuple(similarity[feature] for feature in ranked),
        labels=tuple(by_feature[feature] for feature in ranked),
        keyphrases=phrases.compared,
        source=source,
        temperature=temperature,
        note=note,
    )


def _candidates(
    phrases: Sequence[str], index: LabelIndex, *, k: int, least: float
) -> dict[int, float]:
    """Return the labels near the phrases, nearest first, with their similarity, by feature."""
    if len(phrases) > 1 and index.embedder is not None and index.are_rules():
        found = index.compare_terms(phrases)
        order = np.argsort(-found.margin.round(6), kind="stable")
        near = order[found.similarity[order] >= least][:k]
        return dict(
            zip(index.features[near].tolist(), found.similarity[near].tolist(), strict=True)
        )
    best: dict[int, float] = {}
    for phrase in phrases:
        matches = index.search(phrase, k)
        close = (matches.word > 0) | (matches.meaning >= least)
        for feature, similarity in zip(
            matches.features[close].tolist(), matches.similarity[close].tolist(), strict=True
        ):
            best[feature] = max(similarity, best.get(feature, -1.0))
    ranked = sorted(best, key=lambda feature: (-best[feature], feature))
    return {feature: best[feature] for feature in ranked}


def _no_match(query: str, index: LabelIndex) -> str:
    nearest = index.search(query, _SHOWN).labels
    way = "" if index.embedder is not None else "; with an embedder labels are found by meaning too"
    return (
        f"no label of {len(index)} matches {query!r}; the nearest are {_listed(nearest)}: search "
        f"for words of one of these, or give features by number{way}"
    )


def _listed(labels: Sequence[str]) -> str:
    return ", ".join(map(quoted, labels[:_SHOWN]))


def _as_index(feature: object) -> int:
    if isinstance(feature, bool) or not isinstance(feature, int | np.integer) or feature < 0:
        raise InputError(f"a feature is an index from 0, but got {feature!r}")
    return int(feature)
