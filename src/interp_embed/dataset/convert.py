"""A data set saved by the first interp_embed, as one of ours."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix, vstack

from interp_embed.dataset.dataset import Dataset
from interp_embed.dataset.predecessor import (
    PredecessorDataset,
    read_predecessor_pickle,
    token_spans,
)
from interp_embed.encode import documents_digest, pool_tokens, rows_per_shard
from interp_embed.encode.pooling import failed_documents, join_documents
from interp_embed.errors import InputError
from interp_embed.readers import document_text
from interp_embed.records import Json, Label
from interp_embed.store import Header, PooledShard, Store, TokenShard

_MISSING = "it had no activations in the file converted"


def convert_predecessor(old: str | Path, new: str | Path) -> Dataset:
    """Read a pickle of the first interp_embed, running no code in it, and write a data set.

    Tokens keep their activations. All of them count, as they did: special and template tokens
    cannot be told apart in the old file.

    Args:
        old: The pickle.
        new: Folder or URL of the data set.

    Raises:
        InputError: Every document lacks activations, so that there is nothing to keep.
        StoredFileError: The file is damaged, is no such pickle, or asks for code to be run; or
            ``new`` holds another data set.
    """
    found = read_predecessor_pickle(Path(old))
    widths = {matrix.shape[1] for matrix in found.token_activations if matrix is not None}
    if len(widths) != 1:
        what = "no document has activations" if not widths else f"widths differ: {sorted(widths)}"
        raise InputError(f"{old} cannot be converted: {what}; encode its documents again")
    header = Header(
        n_documents=len(found.frame),
        n_features=widths.pop(),
        rows_per_shard=rows_per_shard(len(found.frame), "all"),
        text_field=found.field,
        documents_digest=documents_digest(found.frame[found.field]),
        source={"kind": "predecessor", "sae": dict(found.sae_metadata)},
        tokens="all",
        reload=_reload(found.sae_metadata),
        description=found.description,
    )
    store = Store.create(str(new), header, found.frame)
    for shard in store.missing():
        store.write_shard(shard, *_shards(found, header.rows_of(shard), header.n_features))
    store.append_labels(
        "predecessor",
        [
            Label(feature, text, "predecessor", 0)
            for feature, text in sorted(found.feature_labels.items())
            if 0 <= feature < header.n_features
        ],
    )
    return Dataset.load_from_file(new)


def _reload(metadata: Mapping[str, Json]) -> dict[str, Json]:
    """Return what makes the SAE again here, from what the old file says of it."""
    role = {"use_assistant_role": bool(metadata.get("use_assistant_role", True))}
    if "variant_name" in metadata:
        return {"class": "GoodfireSAE", "variant_name": str(metadata["variant_name"])} | role
    if "release" in metadata:
        known = {"release": str(metadata["release"]), "sae_id": str(metadata.get("sae_id"))}
        return {"class": "LocalSAE"} | known | role
    return {}


def _shards(
    found: PredecessorDataset, rows: range, n_features: int
) -> tuple[PooledShard, TokenShard]:
    """Return the arrays of some documents; those without activations keep their place."""
    matrices = [found.token_activations[row] for row in rows]
    texts = [document_text(found.frame[found.field].iloc[row]) for row in rows]
    lengths = [0 if matrix is None else matrix.shape[0] for matrix in matrices]
    token_start = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    stacked = _positive(
        vstack(
            [matrix for matrix in matrices if matrix is not None]
            or [csr_matrix((0, n_features), dtype=np.float32)],
            format="csr",
        )
    )
    position = np.concatenate([np.arange(length) for length in lengths]).astype(np.int64)
    pooled = pool_tokens(token_start, position, stacked)
    missing = np.array([matrix is None for matrix in matrices])
    if missing.any():
        failed = failed_documents([_MISSING] * int(missing.sum()))
        order = np.arange(len(rows))
        order[missing] = len(rows) + np.arange(int(missing.sum()))
        pooled = join_documents([pooled, failed], order)
    spans = [np.empty((0, 2), np.int32)]
    for row, text, matrix in zip(rows, texts, matrices, strict=True):
        if matrix is not None:
            tokens = None if found.tokens is None else found.tokens[row]
            empty = np.zeros((matrix.shape[0], 2), np.int32)
            spans.append(empty if tokens is None else token_spans(text, tokens))
    tokens_shard = TokenShard(
        token_start=token_start,
        span=np.concatenate(spans),
        counted=np.ones(int(token_start[-1]), np.bool_),
        start=stacked.indptr.astype(np.int64),
        feature=stacked.indices.astype(np.int32),
        value=stacked.data.astype(np.float32),
    )
    return pooled, tokens_shard


def _positive(matrix: csr_matrix) -> csr_matrix:
    """Return a matrix with sorted features and activations above 0 only."""
    clean = matrix.copy()
    clean.data[clean.data < 0] = 0
    clean.eliminate_zeros()
    clean.sort_indices()
    return clean
