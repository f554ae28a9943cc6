"""Labels without an LLM: the words that tell where a feature fires from where it is silent.

A label is a rule a person can read and anyone can apply: ``mentions "waited", "host"``. The
annotator applies the rule from the label's text alone; it knows nothing of the feature.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, csr_matrix
from sklearn.feature_extraction.text import CountVectorizer

from interp_embed.errors import InputError
from interp_embed.interpret.annotator import restrict_annotations
from interp_embed.interpret.words import find_spans, find_terms, informative_terms, whole_term
from interp_embed.records import Annotations, Label

SOURCE = "keywords"
_N_CANDIDATES = 400
"""Terms looked at closely for one feature, the best single ones."""
_MAX_TERMS = 12
_MIN_Z = 2.5
"""Association of a term with the feature, in standard errors, below which it may be chance."""
_COUNTING_GAIN = 1.1
"""Factor by which "at least m of" must agree better than "any of" to be used."""
_MIN_SUPPORT = 5
"""Firing documents a term must occur in: fewer are chance."""
_MIN_GAIN = 0.01
"""Relative gain in agreement that one more term must bring to be worth reading."""
_POOLS = (6, 10)
"""Numbers of terms tried for rules of the form "at least m of"."""
_LABEL = re.compile(
    r'mentions (?:at least (?P<least>[1-9][0-9]{0,3}) of )?(?P<terms>"[^"]+"(?:, "[^"]+")*)'
)


@dataclass(frozen=True, slots=True)
class KeywordRule:
    """A document has the concept if at least ``least`` of the terms occur in it."""

    terms: tuple[str, ...]
    least: int = 1

    @property
    def text(self) -> str:
        """The rule in words, as a label.

        >>> KeywordRule(("cold", "raw"), least=2).text
        'mentions at least 2 of "cold", "raw"'
        """
        quoted = ", ".join(f'"{term}"' for term in self.terms)
        return (
            f"mentions {quoted}"
            if self.least == 1
            else f"mentions at least {self.least} of {quoted}"
        )

    @classmethod
    def parse(cls, label: str) -> "KeywordRule | None":
        """Return the rule a label states, or None where it states none.

        Terms are compared without letter case. What is no word or pair of words can never be
        found, so that a label with such a term states no rule rather than one that is always no.

        >>> KeywordRule.parse('mentions "cold food"')
        KeywordRule(terms=('cold food',), least=1)
        """
        match = _LABEL.fullmatch(label.strip())
        if match is None:
            return None
        quoted = re.findall(r'"([^"]+)"', match["terms"])
        terms = tuple(dict.fromkeys(term for text in quoted if (term := whole_term(text))))
        if len(terms) < len(set(quoted)):
            return None
        least = int(match["least"] or 1)
        return cls(terms, least) if 1 <= least <= len(terms) else None


class KeywordLabeller:
    """Finds for each feature the short rule that agrees best with where it fires."""

    def __init__(self, documents: Sequence[str]) -> None:
        """Index the documents the labels are made from.

        Raises:
            InputError: There are none, or no term occurs in enough of them.
        """
        n = len(documents)
        if n == 0:
            raise InputError("labels need documents, but got none")
        vectorizer = CountVectorizer(
            analyzer=informative_terms, binary=True, min_df=min(n, _MIN_SUPPORT), dtype=np.float32
        )
        try:
            self._occurs: csc_matrix = vectorizer.fit_transform(documents).tocsc()
        except ValueError as error:
            raise InputError(
                f"no word occurs in {_MIN_SUPPORT} of the {n} documents, so features cannot be "
                "labelled by words; give more or longer documents"
            ) from error
        self._terms: NDArray[np.object_] = vectorizer.get_feature_names_out()

    def label(self, activations: csr_matrix, feature: int) -> Label | None:
        """Return the label of one feature, or None if no word tells it apart.

        Args:
            activations: Of the documents indexed, shape (n_documents, n_features).
            feature: Its index.
        """
        fires = np.asarray(activations[:, [feature]].toarray()).ravel() > 0  # (n_documents,)
        rule = self._find_rule(fires)
        if rule is None:
            return None
        return Label(feature=feature, text=rule.text, source=SOURCE, n_examples=len(fires))

    def _find_rule(self, fires: NDArray[np.bool_]) -> KeywordRule | None:
        candidates = self._candidates(fires)
        if len(candidates) == 0:
            return None
        occurs = self._occurs[:, candidates].toarray() > 0  # (n_documents, n_candidates)
        chosen, least = _grow(occurs, fires), 1
        reached = _phi(occurs[:, chosen].sum(axis=1) >= 1, fires)
        for size in _POOLS:
            pool = list(range(min(size, len(candidates))))
            counts = occurs[:, pool].sum(axis=1)
            for needed in range(2, min(4, len(pool))):
                agreement = _phi(counts >= needed, fires)
                # A counting rule is harder to read, so it has to be clearly better.
                if agreement > reached * _COUNTING_GAIN:
                    chosen, least, reached = pool, needed, agreement
        return KeywordRule(tuple(str(self._terms[candidates[i]]) for i in chosen), least)

    def _candidates(self, fires: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return the terms that alone agree best with the feature, best first."""
        together = np.asarray(self._occurs.T @ fires.astype(np.float32)).ravel()
        present = np.diff(self._occurs.indptr).astype(np.float64)
        phi = _phi_from_counts(together, present, float(fires.sum()), len(fires))
        usable = np.flatnonzero((together >= _MIN_SUPPORT) & (phi * np.sqrt(len(fires)) > _MIN_Z))
        order = usable[np.argsort(-phi[usable], kind="stable")]
        return order[:_N_CANDIDATES]


def _grow(occurs: NDArray[np.bool_], fires: NDArray[np.bool_]) -> list[int]:
    """Return terms whose "any of" agrees best with ``fires``, in the order they were added."""
    chosen: list[int] = []
    covered = np.zeros(len(fires), np.bool_)
    agreement = 0.0
    while len(chosen) < _MAX_TERMS:
        rest = ~covered
        new = occurs[rest]  # (n_uncovered, n_candidates)
        present = covered.sum() + new.sum(axis=0)
        together = (covered & fires).sum() + new[fires[rest]].sum(axis=0)
        phi = _phi_from_counts(together, present, float(fires.sum()), len(fires))
        best = int(np.argmax(phi))
        if phi[best] <= agreement * (1 + _MIN_GAIN):
            break
        chosen.append(best)
        agreement = float(phi[best])
        covered = covered | occurs[:, best]
    return chosen


def _phi(verdict: NDArray[np.bool_], fires: NDArray[np.bool_]) -> float:
    """Return the correlation of two yes/no columns; 0 where one is constant."""
    counts = np.array([float((verdict & fires).sum())]), np.array([float(verdict.sum())])
    return float(_phi_from_counts(*counts, float(fires.sum()), len(fires))[0])


def _phi_from_counts(
    together: NDArray[np.floating], present: NDArray[np.floating], n_fires: float, n: int
) -> NDArray[np.float64]:
    spread = present * (n - present) * n_fires * (n - n_fires)
    with np.errstate(invalid="ignore", divide="ignore"):
        phi = (n * together - present * n_fires) / np.sqrt(spread)
    return np.where(spread > 0, phi, 0.0)


class KeywordAnnotator:
    """Answers "does this document have the concept?" from the words of a keyword label."""

    def annotate(
        self,
        documents: Sequence[str],
        concepts: Sequence[str],
        *,
        only: NDArray[np.bool_] | None = None,
    ) -> Annotations:
        """Return a verdict for each document and concept.

        A concept that is not a keyword label cannot be judged by words: its verdicts are missing,
        with the reason.

        Args:
            documents: Texts, n_documents.
            concepts: Keyword labels, n_concepts.
            only: The pairs wanted, shape (n_documents, n_concepts); None for all.
        """
        rules = [KeywordRule.parse(concept) for concept in concepts]
        wanted = frozenset(term for rule in rules if rule for term in rule.terms)
        verdicts = np.full((len(documents), len(concepts)), np.nan, np.float32)
        for row, document in enumerate(documents):
            found = {term.text for term in find_terms(document, wanted)}
            for column, rule in enumerate(rules):
                if rule is not None:
                    verdicts[row, column] = len(found.intersection(rule.terms)) >= rule.least
        reason = 'the concept is not of the form: mentions "word", "two words"'
        reasons = {
            (row, column): reason
            for column, rule in enumerate(rules)
            if rule is None
            for row in range(len(documents))
        }
        return restrict_annotations(Annotations(tuple(concepts), verdicts, reasons), only)


def label_spans(document: str, label: str) -> tuple[tuple[int, int], ...]:
    """Return the characters of a document that a keyword label names; none for other labels."""
    rule = KeywordRule.parse(label)
    return () if rule is None else find_spans(document, frozenset(rule.terms))
