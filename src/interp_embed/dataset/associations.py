"""What goes together in the documents of a data set: features, and columns of the table."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from interp_embed.analysis import (
    Correlations,
    EncodedDocuments,
    MetadataAssociations,
    Neighbours,
    align_documents,
    associate_feature,
    correlate_features,
    correlate_metadata,
)
from interp_embed.dataset.binding import LazyBinding
from interp_embed.dataset.contents import Contents
from interp_embed.dataset.encoded import Entries, Firing, cuts_for, load_entries
from interp_embed.dataset.labels import LabelBook
from interp_embed.dataset.selection import as_feature
from interp_embed.dataset.sides import column_of, load_documents, source_of

_GROUPS = "the groups that are not independent"


class Associations:
    """What goes together in one data set: each loads what it reads, and forwards."""

    _contents: Contents
    _binding: LazyBinding
    _labels: LabelBook

    def correlations(
        self,
        other: "Associations | None" = None,
        *,
        on: str | None = None,
        firing: Firing | None = None,
        min_support: int | None = None,
        min_pairs: int = 5,
        max_q: float = 0.05,
        top: int = 50,
        group_by: str | None = None,
        directions: bool | None = None,
        progress: bool = False,
    ) -> Correlations:
        """Return pairs of features that go together, or avoid each other, more than by chance.

        Args:
            other: Another text of the same documents, such as the responses to these prompts; then
                each feature is paired with each of that data set, which may be of another SAE.
            on: Column that tells which documents belong together; None: row by row.
            firing: When a feature counts as firing, as in :meth:`diff`.
            min_support: Documents in which a feature fires at least; None: by their number.
            min_pairs: Documents in which both fire at least, or are expected to.
            max_q: Largest q of a pair shown.
            top: Pairs kept for each feature, of either sign.
            group_by: Column with authors, parents or the like, whose documents are not independent;
                of this data set, with ``other``, too.
            directions: Set apart pairs of nearly equal decoder directions; None: for embedding
                SAEs, since a reader would have to be loaded.
            progress: Show a bar.

        Raises:
            InputError: A setting is out of range, the two data sets do not belong together, or a
                group is missing or the only one.
        """
        entries = self._entries(firing)
        documents = entries.documents
        if other is not None:
            others = load_documents(source_of(other), firing=firing)
            documents, partner = _aligned(documents, others, on)
            near = Neighbours(
                dictionary=self._directions(wanted=directions),
                other_dictionary=other._directions(wanted=directions),
            )
        else:
            partner = None
            near = Neighbours(peak=entries.peak, dictionary=self._directions(wanted=directions))
        return correlate_features(
            documents,
            other=partner,
            min_support=min_support,
            min_pairs=min_pairs,
            max_q=max_q,
            top=top,
            groups=column_of(documents, group_by, purpose=_GROUPS),
            near=near,
            progress=progress,
        )

    def pairs(
        self, feature: object, *, firing: Firing | None = None, group_by: str | None = None
    ) -> Correlations:
        """Return all features that go with one feature, or avoid it.

        Args:
            feature: Its index.
            firing: When a feature counts as firing, as in :meth:`diff`.
            group_by: Column of documents that are not independent.

        Raises:
            InputError: There is no such feature or column, or a group is missing or the only one.
        """
        entries = self._entries(firing)
        number = as_feature(feature, entries.documents.n_features)
        near = Neighbours(peak=entries.peak, dictionary=self._directions(wanted=None))
        groups = column_of(entries.documents, group_by, purpose=_GROUPS)
        return associate_feature(entries.documents, number, groups=groups, near=near)

    def metadata_links(
        self,
        columns: Sequence[str] | None = None,
        *,
        firing: Firing | None = None,
        min_support: int | None = None,
        max_q: float = 0.05,
        group_by: str | None = None,
        progress: bool = False,
    ) -> MetadataAssociations:
        """Return which features go with which values of the table's columns.

        Args:
            columns: Names; None for all but the text and ``group_by``. Free text and keys are
                skipped.
            firing: When a feature counts as firing, as in :meth:`diff`.
            min_support: Documents in which a feature fires, and that have a value, at least; None:
                by their number.
            max_q: Largest q shown.
            group_by: Column of documents that are not independent.
            progress: Show a bar.

        Raises:
            InputError: There is no such column, nothing to compare, or a group is missing or the
                only one.
        """
        chosen = columns
        if chosen is None:
            left_out = (self._contents.field, group_by)
            chosen = [str(name) for name in self._contents.frame if name not in left_out]
        documents = load_documents(source_of(self), firing=firing)
        return correlate_metadata(
            documents,
            chosen,
            min_support=min_support,
            max_q=max_q,
            groups=column_of(documents, group_by, purpose=_GROUPS),
            progress=progress,
        )

    def _entries(self, firing: Firing | None) -> Entries:
        source = source_of(self)
        cuts = cuts_for(firing, [self._contents], of_documents=source.of_documents)
        return load_entries(
            self._contents, labels=source.labels, of_documents=source.of_documents, cuts=cuts
        )

    def _directions(self, *, wanted: bool | None) -> NDArray[np.float32] | None:
        """Return the decoder directions; None where they are not wanted."""
        if wanted is False or (wanted is None and not self._binding.is_of_documents()):
            return None
        return self._binding.get().directions


def _aligned(
    documents: EncodedDocuments, other: EncodedDocuments, on: str | None
) -> tuple[EncodedDocuments, EncodedDocuments]:
    """Return the documents of both that belong together, by a column or by their place."""
    purpose = "telling which documents belong together"
    keys = [
        one.positions if on is None else column_of(one, on, purpose=purpose)
        for one in (documents, other)
    ]
    found = align_documents(documents, other, keys[0].tolist(), keys[1].tolist())
    return found.first, found.second
