"""One document of a data set."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from scipy.sparse import csr_matrix

from interp_embed.dataset.highlight import firing_spans, mark

if TYPE_CHECKING:
    from interp_embed.dataset.dataset import Dataset

_SHOWN = 100


class DatasetRow:
    """One document: its text, its columns, its activations."""

    def __init__(self, dataset: "Dataset", position: int) -> None:
        self._dataset, self._position = dataset, position

    @property
    def text(self) -> str:
        """The text; the contents of a chat's messages joined by newlines."""
        return self._dataset.text_of(self._position)

    @property
    def error(self) -> str | None:
        """Why the document has no activations, or None."""
        return self._dataset.errors().get(self._position)

    def document(self) -> Any:  # noqa: ANN401 - what the user gave
        """Return the text, or the messages, as given."""
        return self._dataset.pandas()[self._dataset.field].iloc[self._position]

    def row_record(self) -> Mapping[str, Any]:
        """Return the row of the user's table."""
        return {str(k): v for k, v in self._dataset.pandas().iloc[self._position].items()}

    def latents(
        self, activation_type: str = "max", *, activated_threshold: float = 0.0
    ) -> csr_matrix:
        """Return the document's activations, sparse, shape (1, n_features).

        ``"all"`` gives those of every token, shape (n_tokens, n_features).
        """
        if activation_type == "all":
            return self._dataset.token_matrix(self._position)
        view = self._dataset[[self._position]]
        return csr_matrix(view.latents(activation_type, activated_threshold=activated_threshold))

    def token_activations(
        self,
        feature: object,
        as_string: bool = True,  # noqa: FBT001, FBT002 - the first library's signature
        left_marker: str = "<<",
        right_marker: str = ">>",
    ) -> str | list[dict[str, Any]]:
        """Return the text with the tokens marked on which a feature fires.

        Args:
            feature: Its index.
            as_string: False for a list of ``{"token", "activation", "span"}`` instead.
            left_marker: Put before each run of firing tokens.
            right_marker: Put after it.

        Raises:
            InputError: There is no such feature, or the document has no activations.
        """
        tokens = self._dataset.token_values(self._position, feature)
        if as_string:
            spans = firing_spans(tokens.span, tokens.values)
            return mark(tokens.text, spans, left_marker, right_marker)
        return [
            {"token": tokens.text[begin:end], "activation": value, "span": (begin, end)}
            for (begin, end), value in zip(
                tokens.span.tolist(), tokens.values.tolist(), strict=True
            )
        ]

    def __repr__(self) -> str:
        text = self.text
        return f"DatasetRow({text[:_SHOWN] + '…' if len(text) > _SHOWN else text!r})"
