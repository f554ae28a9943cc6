"""Small data sets with planted activations; worker processes of the tests load this file too."""

import itertools
import shutil

import numpy as np
import pandas as pd
import pytest

from interp_embed._fingerprint import digest_texts
from interp_embed.store import Header, PooledShard, Store, TokenShard

FEATURES = 40


def make_documents(n):
    texts = [f"Document {i} says ä{'!' * (i % 3)}" for i in range(n)]
    return pd.DataFrame({"text": texts, "stars": np.arange(n) % 5, "author": list("abc" * n)[:n]})


def make_header(n=25, **changes):
    texts = make_documents(n)["text"].tolist()
    settings = {
        "n_documents": n,
        "n_features": FEATURES,
        "rows_per_shard": 10,
        "text_field": "text",
        "documents_digest": digest_texts(texts),
        "source": {"reader": "planted", "layer": 3},
        "tokens": "all",
    }
    return Header(**(settings | changes))


def scatter(number, seed):
    """Return numbers that look random and are the same with every version of NumPy."""
    mixed = np.asarray(number, np.uint64) + np.uint64((seed + 1) * 7_919_000_003)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))


def make_shard(header, shard, seed=0):
    """Return planted token activations and what they pool to; every seventh document failed."""
    rows = header.rows_of(shard)
    errors = tuple("too long" if i % 7 == 6 else None for i in rows)
    n_tokens = (3 + scatter(np.array(rows), seed) % 6).astype(int)
    n_tokens[[error is not None for error in errors]] = 0
    token_start = np.concatenate([[0], np.cumsum(n_tokens)]).astype(np.int64)
    n = int(n_tokens.sum())
    entry = np.arange(n * header.n_features, dtype=np.uint64).reshape(n, header.n_features)
    mixed = scatter(entry, 1000 * seed + shard)
    dense = ((mixed % 4096 + 1) / 700).astype(np.float32) * ((mixed >> 20) % 10 == 0)
    start = np.concatenate([[0], np.cumsum((dense > 0).sum(1))]).astype(np.int64)
    begin = np.concatenate([np.arange(k) * 2 for k in n_tokens]).astype(np.int32)
    kept = header.tokens == "all"
    tokens = TokenShard(
        token_start=token_start,
        span=np.stack([begin, begin + 2], axis=1),
        counted=np.ones(n, np.bool_),
        start=start if kept else None,
        feature=np.nonzero(dense)[1].astype(np.int32) if kept else None,
        value=dense[dense > 0] if kept else None,
    )
    pooled = pool(dense, token_start, errors)
    return pooled, (None if header.tokens == "none" else tokens)


def pool(dense, token_start, errors):
    parts = {"feature": [], "maximum": [], "peak": [], "total": [], "count": []}
    start = [0]
    for a, b in itertools.pairwise(token_start):
        own = dense[a:b]
        fires = np.flatnonzero(own.any(axis=0)) if b > a else np.empty(0, int)
        parts["feature"].append(fires)
        parts["maximum"].append(own[:, fires].max(axis=0, initial=0))
        parts["peak"].append(own[:, fires].argmax(axis=0) if b > a else fires)
        parts["total"].append(own[:, fires].sum(axis=0, dtype=np.float64))
        parts["count"].append((own[:, fires] > 0).sum(axis=0))
        start.append(start[-1] + len(fires))
    arrays = {
        name: np.concatenate(values).astype(
            np.float32 if name in ("maximum", "total") else np.int32
        )
        for name, values in parts.items()
    }
    return PooledShard(
        start=np.array(start, np.int64),
        n_counted=np.diff(token_start).astype(np.int32),
        errors=errors,
        **arrays,
    )


def fill(store, shards=None, seed=0):
    for shard in store.missing() if shards is None else shards:
        store.write_shard(shard, *make_shard(store.header, shard, seed))
    return store


def make_store(location, shards=None, n=25, **changes):
    header = make_header(n, **changes)
    return fill(Store.create(location, header, make_documents(n)), shards)


def dense_matrix(header, column="maximum", shards=None):
    """Return what the shards hold, before rounding, as a plain matrix."""
    out = np.zeros((header.n_documents, header.n_features), np.float32)
    for shard in range(header.n_shards) if shards is None else shards:
        pooled, _ = make_shard(header, shard)
        rows = np.repeat(np.arange(pooled.n_documents), np.diff(pooled.start))
        out[header.rows_of(shard).start + rows, pooled.feature] = getattr(pooled, column)
    return out


@pytest.fixture
def planted():
    """The functions of this file, for tests."""

    class Planted:
        documents = staticmethod(make_documents)
        header = staticmethod(make_header)
        shard = staticmethod(make_shard)
        store = staticmethod(make_store)
        fill = staticmethod(fill)
        dense = staticmethod(dense_matrix)

    return Planted


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("written") / "data").location


@pytest.fixture
def store(written, tmp_path):
    """Three shards of 10, 10 and 5 documents, all committed, with token activations."""
    shutil.copytree(written, tmp_path / "data")
    return Store.open(tmp_path / "data")
