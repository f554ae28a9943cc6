"""Labels of features of tokens without an LLM: the words they fire on, against all words.

A feature of a reader SAE fires on tokens, so that what it responds to stands in the text. Among
several ways to name these places (words, pairs of words, endings, what stands before, signs) the
one is taken that names them best: most of the feature's activation is on what is named, and it
fires on most of what is named.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interp_embed.errors import InputError
from interp_embed.interpret.keywords import KeywordRule
from interp_embed.interpret.token_rules import Form, FormRule
from interp_embed.interpret.word_index import Keys, WordIndex
from interp_embed.records import Label

SOURCE = "token words"
_MAX_PARTS = 12
_MAX_CUTS = 3
"""Endings or beginnings in one label: more of them are letters, not a form a reader would see."""
_N_CANDIDATES = 40
"""Keys looked at, those with most of the activation."""
_MIN_HITS = 3
"""Places a key must fire on: fewer are chance."""
_MIN_LIFT = 3.0
"""Factor by which a feature must fire more often on a key than on words at large."""
_MIN_GAIN = 0.01
"""Share of the activation that one more part must name to be worth reading."""
_MIN_AGREEMENT = 0.25
"""F1 of what is named and where the feature fires, below which there is no label."""
_PREFERENCE = 1.1
"""Factor by which a form that is harder to read must agree better."""
_MIN_WORDS = 3
"""Different words that an ending, beginning or predecessor must be seen with."""
_PART_COST = 0.02
"""What each further part of a label must bring, in agreement, against a label with fewer."""


@dataclass(frozen=True, slots=True, eq=False)
class FeatureTokens:
    """The tokens on which one feature fires."""

    document: NDArray[np.int64]
    """Shape (n_tokens,)."""
    span: NDArray[np.int32]
    """Characters [begin, end) in the document, shape (n_tokens, 2)."""
    activation: NDArray[np.float32]
    """Values > 0, shape (n_tokens,)."""


@dataclass(frozen=True, slots=True)
class TokenContext:
    """A place at which a feature fires, with the text around it."""

    document: int
    span: tuple[int, int]
    """Characters [begin, end) of the token in the document."""
    window: str
    """The text around, the token between ``<<`` and ``>>``, on one line."""
    activation: float


@dataclass(frozen=True, slots=True)
class TokenLabel:
    """A feature's label, if words tell it apart, and what speaks for it."""

    label: Label | None
    coverage: float
    """Share of the feature's activation on what the label names, in [0, 1]; 0 without a label."""
    precision: float
    """Share of what the label names in the corpus on which the feature fires, in [0, 1]."""
    contexts: tuple[TokenContext, ...]
    """Where it is strongest."""


@dataclass(frozen=True, slots=True)
class _Naming:
    rule: KeywordRule | FormRule
    coverage: float
    precision: float

    @property
    def agreement(self) -> float:
        whole = self.coverage + self.precision
        return 2 * self.coverage * self.precision / whole if whole else 0.0

    @property
    def merit(self) -> float:
        """Agreement, less for labels that are long to read."""
        parts = self.rule.terms if isinstance(self.rule, KeywordRule) else self.rule.parts
        return self.agreement / (1 + _PART_COST * (len(parts) - 1))


def label_from_tokens(
    index: WordIndex, tokens: FeatureTokens, feature: int, *, n_contexts: int = 5
) -> TokenLabel:
    """Return the label that names best where a feature fires, with its evidence.

    Labels are keyword rules (``mentions "waited", "queue"``) or rules on forms
    (``words ending in "ing"``, ``the word after "not"``, ``punctuation "!"``, ``numbers``); both
    can be tested with ``RuleAnnotator``. That a label's words are among those a feature fires on
    says little by itself: measure its fidelity on documents that are not in the index.

    Args:
        index: Of the documents the tokens are in.
        tokens: Where the feature fires in them; a token with an empty span is left out.
        feature: Its index in the SAE.
        n_contexts: Places to show.

    Raises:
        InputError: A token is not in the documents, or an activation is not a number above 0.
    """
    tokens = _checked(tokens)
    word = index.words_of(tokens.document, tokens.span)
    contexts = top_contexts(index.documents, tokens, n=n_contexts)
    best: _Naming | None = None
    for naming in _namings(index, tokens, word):
        if naming.agreement < _MIN_AGREEMENT:
            continue
        if best is None or naming.merit > best.merit * _PREFERENCE:
            best = naming
    if best is None:
        return TokenLabel(None, 0.0, 0.0, contexts)
    label = Label(feature, best.rule.text, SOURCE, n_examples=len(index.documents))
    return TokenLabel(label, best.coverage, best.precision, contexts)


def top_contexts(
    documents: Sequence[str], tokens: FeatureTokens, *, n: int = 5, width: int = 60
) -> tuple[TokenContext, ...]:
    """Return the n strongest places of a feature, one a document, no window twice.

    Args:
        documents: The texts.
        tokens: Where the feature fires.
        n: Places, fewer where there are fewer.
        width: Characters shown on each side.
    """
    found: dict[str, TokenContext] = {}
    seen: set[int] = set()
    for i in np.argsort(-tokens.activation, kind="stable").tolist():
        if len(found) >= n:
            break
        document = int(tokens.document[i])
        if document in seen:
            continue
        begin, end = (int(place) for place in tokens.span[i])
        window = _window(documents[document], begin, end, width)
        seen.add(document)
        context = TokenContext(document, (begin, end), window, float(tokens.activation[i]))
        found.setdefault(window, context)
    return tuple(found.values())


def _window(text: str, begin: int, end: int, width: int) -> str:
    before, after = text[max(0, begin - width) : begin], text[end : end + width]
    return " ".join(f"{before}<<{text[begin:end]}>>{after}".split())


def _checked(tokens: FeatureTokens) -> FeatureTokens:
    document = np.asarray(tokens.document, np.int64)
    span, activation = np.asarray(tokens.span), np.asarray(tokens.activation, np.float32)
    if not (document.shape == activation.shape and span.shape == (len(document), 2)):
        raise InputError(
            f"tokens need one document, span and activation each, but got shapes {document.shape}, "
            f"{span.shape} and {activation.shape}"
        )
    if not (np.isfinite(activation) & (activation > 0)).all():
        raise InputError("activations must be numbers above 0; leave out tokens that do not fire")
    kept = span[:, 1] != span[:, 0]
    return FeatureTokens(document[kept], span[kept], activation[kept])


def _namings(index: WordIndex, tokens: FeatureTokens, word: NDArray[np.int64]) -> list[_Naming]:
    """Return the best naming of each form, easier ones to read first."""
    total = float(tokens.activation.sum())
    inside = word >= 0
    fired, place = np.unique(word[inside], return_inverse=True)
    mass = np.bincount(place, tokens.activation[inside], minlength=len(fired)) / max(total, 1e-30)
    namings: list[_Naming | None] = []
    if len(fired):
        ways: list[tuple[Sequence[Keys], Form | None]] = [
            ([index.words], None),
            ([index.pairs, index.pairs_ahead], None),
            ([index.numbers], "number"),
            (index.endings, "ending"),
            (index.beginnings, "beginning"),
            ([index.after], "after"),
        ]
        for family, form in ways:
            named = [_name(index, keys, form, fired, mass) for keys in family]
            found = [naming for naming in named if naming is not None]
            namings.append(max(found, key=lambda naming: naming.merit, default=None))
    if mass.sum() < 1 - _MIN_AGREEMENT / 2:
        base = len(fired) / index.n_words
        namings.append(_name_signs(index, tokens, ~inside, base))
    return [naming for naming in namings if naming is not None]


def _name(
    index: WordIndex,
    keys: Keys,
    form: Form | None,
    fired: NDArray[np.int64],
    mass: NDArray[np.float64],
) -> _Naming | None:
    """Return the keys that name best where a feature fires; None if none is more than chance."""
    key = keys.of_word[fired]
    known = key >= 0
    if not known.any():
        return None
    found, place = np.unique(key[known], return_inverse=True)
    hits = np.bincount(place).astype(np.float64)
    weight: NDArray[np.float64] = np.bincount(place, mass[known]).astype(np.float64)
    total: NDArray[np.float64] = keys.total[found].astype(np.float64)
    rate: NDArray[np.float64] = hits / total
    base = len(fired) / index.n_words
    usable = (hits >= _MIN_HITS) & (rate > _least_rate(base))
    usable &= weight >= _MIN_GAIN
    if form in ("ending", "beginning", "after") and usable.any():
        usable &= _different_words(index, fired[known], place, len(found)) >= _MIN_WORDS
    chosen = np.flatnonzero(usable)
    chosen = chosen[np.argsort(-weight[chosen], kind="stable")][:_N_CANDIDATES]
    chosen = _best_prefix(chosen, rate, weight, hits, total)
    if form in ("ending", "beginning"):
        chosen = chosen[:_MAX_CUTS]
    if not len(chosen):
        return None
    parts = tuple(keys.names[int(found[i])] for i in chosen)
    return _Naming(
        _rule(form, parts),
        coverage=float(weight[chosen].sum()),
        precision=float(hits[chosen].sum() / total[chosen].sum()),
    )


def _least_rate(base: float) -> float:
    """Return the share of a key's places that must fire, where ``base`` of all words do."""
    return min(_MIN_LIFT * base, (1 + base) / 2)


def _rule(form: Form | None, parts: tuple[str, ...]) -> KeywordRule | FormRule:
    if form is None:
        return KeywordRule(parts)
    return FormRule(form, () if form == "number" else parts)


def _different_words(
    index: WordIndex, fired: NDArray[np.int64], place: NDArray[np.int64], n: int
) -> NDArray[np.int64]:
    """Return with how many different words each of ``n`` keys is seen."""
    pairs = np.unique(place.astype(np.int64) * len(index.names) + index.words.of_word[fired])
    return np.bincount(pairs // len(index.names), minlength=n)


def _best_prefix(
    chosen: NDArray[np.intp],
    rate: NDArray[np.float64],
    weight: NDArray[np.float64],
    hits: NDArray[np.float64],
    total: NDArray[np.float64],
) -> NDArray[np.intp]:
    """Return the keys, surest first, at which coverage and precision agree best (F1).

    For a sum over a sum the best set is a prefix of the order by rate. Of a long one the parts
    with most activation are kept, strongest first.
    """
    order = chosen[np.lexsort((-weight[chosen], -rate[chosen]))]
    if not len(order):
        return order
    coverage = np.cumsum(weight[order])
    precision = np.cumsum(hits[order]) / np.cumsum(total[order])
    agreement = 2 * coverage * precision / (coverage + precision)
    kept = order[: int(np.argmax(agreement)) + 1]
    return kept[np.argsort(-weight[kept], kind="stable")][:_MAX_PARTS]


def _name_signs(
    index: WordIndex, tokens: FeatureTokens, outside: NDArray[np.bool_], base: float
) -> _Naming | None:
    """Return the signs that name best where a feature fires outside words."""
    found = index.group_signs(tokens.document[outside], tokens.span[outside])
    activation = tokens.activation[outside].astype(np.float64)
    names = [sign for sign, places in found.items() if len(places) >= _MIN_HITS]
    if not names:
        return None
    total = float(tokens.activation.sum())
    weight: NDArray[np.float64] = np.array(
        [activation[found[sign]].sum() / total for sign in names]
    )
    hits: NDArray[np.float64] = np.array([float(len(found[sign])) for sign in names])
    # One token may stand for a run of signs, which then count as often as they are written.
    counts: NDArray[np.float64] = np.maximum(
        [float(index.count_sign(sign)) for sign in names], hits
    )
    rate: NDArray[np.float64] = hits / counts
    usable = np.flatnonzero((weight >= _MIN_GAIN) & (rate > _least_rate(base)))
    chosen = _best_prefix(usable, rate, weight, hits, counts)
    if not len(chosen):
        return None
    return _Naming(
        FormRule("punctuation", tuple(names[i] for i in chosen)),
        coverage=float(weight[chosen].sum()),
        precision=float(hits[chosen].sum() / counts[chosen].sum()),
    )
