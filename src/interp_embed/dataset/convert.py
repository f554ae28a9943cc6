"""A data set saved by the first interp_embed, as one of ours."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix, vstack

from interp_embed.dataset.dataset import Dataset
from interp_embed.dataset.labels import LABELS
from interp_embed.dataset.predecessor import (
    PredecessorDocument,
    iter_documents,
    read_predecessor_pickle,
)
from interp_embed.encode import pool_tokens, rows_per_shard
from interp_embed.encode.pooling import failed_documents, join_documents
from interp_embed.errors import InputError
from interp_embed.records import Json, Label
from interp_embed.store import Header, PooledShard, Store, TokenShard, documents_digest


def convert_predecessor(old: str | Path, new: str | Path) -> Dataset:
    """Read a pickle of the first interp_embed, running no code in it, and write a data set.

    Tokens keep their activations. Those of a chat template, which the old library pooled with the
    others, do not count here.

    Args:
        old: The pickle.
        new: Folder or URL of the data set.

    Raises:
        InputError: Every document lacks activations, so that there is nothing to keep.
        StoredFileError: The file is damaged, is no such pickle, or asks for code to be run; or
            ``new`` holds another data set.
    """
    found = read_predecessor_pickle(Path(old))
    if found.n_features is None:
        raise InputError(
            f"{old} cannot be converted: no document in it has activations; encode them again"
        )
    header = Header(
        n_documents=len(found.frame),
        n_features=found.n_features,
        rows_per_shard=rows_per_shard(len(found.frame), "all"),
        text_field=found.field,
        documents_digest=documents_digest(found.frame[found.field]),
        source={"kind": "predecessor", "sae": dict(found.sae_metadata)},
        tokens="all",
        reload=_reload(found.sae_metadata),
        description=found.description or "",
    )
    store = Store.create(str(new), header, found.frame)
    documents = list(iter_documents(found))
    for shard in store.missing():
        rows = header.rows_of(shard)
        chosen = documents[rows.start : rows.stop]
        store.write_shard(shard, *_shards(chosen, header.n_features))
    store.append_labels(
        LABELS,
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
    documents: Sequence[PredecessorDocument], n_features: int
) -> tuple[PooledShard, TokenShard]:
    """Return the arrays of some documents; those without activations keep their place."""
    matrices = [document.activations for document in documents]
    lengths = [0 if matrix is None else matrix.shape[0] for matrix in matrices]
    token_start = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    empty = csr_matrix(np.empty((0, n_features), np.float32))
    tokens = vstack([empty, *(m for m in matrices if m is not None)], format="csr")
    tokens.sort_indices()
    counted = np.concatenate([document.counted for document in documents])
    position = np.concatenate([np.arange(length) for length in lengths]).astype(np.int64)
    counted_start = np.concatenate([[0], np.cumsum(counted)])[token_start].astype(np.int64)
    pooled = pool_tokens(counted_start, position[counted], tokens[counted])
    reasons = [document.error for document in documents if document.error is not None]
    if reasons:
        failed = np.array([document.error is not None for document in documents])
        order = np.arange(len(documents))
        order[failed] = len(documents) + np.arange(len(reasons))
        pooled = join_documents([pooled, failed_documents(reasons)], order)
    shard = TokenShard(
        token_start=token_start,
        span=np.concatenate([document.span for document in documents]),
        counted=counted,
        start=tokens.indptr.astype(np.int64),
        feature=tokens.indices.astype(np.int32),
        value=tokens.data.astype(np.float32),
    )
    return pooled, shard
