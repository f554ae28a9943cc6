"""Activations of single tokens: from the store where they are kept, else computed again."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from interp_embed.dataset.binding import LazyBinding, TokenValues
from interp_embed.dataset.contents import Contents
from interp_embed.dataset.highlight import firing_spans, mark
from interp_embed.errors import InputError
from interp_embed.store import TokenShard

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LabelTokens:
    """Documents to make labels from, and all activations of their tokens."""

    positions: Sequence[int]
    tokens: TokenShard


class TokenAccess:
    """Tokens of the documents of a data set."""

    def __init__(self, contents: Contents, binding: LazyBinding) -> None:
        self._contents, self._binding = contents, binding

    @property
    def _are_kept(self) -> bool:
        return self._contents.store.header.tokens == "all"

    def values(self, positions: Sequence[int], feature: int) -> list[TokenValues]:
        """Return a feature's activation on every token of documents.

        Raises:
            InputError: A document has no activations.
        """
        failed = self._contents.errors()
        for position in positions:
            if position in failed:
                raise InputError(f"document {position} has no activations: {failed[position]}")
        if not self._are_kept:
            documents = [self._contents.document(position) for position in positions]
            return self._binding.get().token_values(documents, feature) if documents else []
        found = []
        for position in positions:
            tokens = self._contents.store.tokens(int(self._contents.rows[position]))
            column = self.matrix(position)[:, [feature]]
            values = np.asarray(column.toarray(), np.float32).ravel()
            found.append(TokenValues(self._contents.text(position), tokens.span, values))
        return found

    def spans(self, position: int, feature: int) -> list[tuple[int, int]]:
        """Return the characters of a document on which a feature fires.

        Where a reader's activations are not kept, only the token on which it is strongest: that
        is known without running the model again. None where an embedder does not show its tokens.
        """
        store, row = self._contents.store, int(self._contents.rows[position])
        if store.header.tokens != "peaks" or self._binding.is_of_documents():
            try:
                tokens = self.values([position], feature)[0]
            except InputError as error:  # the places are an extra: the finding stands without
                logger.info("feature %d cannot be placed in a text: %s", feature, error)
                return []
            return firing_spans(tokens.span, tokens.values)
        peaks = store.peaks(row)
        at = np.flatnonzero((peaks.feature == feature) & (peaks.position >= 0))
        if not len(at):
            return []
        begin, end = store.tokens(row).span[int(peaks.position[at[0]])].tolist()
        return [(begin, end)] if end > begin else []

    def matrix(self, position: int) -> csr_matrix:
        """Return all activations of a document's tokens, shape (n_tokens, n_features)."""
        row = int(self._contents.rows[position])
        if self._are_kept and (kept := self._contents.store.tokens(row).activations) is not None:
            return kept
        return self._binding.get().token_matrix(self._contents.document(position))

    def marked(
        self, positions: Sequence[int], feature: int, left: str = "<<", right: str = ">>"
    ) -> list[str]:
        """Return documents with the tokens marked on which a feature fires."""
        return [
            mark(tokens.text, firing_spans(tokens.span, tokens.values), left, right)
            for tokens in self.values(positions, feature)
        ]

    def for_labels(self, positions: Sequence[int], n_tokens: int) -> LabelTokens:
        """Return the first of some documents, together about ``n_tokens`` long, with activations.

        Raises:
            InputError: This kind of SAE has no activations of tokens.
        """
        rows = self._contents.rows[list(positions)]
        counts = np.cumsum(self._contents.store.load_counted(rows))
        chosen = list(positions)[: max(1, int(np.searchsorted(counts, n_tokens)))]
        if self._are_kept:
            tokens = self._contents.store.load_tokens(self._contents.rows[chosen])
            return LabelTokens(chosen, tokens)
        documents = [self._contents.document(position) for position in chosen]
        encoded = self._binding.get().encoder.encode(documents, tokens="all")
        if encoded.tokens is None:
            raise InputError("this SAE has no activations of tokens to make labels from")
        return LabelTokens(chosen, encoded.tokens)
