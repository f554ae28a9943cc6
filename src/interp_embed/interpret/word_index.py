"""All words of a corpus, where they stand, and how often each form of them occurs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interp_embed.errors import InputError
from interp_embed.interpret.token_rules import is_number, is_sign
from interp_embed.interpret.words import iter_terms

# Longest first: of two that name the same places the longer one says more.
_ENDINGS = (5, 4, 3, 2)
_BEGINNINGS = (4, 3, 2)
_PACKED = 3
"""Characters of a sign that are compared, 21 bits each."""


@dataclass(frozen=True, slots=True, eq=False)
class Keys:
    """One way of sorting the words of a corpus, such as by themselves or by their ending."""

    of_word: NDArray[np.int32]
    """Each word's key, -1 where it has none, shape (n_words,)."""
    names: Sequence[str]
    """Each key in words, n_keys."""
    total: NDArray[np.int64]
    """Words of the corpus with each key, shape (n_keys,)."""


class WordIndex:
    """The words of documents: made once, used for the labels of all features."""

    def __init__(self, documents: Sequence[str]) -> None:
        """Index the documents the labels are made from.

        Raises:
            InputError: There are none, or none has a word.
        """
        self.documents = tuple(documents)
        whole = "".join(self.documents).encode("utf-32-le", "surrogatepass")
        self._characters = np.frombuffer(whole, "<u4")
        self._signs: dict[str, int] = {}
        lengths = np.array([len(text) for text in self.documents], np.int64)
        self._first_character = np.concatenate([[0], np.cumsum(lengths)])
        words, starts, ends, owners, joined = [], [], [], [], []
        for row, text in enumerate(self.documents):
            is_joined = False
            for term in iter_terms(text):
                if " " in term.text:  # the pair comes between its words
                    is_joined = True
                    continue
                words.append(term.text)
                starts.append(term.start)
                ends.append(term.end)
                owners.append(row)
                joined.append(is_joined)
                is_joined = False
        if not words:
            raise InputError(
                f"labels need words, but {len(self.documents)} documents have none; give texts"
            )
        owner = np.array(owners)
        self.starts = self._first_character[owner] + np.array(starts)
        self.ends = self._first_character[owner] + np.array(ends)
        vocabulary: dict[str, int] = {}
        ids = np.array([vocabulary.setdefault(word, len(vocabulary)) for word in words], np.int32)
        self.words = _counted(ids, list(vocabulary))
        is_first = np.concatenate([[True], owner[1:] != owner[:-1]])
        self.after = _counted(np.where(is_first, -1, np.roll(ids, 1)).astype(np.int32), self.names)
        self.pairs = self._pairs(ids, np.array(joined) & ~is_first)
        before_pair = np.append(self.pairs.of_word[1:], -1).astype(np.int32)
        self.pairs_ahead = Keys(before_pair, self.pairs.names, self.pairs.total)
        self.endings = [self._cut(slice(-n, None), n) for n in _ENDINGS]
        self.beginnings = [self._cut(slice(n), n) for n in _BEGINNINGS]
        numeric = np.array([0 if is_number(word) else -1 for word in self.names], np.int32)
        self.numbers = _counted(numeric[ids], ["numbers"])

    @property
    def names(self) -> Sequence[str]:
        """The distinct words, by id."""
        return self.words.names

    @property
    def n_words(self) -> int:
        """Words in the corpus."""
        return len(self.starts)

    def count_sign(self, sign: str) -> int:
        """Return how often a sign occurs in the corpus; found once, then remembered."""
        if sign not in self._signs:
            self._signs[sign] = sum(text.count(sign) for text in self.documents)
        return self._signs[sign]

    def group_signs(
        self, document: NDArray[np.integer], span: NDArray[np.integer]
    ) -> dict[str, NDArray[np.int64]]:
        """Return, for each sign, which of the tokens it is; tokens that are none are left out.

        Args:
            document: Shape (n_tokens,).
            span: Characters [begin, end), shape (n_tokens, 2).
        """
        if not len(document):
            return {}
        place = self._first_character[document] + span[:, 0]
        length = span[:, 1] - span[:, 0]
        short = np.minimum(length, _PACKED)
        packed = np.zeros(len(place), np.int64)
        for i in range(_PACKED):
            inside = np.minimum(place + i, len(self._characters) - 1)
            packed = packed << 21 | np.where(i < short, self._characters[inside], 0).astype(
                np.int64
            )
        # Longer runs that begin alike are one group: its first member stands for it.
        _, first, group = np.unique(
            np.column_stack([packed, length]), axis=0, return_index=True, return_inverse=True
        )
        order = np.argsort(group.ravel(), kind="stable")
        members = np.split(order, np.cumsum(np.bincount(group.ravel()))[:-1])
        signs: dict[str, list[NDArray[np.int64]]] = {}
        for i, own in zip(first.tolist(), members, strict=True):
            text = self.documents[int(document[i])][span[i, 0] : span[i, 1]]
            sign = text.strip() or ("\n" if "\n" in text else "")
            if is_sign(sign):
                signs.setdefault(sign, []).append(own)
        return {sign: np.concatenate(parts) for sign, parts in signs.items()}

    def words_of(
        self, document: NDArray[np.integer], span: NDArray[np.integer]
    ) -> NDArray[np.int64]:
        """Return the word each token is part of, -1 where it is part of none, shape (n_tokens,).

        A token of several words counts to the last one.

        Args:
            document: Shape (n_tokens,).
            span: Characters [begin, end), shape (n_tokens, 2).

        Raises:
            InputError: A document or span is out of range.
        """
        self._check(document, span)
        place = self._first_character[document]
        last, first = place + span[:, 1] - 1, place + span[:, 0]
        word = np.searchsorted(self.starts, last, side="right") - 1
        # The word that begins at or before the token's last character reaches into the token.
        # Where words overlap (scripts without spaces), one that ends inside the token goes first.
        before = np.maximum(word - 1, 0)
        past = (word > 0) & (self.ends[np.maximum(word, 0)] > last + 1)
        overlaps = past & (self.ends[before] > self.starts[np.maximum(word, 0)])
        word = np.where(overlaps & (self.ends[before] > first), before, word)
        reaches = (word >= 0) & (self.ends[np.maximum(word, 0)] > first) & (last >= first)
        return np.where(reaches, word, -1)

    def _check(self, document: NDArray[np.integer], span: NDArray[np.integer]) -> None:
        n = len(self.documents)
        if span.shape != (len(document), 2):
            raise InputError(
                f"spans of {len(document)} tokens must have shape ({len(document)}, 2), "
                f"but got {span.shape}"
            )
        if len(document) and not (document.min() >= 0 and document.max() < n):
            raise InputError(f"a token is in document {int(document.max())}, but there are {n}")
        lengths = np.diff(self._first_character)[document]
        if not ((span[:, 0] >= 0) & (span[:, 0] <= span[:, 1]) & (span[:, 1] <= lengths)).all():
            raise InputError(
                "a token's span is not inside its document; give the spans of these documents"
            )

    def _pairs(self, ids: NDArray[np.int32], is_joined: NDArray[np.bool_]) -> Keys:
        second = np.flatnonzero(is_joined)
        codes = ids[second - 1].astype(np.int64) * len(self.names) + ids[second]
        distinct, place = np.unique(codes, return_inverse=True)
        keys = np.full(len(ids), -1, np.int32)
        keys[second] = place
        return _counted(keys, _PairNames(distinct, self.names))

    def _cut(self, part: slice, n: int) -> Keys:
        """Return the keys of words by ``n`` of their letters; shorter words have none."""
        parts: dict[str, int] = {}
        of_id = np.full(len(self.names), -1, np.int32)
        for i, word in enumerate(self.names):
            if len(word) > n and word[part].isalpha():
                of_id[i] = parts.setdefault(word[part], len(parts))
        return _counted(of_id[self.words.of_word], list(parts))


class _PairNames(Sequence[str]):
    """Names of pairs, put together only when asked for."""

    def __init__(self, codes: NDArray[np.int64], names: Sequence[str]) -> None:
        self._codes = codes
        self._names = names

    def __len__(self) -> int:
        return len(self._codes)

    def __getitem__(self, index: int) -> str:  # type: ignore[override]
        first, second = divmod(int(self._codes[index]), len(self._names))
        return f"{self._names[first]} {self._names[second]}"


def _counted(of_word: NDArray[np.int32], names: Sequence[str]) -> Keys:
    total = np.bincount(of_word[of_word >= 0], minlength=len(names))
    return Keys(of_word, names, total)
