"""What every annotator offers: verdicts on documents from the words of concepts alone."""

from collections.abc import Sequence
from typing import Protocol

from interp_embed.records import Annotations


class Annotator(Protocol):
    """Answers, for documents and concepts, whether the document has the concept."""

    def annotate(self, documents: Sequence[str], concepts: Sequence[str]) -> Annotations:
        """Return verdicts of shape (n_documents, n_concepts); missing ones with a reason."""
        ...
