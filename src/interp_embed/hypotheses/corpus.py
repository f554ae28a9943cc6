"""The documents of a study with all that goes with them, and the split no step can go around."""

from dataclasses import dataclass, field
from itertools import combinations
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from interp_embed.errors import InputError, SealedRowsError
from interp_embed.stats import SplitRows

_T = TypeVar("_T", bound=np.generic)


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """Documents, target, embeddings and groups, aligned.

    Of preferences, each text is a document: two rows a pair, whose target is 1 for the preferred
    text and 0 for the other, and whose embedding is its own less that of the other.
    """

    documents: tuple[str, ...]
    target: NDArray[np.float64]
    """Shape (n_documents,), finite; with several classes shape (n_documents, n_classes), 0/1."""
    embeddings: NDArray[np.float32]
    """Shape (n_documents, d_in), finite."""
    rows: NDArray[np.int64]
    """Position of each document in the user's table, shape (n_documents,)."""
    groups: NDArray[np.int64]
    """What must not be separated shares a number: author, duplicate; shape (n_documents,)."""
    covariates: NDArray[np.float64] | None = None
    """What is held fixed beside the concepts, shape (n_documents, n_covariates), finite."""
    strata: NDArray[np.int64] | None = None
    """Number of each document's stratum, shape (n_documents,)."""
    pairs: NDArray[np.int64] | None = None
    """Number of the pair each text belongs to, shape (n_documents,); preferences only."""

    def __post_init__(self) -> None:
        """Check that all parts are of one length.

        Raises:
            InputError: They are not.
        """
        lengths = {
            "documents": len(self.documents),
            "target": len(self.target),
            "embeddings": len(self.embeddings),
            "rows": len(self.rows),
            "groups": len(self.groups),
        }
        optional = {"covariates": self.covariates, "strata": self.strata, "pairs": self.pairs}
        lengths |= {name: len(part) for name, part in optional.items() if part is not None}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise InputError(f"the parts of a corpus must be of one length, but got {told}")

    def __len__(self) -> int:
        return len(self.documents)

    def take(self, positions: NDArray[np.int64]) -> Self:
        """Return the documents at some positions, in that order."""
        return type(self)(
            documents=tuple(self.documents[i] for i in positions),
            target=self.target[positions],
            embeddings=self.embeddings[positions],
            rows=self.rows[positions],
            groups=self.groups[positions],
            covariates=_take(self.covariates, positions),
            strata=_take(self.strata, positions),
            pairs=_take(self.pairs, positions),
        )


def _take(part: NDArray[_T] | None, positions: NDArray[np.int64]) -> NDArray[_T] | None:
    return None if part is None else part[positions]


@dataclass(slots=True, eq=False)
class SealedSplit:
    """Discover documents to work on, confirm documents that open once, after the work is done.

    The order is: read ``discover`` as often as needed, and ``tune`` to choose; ``fix`` what will
    be tested; ``open`` the confirm documents, once, for exactly that.
    """

    _corpus: Corpus
    _split: SplitRows
    _tune: NDArray[np.int64] | None = None
    """Positions, in neither of the split's parts."""
    _plan: str = field(default="", init=False)
    _opened: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        """Check that no document or group is in two parts.

        Raises:
            SealedRowsError: One is.
        """
        parts = [self._split.discover, self._split.confirm]
        parts += [] if self._tune is None else [self._tune]
        check_separate(*(self._corpus.take(part) for part in parts))

    @property
    def discover(self) -> Corpus:
        """The documents that fitting, selecting and labelling may read."""
        return self._corpus.take(self._split.discover)

    @property
    def tune(self) -> Corpus | None:
        """The documents that the choice among labels may read, and no earlier step; None if none.

        Without them that choice is made on the discover documents.
        """
        return None if self._tune is None else self._corpus.take(self._tune)

    @property
    def n_confirm(self) -> int:
        """How many documents are sealed."""
        return len(self._split.confirm)

    def fix(self, plan: str) -> None:
        """Declare what will be tested, once.

        Args:
            plan: A digest of the hypotheses.

        Raises:
            SealedRowsError: Something else was declared before.
        """
        if self._plan and self._plan != plan:
            raise SealedRowsError(
                "these hypotheses differ from those fixed before; confirm documents test one set "
                "of hypotheses: split again with new documents to test others"
            )
        self._plan = plan

    def open(self, plan: str) -> Corpus:
        """Return the confirm documents, once, to test what was fixed.

        Raises:
            SealedRowsError: Nothing or something else was fixed, or they were opened before.
        """
        if not self._plan:
            raise SealedRowsError(
                "confirm documents are sealed until the hypotheses are fixed; call fix(plan) first"
            )
        if plan != self._plan:
            raise SealedRowsError(
                "confirm documents open only for the hypotheses that were fixed, these differ"
            )
        if self._opened:
            raise SealedRowsError(
                "confirm documents were opened before; a second look would make the p-values wrong"
            )
        self._opened = True
        return self._corpus.take(self._split.confirm)


def check_separate(*sides: Corpus) -> None:
    """Raise if any document or group is on two sides.

    Args:
        sides: Such as the discover and the confirm documents, or those and the tune documents.

    Raises:
        SealedRowsError: Testing on documents that were searched, or on their authors or
            duplicates, would find what chance put there.
    """
    for one, other in combinations(sides, 2):
        shared = np.intersect1d(one.rows, other.rows)
        if len(shared):
            raise SealedRowsError(
                f"{len(shared)} documents were used to find the hypotheses and cannot confirm "
                f"them, such as row {shared[0]}; test on other documents"
            )
        groups = np.intersect1d(one.groups, other.groups)
        if len(groups):
            raise SealedRowsError(
                f"{len(groups)} groups (authors, duplicates) are on both sides of the split; "
                "keep each group on one side"
            )
