"""Copies and near-copies in a corpus: how many, which, and what is left without them."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from interp_embed.analysis.plain_values import quoted
from interp_embed.errors import InputError
from interp_embed.interpret.shown_text import as_texts
from interp_embed.records import Json
from interp_embed.stats import equal_groups, near_duplicate_groups

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TEXT = 300
_SHOWN = 3
_EMPTY = "(empty)"


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """Documents that are the same, or nearly."""

    documents: tuple[int, ...]
    """Positions, ascending, at least two."""
    n_distinct: int
    """Different texts among them, letter case, white space and punctuation apart."""
    text: str
    """The first of them."""

    @property
    def size(self) -> int:
        """Number of documents."""
        return len(self.documents)

    @property
    def exact(self) -> bool:
        """Whether all are the same text."""
        return self.n_distinct == 1


@dataclass(frozen=True, slots=True, eq=False)
class Duplicates:
    """The groups of copies of a corpus, largest first."""

    groups: tuple[DuplicateGroup, ...]
    """Those of two documents or more; equal sizes in the order of their first document."""
    group_of: NDArray[np.int64]
    """Group of each document, from 0 by first appearance, copies or not, (n_documents,)."""
    keep: NDArray[np.int64]
    """Positions of the first document of every group, ascending: one of each text."""
    n_exact: int
    """Documents that are a copy of an earlier one, word by word."""
    n_near: int
    """Documents that are nearly, but not word by word, a copy of an earlier one."""
    threshold: float
    """Share of word 3-grams from which documents are near-copies."""

    def __len__(self) -> int:
        return len(self.group_of)

    @property
    def n_copies(self) -> int:
        """Documents that repeat an earlier one."""
        return self.n_exact + self.n_near

    @property
    def share(self) -> float:
        """Share of documents that repeat an earlier one, in [0, 1)."""
        return self.n_copies / len(self)

    def to_frame(self) -> pd.DataFrame:
        """Return a row a group: group, size, n_distinct, exact, documents, text."""
        return pd.DataFrame(
            {
                "group": np.arange(len(self.groups)),
                "size": [group.size for group in self.groups],
                "n_distinct": [group.n_distinct for group in self.groups],
                "exact": [group.exact for group in self.groups],
                "documents": [list(group.documents) for group in self.groups],
                "text": [group.text for group in self.groups],
            }
        )

    def summary(self) -> str:
        """Return what was found, in sentences."""
        if not self.groups:
            return f"None of {len(self):,} documents is a copy or a near-copy of another."
        largest = self.groups[0]
        told = quoted(_begin(largest.text, 80)) if largest.text.strip() else _EMPTY
        return (
            f"{self.n_copies:,} of {len(self):,} documents ({self.share:.1%}) repeat an earlier "
            f"one: {self.n_exact:,} word by word, {self.n_near:,} nearly (at least "
            f"{self.threshold:.0%} of their word 3-grams). They form {len(self.groups):,} groups, "
            f"the largest of {largest.size:,}: {told}. {len(self.keep):,} documents are left "
            "without them."
        )

    def to_json(self) -> dict[str, Json]:
        """Return plain values, texts cut to 300 characters."""
        return {
            "n_documents": len(self),
            "n_copies": self.n_copies,
            "n_exact": self.n_exact,
            "n_near": self.n_near,
            "share": self.share,
            "n_kept": len(self.keep),
            "threshold": self.threshold,
            "groups": [
                {
                    "size": group.size,
                    "n_distinct": group.n_distinct,
                    "documents": list(group.documents),
                    "text": group.text[:_TEXT],
                }
                for group in self.groups
            ],
        }

    def plot(self, ax: "Axes | None" = None, *, most: int = 20) -> "Axes":
        """Draw the sizes of the largest groups.

        Raises:
            InputError: There are none.
        """
        from interp_embed import plots

        shown = self.groups[:most]
        if not shown:
            raise InputError("there are no copies, so that there is nothing to draw")
        return plots.stacked_shares(
            np.array([[group.n_distinct, group.size - group.n_distinct] for group in shown]),
            bar_labels=[group.text.strip() or _EMPTY for group in shown],
            part_labels=["different texts", "copies word by word"],
            xlabel="documents",
            ax=ax,
        )

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{group.size}</td><td>{group.n_distinct}</td>"
            f"<td>{', '.join(map(str, group.documents[:_SHOWN]))}"
            f"{'…' if group.size > _SHOWN else ''}</td>"
            f"<td>{html.escape(_begin(group.text, _TEXT))}</td></tr>"
            for group in self.groups
        )
        head = "".join(f"<th>{name}</th>" for name in ("size", "different", "documents", "text"))
        told = html.escape(self.summary())
        return f"<p>{told}</p><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def find_duplicates(texts: Sequence[str | None], *, threshold: float = 0.8) -> Duplicates:
    """Return the copies and near-copies of a corpus, in groups.

    ["The end.", "the  END", "Another"] -> one group of documents 0 and 1, kept: 0 and 2

    Documents are copies if their words are the same, letter case, white space and punctuation
    apart; near-copies if the Jaccard similarity of their word 3-grams reaches the threshold. A
    document belongs to a group if it is near any of its members. Documents under 8 words are
    compared as wholes only, and 3-grams of more than 50 different documents count as boilerplate,
    so that more than 50 slightly different copies of one text are not found: see
    ``stats.near_duplicate_groups``.

    Args:
        texts: The documents; missing ones are empty, and copies of one another.
        threshold: In (0, 1]; 1 finds documents with the same 3-grams.

    Raises:
        InputError: There are none, one is no text, or the threshold is out of range.
    """
    documents = as_texts(texts)
    if not documents:
        raise InputError("there are no documents to compare")
    near = near_duplicate_groups(documents, similarity=threshold)
    copy = equal_groups(documents)
    first_of_group = np.unique(near, return_index=True)[1]
    n_exact = len(documents) - int(copy.max()) - 1
    order = np.argsort(near, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(near))[:-1])
    groups = [
        DuplicateGroup(tuple(rows.tolist()), len(np.unique(copy[rows])), documents[rows[0]])
        for rows in members
        if len(rows) > 1
    ]
    return Duplicates(
        groups=tuple(sorted(groups, key=lambda group: (-group.size, group.documents[0]))),
        group_of=near,
        keep=np.sort(first_of_group).astype(np.int64),
        n_exact=n_exact,
        n_near=len(documents) - len(first_of_group) - n_exact,
        threshold=threshold,
    )


def _begin(text: str, n_characters: int) -> str:
    return text if len(text) <= n_characters else f"{text[:n_characters]}…"
