"""Rules on the form of words and signs, for features of tokens: read, tested and marked as text.

They stand beside keyword rules (``keywords``), in the same spirit: a label is a rule a person can
read and anyone can apply to a document without knowing the feature.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from interp_embed.interpret.annotator import restrict_annotations
from interp_embed.interpret.fidelity import measure_fidelity
from interp_embed.interpret.keywords import KeywordAnnotator, KeywordRule, label_spans
from interp_embed.interpret.word_spans import word_spans
from interp_embed.interpret.words import Term, iter_terms, whole_term
from interp_embed.records import Annotations, Fidelity

Form = Literal["ending", "beginning", "after", "punctuation", "number"]

_OPENINGS: dict[Form, str] = {
    "ending": "words ending in ",
    "beginning": "words beginning with ",
    "after": "the word after ",
    "punctuation": "punctuation ",
}
_NUMBER = "numbers"
_SIGN_NAMES = {"\n": "line break", '"': "quotation mark"}
_SIGNS = {name: sign for sign, name in _SIGN_NAMES.items()}
_QUOTED = re.compile(r'"[^"]+"(?:, "[^"]+")*')


@dataclass(frozen=True, slots=True)
class FormRule:
    """A document has the concept if a word or sign of this form occurs in it."""

    form: Form
    parts: tuple[str, ...] = ()
    """Endings, beginnings or words (case folded), or signs; none for numbers."""

    @property
    def text(self) -> str:
        """The rule in words, as a label.

        >>> FormRule("ending", ("ing", "ed")).text
        'words ending in "ing", "ed"'
        """
        if self.form == "number":
            return _NUMBER
        quoted = ", ".join(f'"{_SIGN_NAMES.get(part, part)}"' for part in self.parts)
        return _OPENINGS[self.form] + quoted

    @classmethod
    def parse(cls, label: str) -> "FormRule | None":
        """Return the rule a label states, or None where it states none.

        >>> FormRule.parse('the word after "not"')
        FormRule(form='after', parts=('not',))
        """
        stated = label.strip()
        if stated == _NUMBER:
            return cls("number")
        for form, opening in _OPENINGS.items():
            rest = stated.removeprefix(opening)
            if rest != stated and _QUOTED.fullmatch(rest):
                quoted = dict.fromkeys(re.findall(r'"([^"]+)"', rest))
                parts = tuple(_read_part(form, text) for text in quoted)
                return cls(form, parts) if all(parts) else None
        return None

    def find(self, document: str) -> tuple[tuple[int, int], ...]:
        """Return where the words or signs stand, in order and without overlap."""
        if self.form == "punctuation":
            longest = sorted(self.parts, key=len, reverse=True)
            signs = re.compile("|".join(re.escape(part) for part in longest))
            return tuple(match.span() for match in signs.finditer(document))
        words = [term for term in iter_terms(document) if " " not in term.text]
        return tuple(
            (w.start, w.end) for w, before in _with_previous(words) if self._fits(w, before)
        )

    def _fits(self, word: Term, before: Term | None) -> bool:
        if self.form == "ending":
            return any(word.text.endswith(p) and word.text != p for p in self.parts)
        if self.form == "beginning":
            return any(word.text.startswith(p) and word.text != p for p in self.parts)
        if self.form == "after":
            return before is not None and before.text in self.parts
        return is_number(word.text)


class RuleAnnotator:
    """Answers from labels that state a rule: of keywords, or of the form of words and signs."""

    def annotate(
        self,
        documents: Sequence[str],
        concepts: Sequence[str],
        *,
        only: NDArray[np.bool_] | None = None,
    ) -> Annotations:
        """Return a verdict for each document and concept; missing where no rule is stated.

        Args:
            documents: Texts, n_documents.
            concepts: Labels, n_concepts.
            only: The pairs wanted, shape (n_documents, n_concepts); None for all.
        """
        known = KeywordAnnotator().annotate(documents, concepts)
        verdicts, reasons = known.verdicts.copy(), dict(known.reasons)
        for column, concept in enumerate(concepts):
            rule = FormRule.parse(concept)
            for row in range(len(documents)):
                if rule is not None:
                    verdicts[row, column] = bool(rule.find(documents[row]))
                    reasons.pop((row, column), None)
                elif (row, column) in reasons:
                    reasons[row, column] = "the concept is not a rule on words or signs"
        return restrict_annotations(Annotations(known.concepts, verdicts, reasons), only)


def rule_spans(document: str, label: str) -> tuple[tuple[int, int], ...]:
    """Return the characters of a document that a label's rule names; none for other labels."""
    rule = FormRule.parse(label)
    return label_spans(document, label) if rule is None else rule.find(document)


def measure_label(label: str, documents: Sequence[str], fires: Sequence[bool]) -> Fidelity:
    """Return how well a label's rule predicts the documents in which its feature fires.

    Args:
        label: Such as ``mentions "waited"`` or ``words ending in "ing"``.
        documents: Texts the label was not made from.
        fires: Whether the feature is active on each, n_documents.

    Raises:
        InputError: The lengths differ.
    """
    verdicts = RuleAnnotator().annotate(documents, [label]).verdicts[:, 0]
    return measure_fidelity(verdicts, np.asarray(fires, bool))


def states_rule(label: str) -> bool:
    """Whether a label can be tested on documents from its text alone."""
    return KeywordRule.parse(label) is not None or FormRule.parse(label) is not None


def is_number(word: str) -> bool:
    """Whether a word is written in digits, such as ``2026`` or ``3rd``."""
    return word[:1].isdigit()


def is_sign(text: str) -> bool:
    """Whether a text is punctuation or a line break: not empty, no letter, digit or other space."""
    return text == "\n" or (bool(text) and not any(c.isalnum() or c.isspace() for c in text))


def _read_part(form: Form, text: str) -> str:
    """Return a quoted part as it is compared; empty where it can never be found."""
    if form == "punctuation":
        sign = _SIGNS.get(text, text)
        return sign if is_sign(sign) else ""
    term = whole_term(text)
    one_word = [(0, len(text))]  # longer runs without spaces are cut in documents
    return term if term is not None and word_spans(text) == one_word else ""


def _with_previous(words: Sequence[Term]) -> list[tuple[Term, Term | None]]:
    return list(zip(words, [None, *words], strict=False))
