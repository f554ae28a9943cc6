"""Documents found by the words of a query: BM25 over stems."""

from array import array
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from interp_embed.analysis.retrieval.words import composed, search_stems
from interp_embed.errors import InputError
from interp_embed.interpret.words import iter_words

_SATURATION = 1.5
_LENGTH_SHARE = 0.75


class _StemNumbers(dict[str, int]):
    """The number of each word's stem; -1 for words that say nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.stems: dict[str, int] = {}

    def __missing__(self, word: str) -> int:
        stems = search_stems(word)
        number = self.stems.setdefault(stems[0], len(self.stems)) if stems else -1
        self[word] = number
        return number


class BM25Index:
    """What each stem adds to the score of each document that has it: 8 bytes a pair.

    Source: Robertson and Zaragoza 2009, The Probabilistic Relevance Framework; with the inverse
    document frequency log(1 + (n - df + .5) / (df + .5)), which is never negative (as in Lucene),
    k1 = 1.5 and b = .75.
    """

    def __init__(self, texts: Sequence[str], *, progress: bool = False) -> None:
        """Read the texts.

        Args:
            texts: The documents, n_documents.
            progress: Whether to show a bar.
        """
        numbers = _StemNumbers()
        lengths = np.zeros(len(texts), np.int64)
        stems = array("i")
        for row, text in enumerate(tqdm(texts, "Indexing words", disable=not progress)):
            before = len(stems)
            stems.extend(n for word in iter_words(composed(text)) if (n := numbers[word]) >= 0)
            lengths[row] = len(stems) - before
        self.n_documents = len(texts)
        self._stems = numbers.stems
        self._count(np.frombuffer(stems, np.int32), lengths)

    def scores(self, query: str) -> NDArray[np.float32]:
        """Return the score of each document, 0 where no word of the query is, (n_documents,).

        Raises:
            InputError: The query has no word that says something.
        """
        total = np.zeros(self.n_documents, np.float32)
        for stem in query_stems(query):
            number = self._stems.get(stem)
            if number is not None:
                inside = slice(self._bounds[number], self._bounds[number + 1])
                total[self._documents[inside]] += self._weights[inside]
        return total

    @property
    def n_bytes(self) -> int:
        """Memory of the index, without its words."""
        return self._documents.nbytes + self._weights.nbytes + self._bounds.nbytes

    def _count(self, stems: NDArray[np.int32], lengths: NDArray[np.int64]) -> None:
        """Set the documents and weights of each stem, side by side."""
        n_documents, n_stems = self.n_documents, len(self._stems)
        keys = stems.astype(np.int64) * max(1, n_documents)
        keys += np.repeat(np.arange(n_documents), lengths)
        keys.sort()
        starts = np.flatnonzero(np.diff(keys, prepend=-1))
        counts = np.diff(np.append(starts, keys.size)).astype(np.float32)
        of_stem, documents = np.divmod(keys[starts], max(1, n_documents))
        n_having = np.bincount(of_stem, minlength=n_stems)
        rarity = np.log1p((n_documents - n_having + 0.5) / (n_having + 0.5)).astype(np.float32)
        mean = float(lengths.mean()) if n_documents else 1.0
        share = 1 - _LENGTH_SHARE + _LENGTH_SHARE * lengths / (mean or 1.0)
        longer = (_SATURATION * share).astype(np.float32)[documents]
        self._bounds = np.concatenate([[0], np.cumsum(n_having)])
        self._documents = documents.astype(np.int32)
        self._weights = rarity[of_stem] * counts * np.float32(_SATURATION + 1) / (counts + longer)


def query_stems(query: str) -> list[str]:
    """Return the stems of a query that are looked up, none twice.

    Raises:
        InputError: No word of it says something.
    """
    found = list(dict.fromkeys(search_stems(query)))
    if not found:
        raise InputError(
            f"the query {query!r} has no word to look up: stop words, numbers and single letters "
            "are left out; name things"
        )
    return found
