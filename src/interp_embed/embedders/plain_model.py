"""Any sentence-transformers model, through that library's own ``encode``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from interp_embed._torch_threads import torch_threads
from interp_embed.embedders.protocol import Progress
from interp_embed.embedders.windows import Token, TokenStates
from interp_embed.errors import InputError

_BATCH = 32


class PlainModel:
    """A sentence-transformers model on any device."""

    precision = "float32"

    def __init__(self, model: SentenceTransformer, max_tokens: int, threads: int | None) -> None:
        self._model = model
        self._threads = threads
        self._n_truncated = 0
        self.max_tokens = max_tokens
        self.d_in = _dimensions(model)
        self.normalize = any(type(module).__name__ == "Normalize" for module in model)
        self.n_special = len(model.tokenizer("")["input_ids"])

    @classmethod
    def from_folder(
        cls,
        folder: Path,
        *,
        max_tokens: int | None = None,
        device: str | None = None,
        threads: int | None = None,
    ) -> Self:
        """Load a sentence-transformers folder, without running code from it.

        Raises:
            InputError: It cannot be loaded, or ``max_tokens`` is out of range.
        """
        try:
            model = SentenceTransformer(str(folder), device=device, trust_remote_code=False)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise InputError(
                f"{folder} could not be loaded as a sentence-transformers model: {error}"
            ) from error
        limit = model.max_seq_length if max_tokens is None else max_tokens
        if limit is None or limit < 3:
            raise InputError(f"max_tokens must be at least 3 for this model, got {limit}")
        model.max_seq_length = limit
        return cls(model, limit, threads)

    def encode(self, texts: Sequence[str], progress: Progress | None) -> NDArray[np.float32]:
        """Return one vector per text, in order; batches hold texts of like length."""
        order = sorted(range(len(texts)), key=lambda i: (-len(texts[i]), i))
        vectors = np.empty((len(texts), self.d_in), dtype=np.float32)
        with torch_threads(self._threads):
            for start in range(0, len(order), _BATCH):
                batch = order[start : start + _BATCH]
                vectors[batch] = self._model.encode(
                    [texts[i] for i in batch],
                    prompt="",
                    batch_size=_BATCH,
                    show_progress_bar=False,
                    convert_to_numpy=True,
                )
                if progress is not None:
                    progress(len(batch))
        self._n_truncated += self._count_cut(texts)
        return vectors

    def token_states(self, texts: Sequence[str]) -> list[TokenStates]:
        """Return the hidden states of all tokens the model sees, one text at a time (no padding).

        Raises:
            InputError: The model does not give a hidden state for each token.
        """
        states = []
        with torch_threads(self._threads):
            for text in texts:
                tokens = self._model.encode(
                    text,
                    prompt="",
                    output_value="token_embeddings",
                    show_progress_bar=False,
                    convert_to_numpy=False,
                )
                hidden = tokens.float().cpu().numpy()
                span = self._spans(text)
                if len(span) != len(hidden):
                    raise InputError(
                        f"the model gives {len(hidden)} hidden states for {len(span)} tokens, so "
                        "that shares of tokens cannot be told; use a model with one for each"
                    )
                states.append(TokenStates(hidden, span))
        return states

    def _spans(self, text: str) -> NDArray[np.int32]:
        encoding = self._model.tokenizer(
            text, return_offsets_mapping=True, truncation=True, max_length=self.max_tokens
        )
        return np.array(encoding["offset_mapping"], dtype=np.int32).reshape(-1, 2)

    def _count_cut(self, texts: Sequence[str]) -> int:
        # A token is at least one character, so that short texts need no look.
        long = [text for text in texts if len(text) > self.max_tokens - self.n_special]
        return sum(len(self.tokens(text)) + self.n_special > self.max_tokens for text in long)

    def n_truncated(self) -> int:
        """Return how many texts have been cut so far."""
        return self._n_truncated

    def tokens(self, text: str) -> list[Token]:
        """Return all tokens of a text, special ones left out."""
        encoding = self._model.tokenizer(
            text,
            add_special_tokens=False,
            return_offsets_mapping=True,
            truncation=False,
            verbose=False,
        )
        words = encoding.word_ids()
        return [
            Token(start, end, -1 if word is None else word)
            for (start, end), word in zip(encoding["offset_mapping"], words, strict=True)
        ]


def _dimensions(model: SentenceTransformer) -> int:
    if hasattr(model, "get_embedding_dimension"):
        dimensions = model.get_embedding_dimension()
    else:  # its name before sentence-transformers 5.3
        dimensions = model.get_sentence_embedding_dimension()
    if not dimensions:
        raise InputError("the model does not say how many dimensions its vectors have")
    return int(dimensions)
