import datetime
import decimal

import numpy as np
import pandas as pd
import pytest

from interp_embed._fingerprint import digest_texts
from interp_embed.errors import InputError
from interp_embed.store import Store, documents, documents_digest

MESSAGES = [[{"role": "user", "content": "Hi"}], [], [{"role": "assistant", "content": None}]]


def stored(tmp_path, planted, table, **changes):
    texts = table[changes.get("text_field", "text")].tolist()
    header = planted.header(len(table), documents_digest=digest_texts(texts), **changes)
    return Store.create(tmp_path / "d", header, table)


def test_the_table_comes_back_with_its_values(tmp_path, planted):
    table = pd.DataFrame(
        {
            "text": ["a", "ü\n\x00", ""],
            "number": [1.5, np.nan, -0.0],
            "whole": pd.array([2**60 + 1, None, 3], dtype="Int64"),
            "flag": pd.array([True, None, False], dtype="boolean"),
            "when": pd.to_datetime(["2024-01-01", None, "1999-12-31"]) + pd.Timedelta(1, "ns"),
            "kind": pd.Categorical(["x", "y", "x"]),
            "messages": MESSAGES,
            "mixed": [1, "two", None],
            "big": [2**100, 1, None],
            "price": [decimal.Decimal("1.10"), decimal.Decimal("2"), None],
            "day": [datetime.date(2024, 1, 2), None, datetime.date(1, 1, 1)],
            "nothing": [None, None, None],
        },
        index=[7, 7, 9],
    )

    found = stored(tmp_path, planted, table).load_documents()

    assert list(found.columns) == list(table.columns)
    assert found.index.tolist() == [0, 1, 2]
    for name in table:
        for got, expected in zip(found[name].tolist(), table[name].tolist(), strict=True):
            assert (pd.isna(got) is True and pd.isna(expected) is True) or got == expected, name


def test_rows_and_columns_come_in_the_order_asked_for(store, planted):
    whole = planted.documents(25)

    found = store.load_documents([24, 3, 3], ["stars", "text"])

    assert list(found.columns) == ["stars", "text"]
    assert found.index.tolist() == [24, 3, 3]
    assert found["text"].tolist() == whole["text"].iloc[[24, 3, 3]].tolist()
    assert len(store.load_documents([])) == 0
    with pytest.raises(InputError, match="no column 'star'; the columns are: text, stars, author"):
        store.load_documents(columns=["star"])


def test_documents_over_several_files_and_row_groups(tmp_path, planted, monkeypatch):
    monkeypatch.setattr(documents, "FILE_ROWS", 7)
    monkeypatch.setattr(documents, "GROUP_ROWS", 3)

    store = planted.store(tmp_path / "d")

    assert len(list((tmp_path / "d/docs").iterdir())) == 4
    pd.testing.assert_frame_equal(
        store.load_documents(), planted.documents(25), check_dtype=False, check_index_type=False
    )
    assert store.load_documents(range(5, 9))["stars"].tolist() == [0, 1, 2, 3]
    store.verify()


def test_lone_surrogates_are_kept(tmp_path, planted):
    table = pd.DataFrame({"text": pd.Series(["\ud83d", "b"], dtype=object)})

    store = stored(tmp_path, planted, table)

    assert store.load_documents()["text"].tolist() == ["\ud83d", "b"]


def test_texts_that_compress_extremely_well_can_be_read_again(tmp_path, planted):
    table = pd.DataFrame({"text": ["a" * 100_000 + str(i) for i in range(40)]})

    store = stored(tmp_path, planted, table)

    assert store.load_documents()["text"].str.len().min() == 100_001


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pd.DataFrame({"text": ["a", None]}), "the texts are not those"),
        (pd.DataFrame({"body": ["a", "b"]}), "no column 'text' for the text"),
        (pd.DataFrame([["a", "x"], ["b", "y"]], columns=["text", "text"]), "each once"),
        (pd.DataFrame({"text": ["a", "b"], 3: [1, 2]}), "columns must have names"),
        (pd.DataFrame({"text": ["a", "b"], "doc": [1, 2]}), "'doc' cannot be stored: rename"),
    ],
)
def test_tables_that_cannot_be_stored_are_refused(tmp_path, planted, table, message):
    header = planted.header(2, documents_digest=digest_texts(["a", "b"]))

    with pytest.raises(InputError, match=message):
        Store.create(tmp_path / "d", header, table)
    assert not (tmp_path / "d").exists()


def test_missing_texts_and_chats_come_back_as_they_were(tmp_path, planted):
    chat = [{"role": "user", "content": "Hello"}]
    for name, values in {
        "missing": ["a", None, float("nan")],
        "chats": [chat, None, chat],
        "mixed": ["a", 3, chat],
        "numbers": [1.5, 2.0, None],
    }.items():
        table = pd.DataFrame({"text": pd.Series(values, dtype=object)})
        header = planted.header(3, documents_digest=documents_digest(table["text"]))
        store = Store.create(tmp_path / name, header, table)

        back = Store.open(tmp_path / name).load_documents()["text"]

        assert documents_digest(back) == header.documents_digest
        assert back.isna().tolist() == pd.Series(values, dtype=object).isna().tolist()
        assert [v for v in back.tolist() if isinstance(v, list | str)] == [
            v for v in values if isinstance(v, list | str)
        ]
        assert store.load_documents()["text"].isna().tolist() == back.isna().tolist()
