"""The shards are plain Parquet: other tools read them as they are."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest


def test_duckdb_counts_features_over_all_shards(store):
    duckdb = pytest.importorskip("duckdb")

    rows = duckdb.sql(
        "SELECT f, count(*), max(v) FROM (SELECT unnest(ids) f, unnest(max) v "  # noqa: S608
        f"FROM '{store.location}/acts/part-*.parquet') GROUP BY f ORDER BY f"
    ).fetchall()

    stats = store.stats()
    features = np.flatnonzero(stats.count)
    assert [row[0] for row in rows] == features.tolist()
    assert [row[1] for row in rows] == stats.count[features].tolist()
    assert [row[2] for row in rows] == stats.maximum[features].tolist()


def test_duckdb_reads_every_column_of_every_kind_of_shard(store):
    duckdb = pytest.importorskip("duckdb")

    for folder, n in (("acts", 25), ("tokens", 25), ("docs", 25), ("stats", None)):
        rows = duckdb.read_parquet(f"{store.location}/{folder}/*.parquet").fetchall()
        assert n is None or len(rows) == n


def test_the_query_in_the_docs_finds_the_top_documents(store):
    duckdb = pytest.importorskip("duckdb")
    page = Path(__file__).parents[2] / "docs" / "store-format.md"
    query = re.search(r"```sql\n(.*?)```", page.read_text(), re.DOTALL)[1]

    rows = duckdb.sql(query.replace("my_dataset", store.location)).fetchall()

    top = store.top_documents(5, k=10)
    assert [row[0] for row in rows] == top.document.tolist()
    assert [row[1] for row in rows] == top.activation.tolist()


def test_polars_reads_the_shards(store):
    polars = pytest.importorskip("polars")

    frame = polars.read_parquet(f"{store.location}/acts/part-*.parquet")

    assert frame["doc"].to_list() == list(range(25))
    found = frame.select(polars.col("max").explode(empty_as_null=False).sum()).item()
    assert found == pytest.approx(store.load_csr().sum(), rel=1e-5)
    tokens = polars.read_parquet(f"{store.location}/tokens/part-*.parquet")
    assert tokens["vals"].list.len().sum() == tokens["nnz"].list.sum().sum()


def test_pandas_reads_the_shards(store):
    frame = pd.read_parquet(f"{store.location}/acts")

    matrix = store.load_csr()
    assert sorted(frame["doc"]) == list(range(25))
    row = frame[frame["doc"] == 3].iloc[0]
    np.testing.assert_array_equal(row["ids"], matrix[3].indices)
    np.testing.assert_array_equal(row["max"], matrix[3].data)
    assert frame[frame["doc"] == 6]["error"].item() == "too long"
