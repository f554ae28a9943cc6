"""Tokenizer and packed encoder together: texts in, vectors out, on a CPU."""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib.resources import files
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from interp_embed._torch_threads import torch_threads
from interp_embed.embedders.packed_bert import PackedBert, batches_by_length
from interp_embed.embedders.protocol import Progress
from interp_embed.embedders.windows import Token, TokenStates
from interp_embed.errors import InputError

_SHORT = 24
"""Documents of fewer tokens stay in float32: they average over too few for errors to cancel."""


class PackedModel:
    """A BERT-type sentence encoder run without padding and without importing transformers."""

    def __init__(
        self, bert: PackedBert, tokenizer: Tokenizer, max_tokens: int, threads: int | None
    ) -> None:
        self._bert = bert
        self._fast = bert
        self.precision = "float32"
        self._tokenizer = tokenizer
        self._threads = threads
        self._n_truncated = 0
        self.max_tokens = max_tokens
        self.d_in = bert.d_in
        self.normalize = bert.normalize
        self.n_special = tokenizer.num_special_tokens_to_add(is_pair=False)

    @classmethod
    def from_folder(
        cls, folder: Path, *, max_tokens: int | None = None, threads: int | None = None
    ) -> Self | None:
        """Load a sentence-transformers folder; None if the model is of another kind.

        Raises:
            InputError: ``max_tokens`` is out of range.
        """
        if not (folder / "tokenizer.json").exists():
            return None
        bert = PackedBert.from_folder(folder)
        if bert is None:
            return None
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_padding()
        limit = _own_limit(folder, bert.max_positions) if max_tokens is None else max_tokens
        if not tokenizer.num_special_tokens_to_add(is_pair=False) < limit <= bert.max_positions:
            raise InputError(
                f"max_tokens must be from {tokenizer.num_special_tokens_to_add(is_pair=False) + 1}"
                f" to {bert.max_positions} for this model, got {limit}"
            )
        return cls(bert, tokenizer, limit, threads)

    def use_int8(self) -> None:
        """Compute documents of 24 tokens and more in 8-bit integers from now on."""
        self._tokenizer.enable_truncation(self.max_tokens)
        text = files("interp_embed.embedders").joinpath("calibration.txt")
        lines = text.read_text(encoding="utf-8").splitlines()
        encodings = self._tokenizer.encode_batch_fast(lines)
        self._fast = self._bert.in_int8([encoding.ids for encoding in encodings])
        self.precision = "int8"

    def encode(self, texts: Sequence[str], progress: Progress | None) -> NDArray[np.float32]:
        """Return one vector per text, in order; longer texts are cut at ``max_tokens``."""
        self._tokenizer.enable_truncation(self.max_tokens)
        encodings = self._tokenizer.encode_batch_fast(list(texts))
        ids = [encoding.ids for encoding in encodings]
        self._n_truncated += sum(
            len(own) == self.max_tokens and bool(encoding.overflowing)
            for own, encoding in zip(ids, encodings, strict=True)
        )
        vectors = np.empty((len(ids), self.d_in), dtype=np.float32)
        batches = batches_by_length([len(own) for own in ids], apart_below=_SHORT)

        def run(batch: list[int]) -> list[int]:
            vectors[batch] = self._bert_for(batch, ids).run([ids[i] for i in batch]).numpy()
            return batch

        for batch in _each(run, batches, self._threads or torch.get_num_threads()):
            if progress is not None:
                progress(len(batch))
        return vectors

    def token_states(self, texts: Sequence[str]) -> list[TokenStates]:
        """Return the hidden states whose mean :meth:`encode` takes, special tokens included."""
        self._tokenizer.enable_truncation(self.max_tokens)
        encodings = self._tokenizer.encode_batch(list(texts))
        ids = [encoding.ids for encoding in encodings]
        states: list[TokenStates | None] = [None] * len(ids)
        # The batches of encode: in 8-bit integers the last bits depend on them.
        for batch in batches_by_length([len(own) for own in ids], apart_below=_SHORT):
            with torch_threads(1):
                hidden = self._bert_for(batch, ids).hidden_states([ids[i] for i in batch])
            ends = np.cumsum([len(ids[i]) for i in batch])
            for i, part in zip(batch, np.split(hidden.numpy(), ends[:-1]), strict=True):
                span = np.array(encodings[i].offsets, dtype=np.int32).reshape(-1, 2)
                states[i] = TokenStates(part, span)
        return [own for own in states if own is not None]

    def _bert_for(self, batch: list[int], ids: list[list[int]]) -> PackedBert:
        is_short = len(ids[batch[0]]) < _SHORT  # the first is the longest
        return self._bert if is_short else self._fast

    def n_truncated(self) -> int:
        """Return how many texts have been cut so far."""
        return self._n_truncated

    def tokens(self, text: str) -> list[Token]:
        """Return all tokens of a text, special ones left out."""
        self._tokenizer.no_truncation()
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        return [
            Token(start, end, -1 if word is None else word)
            for (start, end), word in zip(encoding.offsets, encoding.word_ids, strict=True)
        ]


def _own_limit(folder: Path, max_positions: int) -> int:
    path = folder / "sentence_bert_config.json"
    own = json.loads(path.read_text(encoding="utf-8")).get("max_seq_length") if path.exists() else 0
    return min(own or max_positions, max_positions)


def _each(
    run: Callable[[list[int]], list[int]], batches: list[list[int]], threads: int
) -> Iterator[list[int]]:
    """Run all batches, each on one thread: that wastes less than all threads on each batch."""
    with torch_threads(1):
        if threads == 1 or len(batches) < 2:
            yield from map(run, batches)
            return
        pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
        try:
            for future in as_completed([pool.submit(run, batch) for batch in batches]):
                yield future.result()
        finally:  # after Ctrl-C only what is running is finished
            pool.shutdown(wait=True, cancel_futures=True)
