import codecs
import gzip
import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interp_embed.errors import InputError
from interp_embed.records import DroppedDocument
from interp_embed.tables import collect_documents, read_table, require_column


@pytest.fixture
def write(tmp_path):
    def write_file(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write_file


ROWS = [{"text": "One, two", "stars": 5}, {"text": 'say "hi"\nagain', "stars": 1}]
CSV = 'text,stars\n"One, two",5\n"say ""hi""\nagain",1\n'


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", CSV),
        ("a.CSV", CSV.replace("\n", "\r\n").replace("hi\"\"\r\n", "hi\"\"\n")),
        ("a.csv", CSV.replace("stars", '"stars"').replace(",5", ";5").replace(",1", ";1")
         .replace("text,", "text;")),
        ("a.tsv", CSV.replace(",5", "\t5").replace(",1", "\t1").replace("text,", "text\t")),
        ("a.txt", CSV.replace(",5", "\t5").replace(",1", "\t1").replace("text,", "text\t")),
        ("a.jsonl", "\n\n".join(map(json.dumps, ROWS))),
        ("a.ndjson", "\n".join(map(json.dumps, ROWS)) + "\n"),
        ("a.csv", codecs.BOM_UTF8 + CSV.encode()),
        ("a.csv", CSV.encode("utf-16")),
        ("a.csv", CSV.encode("utf-32")),
        ("a.jsonl", "\n".join(map(json.dumps, ROWS)).encode("utf-8-sig")),
    ],
)  # fmt: skip
def test_the_same_table_is_read_from_every_kind_of_file(write, name, content, compressed):
    content = content if isinstance(content, bytes) else content.encode()
    path = (
        write(name + ".gz", gzip.compress(content, mtime=0)) if compressed else write(name, content)
    )

    table = read_table(path)

    assert table.to_dict("records") == ROWS
    assert table["stars"].dtype == np.int64
    assert list(table.index) == [0, 1]


def test_parquet_is_read_with_all_its_columns(tmp_path):
    path = tmp_path / "a.parquet"
    rows = [*ROWS, {"text": "Three", "stars": 2}]
    pd.DataFrame(rows).set_index("stars").to_parquet(path)

    assert read_table(str(path))[["text", "stars"]].to_dict("records") == rows


def test_text_stays_text(write):
    path = write(
        "a.csv",
        "text,code,word,number,mixed,flag,big\n"
        "NA,007,1e5x,1.5,1,True,12345678901234567890\n"
        "null,010,nan,,no majority,False,1\n"
        ",1,inf,-2,3,True,2\n",
    )

    table = read_table(path)

    assert table["text"].tolist()[:2] == ["NA", "null"]
    assert pd.isna(table["text"][2])
    assert table["code"].tolist() == ["007", "010", "1"]
    assert table["word"].tolist() == ["1e5x", "nan", "inf"]
    assert table["number"].tolist()[::2] == [1.5, -2.0]
    assert math.isnan(table["number"][1])
    assert table["mixed"].tolist() == ["1", "no majority", "3"]
    assert table["flag"].tolist() == ["True", "False", "True"]
    assert table["big"].tolist() == ["12345678901234567890", "1", "2"]


def test_a_long_field_is_read_whole_and_the_csv_module_left_as_it_was(write):
    import csv

    limit = csv.field_size_limit()
    text = "word " * 100_000

    assert read_table(write("a.csv", f'text,n\n"{text}",1\n'))["text"][0] == text
    assert csv.field_size_limit() == limit


def test_a_single_column_and_blank_lines_are_read(write):
    assert read_table(write("a.csv", "\ntext\nOne\n\nTwo\n"))["text"].tolist() == ["One", "Two"]
    assert read_table(write("b.csv", "text,n\nOne,1\n  \n\n"))["text"].tolist() == ["One"]


def test_a_column_without_a_name_gets_one(write):
    assert list(read_table(write("a.csv", ",text\n0,One\n")).columns) == ["Unnamed: 0", "text"]


def test_json_keys_that_come_and_go_are_missing_elsewhere(write):
    table = read_table(write("a.jsonl", '{"text": "One"}\n{"stars": "5", "text": null}\n'))

    assert list(table.columns) == ["text", "stars"]
    assert table["stars"].tolist()[1] == "5"
    assert pd.isna(table["stars"][0])
    assert pd.isna(table["text"][1])


def test_large_integers_beside_missing_ones_are_not_rounded(write):
    table = read_table(write("a.jsonl", '{"id": 12345678901234567}\n{"text": "b"}\n'))

    assert table["id"][0] == 12345678901234567


def test_lone_surrogates_and_line_separators_in_json_do_no_harm(write):
    table = read_table(write("a.jsonl", '{"text": "a\\ud800b"}\n{"text": "c\u2028d\x85e"}\n'))

    assert table["text"].tolist() == ["a\ud800b", "c\u2028d\x85e"]


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r")),
            st.integers(-(2**53), 2**53),
        ),
        min_size=1,
    )
)
def test_what_pandas_writes_comes_back(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("tables") / "a.csv"
    texts = [f"t{text}" for text, _ in rows]
    pd.DataFrame({"text": texts, "n": [n for _, n in rows]}).to_csv(path, index=False)

    table = read_table(path)

    assert table["text"].tolist() == texts
    assert table["n"].tolist() == [n for _, n in rows]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "is empty"),
        ("a.csv", b"\xef\xbb\xbf\n", "is empty"),
        ("a.jsonl", "  \n \n", "is empty"),
        ("a.csv", "text,stars\n", "2 columns but no rows"),
        ("a.csv", "text,stars\nOne,1\nTwo, too,2\n", "line 3: 3 fields, but the header has 2"),
        ("a.csv", "text,stars\nOne,1\nTwo\n", "line 3: 1 fields, but the header has 2"),
        ("a.csv", 'text,n\n"a\nb",1\nTwo,2,3\n', "line 4: 3 fields"),
        ("a.csv", 'text,n\n"One,1\nTwo,2\n', "record that starts in line 2: unexpected end"),
        ("a.csv", 'text,n\n"One" more,1\n', "record that starts in line 2: .*expected after"),
        ("a.csv", "text,text\n1,2\n", "several columns named 'text'"),
        ("a.csv", "text\ncafé\n".encode("latin-1"), r"byte 0xe9 at position 8 \(line 2\)"),
        ("a.csv", codecs.BOM_UTF16_LE + b"a", "is not UTF-16"),
        ("a.txt", "just some words\n", "none; save it as .csv"),
        ("a.xlsx", "PK", "suffix that is not known; use one of .csv, .tsv"),
        ("a.parquet.gz", "", "suffix that is not known"),
        ("a", "text\n1\n", "suffix that is not known"),
        ("a.gz", "text\n1\n", "suffix that is not known"),
        ("a.jsonl", '{"text": 1}\n{"text": \n', "line 2 is not JSON: Expecting value"),
        ("a.jsonl", '{"text": 1}\n[1, 2]\n', "line 2 holds a list, not an object"),
        ("a.jsonl", '{"text": 1, "text": 2}\n', "line 1: the key 'text' is there twice"),
        ("a.jsonl", "[" * 100_000, "line 1"),
        ("a.jsonl", '{"n": ' + "1" * 5000 + "}", "line 1: Exceeds the limit"),
        ("a.jsonl", "{}\n{}\n", "2 rows but no columns"),
        ("a.csv.gz", "text\n1\n", "cannot be decompressed"),
        ("a.csv.gz", gzip.compress(b"text\n1\n" * 99, mtime=0)[:-10], "cannot be decompressed"),
        (
            "a.csv.gz",
            gzip.compress(b"text\n1\n", mtime=0)[:10] + b"\xff\xff\xff",
            "cannot be decompressed",
        ),
        ("a.parquet", "not parquet at all", "cannot be read as Parquet"),
        ("a.parquet", "", "cannot be read as Parquet"),
        ("a.parquet", b"PAR1" + b"\x00" * 50 + b"PAR1", "cannot be read as Parquet"),
    ],
)
def test_files_that_cannot_be_read_say_why(write, name, content, message):
    path = write(name, content)

    with pytest.raises(InputError, match=message) as caught:
        read_table(path)

    assert name in str(caught.value)


def test_a_missing_file_names_the_closest_one(write, tmp_path):
    write("reviews.csv", "text\na\n")

    with pytest.raises(InputError, match=r"does not exist; did you mean 'reviews.csv'"):
        read_table(tmp_path / "review.csv")
    with pytest.raises(InputError, match="there is no folder"):
        read_table(tmp_path / "nowhere" / "review.csv")
    with pytest.raises(InputError, match="is a folder"):
        read_table(tmp_path)


def test_a_truncated_parquet_file_is_refused(tmp_path):
    path = tmp_path / "a.parquet"
    pd.DataFrame(ROWS).to_parquet(path)
    path.write_bytes(path.read_bytes()[:-200])

    with pytest.raises(InputError, match="cannot be read as Parquet"):
        read_table(path)


def test_a_required_column_is_returned_or_the_closest_named():
    table = pd.DataFrame({"Text": ["a"], "stars": [1]})

    assert require_column(table, "stars", purpose="the target").tolist() == [1]
    with pytest.raises(
        InputError,
        match=r"no column 'text' for the text; did you mean 'Text'\?; "
        "the columns are: 'Text', 'stars'",
    ):
        require_column(table, "text", purpose="the text")
    with pytest.raises(InputError, match="2 columns are named 'a'"):
        require_column(pd.DataFrame([[1, 2]], columns=["a", "a"]), "a", purpose="the text")


def test_documents_that_cannot_be_used_are_dropped_with_a_reason():
    texts = ["One", None, float("nan"), pd.NA, "", " \n\u200b", 7, b"x", ["a"], "  Two ", pd.NaT]

    documents = collect_documents(texts, range(11))

    assert documents.texts == ("One", "  Two ")
    assert documents.rows.tolist() == [0, 9]
    assert documents.dropped == (
        DroppedDocument(1, "text is missing"),
        DroppedDocument(2, "text is missing"),
        DroppedDocument(3, "text is missing"),
        DroppedDocument(4, "text is empty"),
        DroppedDocument(5, "text is only white space"),
        DroppedDocument(6, "text is of type int, not a string"),
        DroppedDocument(7, "text is of type bytes, not a string"),
        DroppedDocument(8, "text is of type list, not a string"),
        DroppedDocument(10, "text is missing"),
    )


@pytest.mark.parametrize("dtype", [object, "string", "category", "str"])
def test_documents_come_from_columns_of_any_text_type(dtype):
    column = pd.Series(["One", "Two"], index=[7, 3]).astype(dtype)

    documents = collect_documents(column)

    assert documents.texts == ("One", "Two")
    assert documents.rows.tolist() == [0, 1]


def test_texts_of_another_length_or_kind_are_refused():
    with pytest.raises(InputError, match="2 texts but 3 values in column 2"):
        collect_documents(["a", "b"], [1, 2], [1, 2, 3])
    with pytest.raises(InputError, match="strings, got one str"):
        collect_documents("a text")
    with pytest.raises(InputError, match="strings, got one DataFrame"):
        collect_documents(pd.DataFrame({"text": ["a"]}))


def test_no_texts_are_no_documents():
    documents = collect_documents([])

    assert documents.texts == ()
    assert documents.rows.shape == (0,)
