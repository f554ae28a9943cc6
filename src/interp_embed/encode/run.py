"""A whole data set through an encoder, shard by shard, so that no finished work is lost."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from interp_embed.encode.encoder import DocumentEncoder
from interp_embed.errors import InputError
from interp_embed.records import Json
from interp_embed.store import Header, Precision, Store, TokenDetail, documents_digest
from interp_embed.tables import require_column

logger = logging.getLogger(__name__)

_MIN_ROWS, _MAX_ROWS, _MAX_TOKEN_ROWS = 256, 8192, 1024
_SHARDS = 64
"""Shards aimed at: few enough to list, many enough that a kill loses little."""
_BYTES_PER_ENTRY = 4.2
"""Of a stored token activation: what ``benchmarks/store.py`` prints, rounded up."""
_SAMPLE = 64
"""Documents whose tokens are counted to estimate those of all."""


@dataclass(frozen=True, slots=True)
class TokenEstimate:
    """What keeping every token's activations will cost, from a sample of the documents."""

    n_tokens: int
    n_bytes: int


def rows_per_shard(n_documents: int, tokens: TokenDetail) -> int:
    """Return how many documents make a shard: a power of two, about n / 64, within limits.

    >>> rows_per_shard(500, "peaks"), rows_per_shard(100_000, "peaks")
    (256, 2048)
    """
    most = _MAX_TOKEN_ROWS if tokens == "all" else _MAX_ROWS
    wanted = max(_MIN_ROWS, n_documents // _SHARDS)
    return int(min(2 ** int(np.ceil(np.log2(wanted))), most))


def plan_dataset(
    documents: pd.DataFrame,
    field: str,
    encoder: DocumentEncoder,
    *,
    tokens: TokenDetail = "peaks",
    precision: Precision = "half",
    shard_rows: int | None = None,
    reload: Mapping[str, Json] | None = None,
    description: str = "",
) -> Header:
    """Return the header of a data set that is still to be encoded.

    Args:
        documents: The user's table, one row a document.
        field: Column with the texts, or with the messages of chats.
        encoder: What will make the activations.
        tokens: What is kept of tokens.
        precision: Mantissa bits kept of activations.
        shard_rows: Documents in a shard, which is what a kill may cost; None for about n / 64.
        reload: What makes the encoder again when the data set is opened.
        description: Of the data set, in the user's words.

    Raises:
        InputError: The table has no rows or no such column, or ``shard_rows`` is below 1.
    """
    column = require_column(documents, field, purpose="the text")
    if len(column) == 0:
        raise InputError("the table has no rows: there is nothing to encode")
    if not encoder.has_tokens:
        if tokens == "all":
            raise InputError(
                "an embedding SAE has no activations of single tokens to keep; leave tokens= out: "
                "which words carry a feature is computed when it is asked for"
            )
        tokens = "none"
    if shard_rows is not None and shard_rows < 1:
        raise InputError(f"shard_rows must be at least 1, got {shard_rows}")
    return Header(
        n_documents=len(column),
        n_features=encoder.n_features,
        rows_per_shard=shard_rows or rows_per_shard(len(column), tokens),
        text_field=field,
        documents_digest=documents_digest(column),
        source=_as_stored(encoder.identity),
        tokens=tokens,
        precision=precision,
        reload=dict(reload or {}),
        description=description,
    )


def estimate_tokens(
    documents: Sequence[object], count: Callable[[object], int], *, l0: float
) -> TokenEstimate:
    """Return how many tokens documents have and what storing their activations takes.

    Args:
        documents: All of them; an evenly spaced sample is counted.
        count: Tokens of one document.
        l0: Features active on a token, on average.
    """
    step = max(1, len(documents) // _SAMPLE)
    sample = [count(documents[i]) for i in range(0, len(documents), step)]
    n_tokens = round(float(np.mean(sample)) * len(documents)) if sample else 0
    return TokenEstimate(n_tokens, round(n_tokens * l0 * _BYTES_PER_ENTRY))


def _as_stored(identity: Mapping[str, Json]) -> dict[str, Json]:
    """Return an identity as JSON gives it back: tuples are lists."""
    stored: dict[str, Json] = json.loads(json.dumps(dict(identity)))
    return stored


def encode_dataset(
    store: Store, encoder: DocumentEncoder, *, progress: bool = True, desc: str = "Encoding"
) -> None:
    """Encode the shards that a store still lacks; an interrupted call, run again, goes on.

    Args:
        store: Made by the same encoder, as its header tells.
        encoder: What makes the activations.
        progress: Show a bar with documents, tokens a second and time left.
        desc: What the bar says.

    Raises:
        InputError: The store was planned for another encoder.
    """
    header = store.header
    if _as_stored(header.source) != _as_stored(encoder.identity):
        raise InputError(
            f"{store.location} was planned for another reader or SAE than the one given; "
            "use the same one, or another folder"
        )
    missing = store.missing()
    todo = sum(len(header.rows_of(shard)) for shard in missing)
    n_tokens = 0
    with tqdm(
        total=header.n_documents,
        initial=header.n_documents - todo,
        desc=desc,
        unit="doc",
        disable=not progress or not missing,
    ) as bar:

        def report(n_documents: int, tokens: int) -> None:
            nonlocal n_tokens
            n_tokens += tokens
            elapsed = bar.format_dict["elapsed"]
            if n_tokens and elapsed:
                bar.set_postfix_str(f"{n_tokens / elapsed:,.0f} tokens/s", refresh=False)
            bar.update(n_documents)

        for shard in missing:
            rows = header.rows_of(shard)
            column = store.load_documents(rows, columns=[header.text_field])[header.text_field]
            encoded = encoder.encode(list(column), tokens=header.tokens, progress=report)
            store.write_shard(shard, encoded.pooled, encoded.tokens)
