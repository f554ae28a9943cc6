import builtins
import enum
import io
import os
import pickle
import pickletools
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from interp_embed.dataset._inert_pickle import read_inert
from interp_embed.dataset.predecessor import iter_documents, read_predecessor_pickle
from interp_embed.errors import InputError, StoredFileError

# Written by pandas 2.2.3, numpy 1.26.4 and scipy 1.13.1 from made-up texts, as saved() below.
OLD = Path(__file__).with_name("predecessor_pandas_2.2.3.pkl")
TEXTS = ["Cold tea", "c\u00f4te 😀", "lost"]
ROW = np.array([[0, 0, 0, 0, 0], [1.5, 0, 0, 2, 0], [0, 0, 0.5, 0, 0]], np.float32)


class SAEType(enum.Enum):
    LOCAL = "local"


SAEType.__module__, SAEType.__qualname__ = "interp_embed.sae.base_sae", "SAEType"


def saved(**changes):
    """What the predecessor pickles."""
    content = {
        "dataset": pd.DataFrame(
            {
                "text": TEXTS,
                "stars": [1, 2, 3],
                "when": pd.to_datetime(["2020-01-01", None, "2021-05-05"]),
                "tags": [["a", np.float64(1)], {"k": None}, None],
            }
        ),
        "rows": [csr_matrix(ROW), csr_matrix(ROW * 2), None],
        "aggregate_activations": [
            {"max": csr_matrix(ROW.max(0)), "sum": csr_matrix(ROW.sum(0))},
            {"max": csr_matrix(2 * ROW.max(0)), "sum": csr_matrix(2 * ROW.sum(0))},
            None,
        ],
        "tokenized_documents": [["<s>", "Cold", " tea"], ["<s>", "c\u00f4te", " 😀"], None],
        "field": "text",
        "dataset_description": "made up",
        "id": "x1",
        "sae_metadata": {
            "sae_type": SAEType.LOCAL,
            "device": {"model": "cuda:0", "sae": "cpu"},
            "sae_id": "blocks.7",
        },
        "feature_labels": {0: "cold things", 3: "drinks"},
    }
    return content | changes


@pytest.fixture
def file(tmp_path, monkeypatch):
    """Writes contents to a file by plain pickle, with the predecessor's enum in its place."""
    module = types.ModuleType("interp_embed.sae.base_sae")
    module.SAEType = SAEType

    def write(content, protocol=pickle.HIGHEST_PROTOCOL):
        path = tmp_path / "dataset.pkl"
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, "interp_embed.sae.base_sae", module)
            path.write_bytes(pickle.dumps(content, protocol))
        return path

    return write


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_saved_data_set_reads_back_whole(file, protocol):
    dataset = read_predecessor_pickle(file(saved(), protocol))

    check_whole(dataset)


def test_what_pandas_2_and_numpy_1_saved_reads_the_same():
    check_whole(read_predecessor_pickle(OLD))


def check_whole(dataset):
    frame = dataset.frame
    assert frame["text"].tolist() == TEXTS
    assert frame["stars"].tolist() == [1, 2, 3]
    assert frame["when"].isna().tolist() == [False, True, False]
    assert frame["when"][2] == pd.Timestamp("2021-05-05")
    assert frame["tags"].tolist() == [["a", 1.0], {"k": None}, None]
    np.testing.assert_array_equal(dataset.token_activations[1].toarray(), 2 * ROW)
    assert dataset.token_activations[2] is None
    np.testing.assert_array_equal(dataset.aggregates[0]["sum"].toarray(), [ROW.sum(0)])
    assert dataset.tokens[0] == ["<s>", "Cold", " tea"]
    assert (dataset.field, dataset.description, dataset.id) == ("text", "made up", "x1")
    assert dataset.sae_metadata == {
        "sae_type": "local",
        "device": {"model": "cuda:0", "sae": "cpu"},
        "sae_id": "blocks.7",
    }
    assert dataset.feature_labels == {0: "cold things", 3: "drinks"}
    assert dataset.n_features == 5


@pytest.mark.parametrize(
    ("column", "dtype"),
    [
        (["x", None, "y"], "string"),
        (["u", "v", "u"], "category"),
        ([1, None, 3], "Int64"),
        ([True, None, False], "boolean"),
        ([0.5, None, 2], "Float32"),
        (["2020-01-01", "2021-01-01", None], "datetime64[ns]"),
        ([1, 2, 3], "uint8"),
        ([True, False, True], "bool"),
    ],
)
@pytest.mark.parametrize("protocol", [2, 5])
def test_columns_of_every_usual_kind_are_read(file, column, dtype, protocol):
    frame = pd.DataFrame({"text": TEXTS, "x": pd.Series(column, dtype=dtype)})

    read = read_predecessor_pickle(file(saved(dataset=frame), protocol)).frame

    pd.testing.assert_series_equal(read["x"], frame["x"])


def test_dates_with_a_zone_and_another_index_are_read(file):
    frame = pd.DataFrame({"text": TEXTS}, index=["a", "b", "c"])
    frame["x"] = pd.to_datetime(["2020-01-01"] * 3, utc=True)
    frame = frame.loc[["c", "a", "b"]]

    read = read_predecessor_pickle(file(saved(dataset=frame))).frame

    pd.testing.assert_frame_equal(read, frame)


def test_a_run_that_stopped_early_leaves_the_rest_without_activations(file):
    dataset = read_predecessor_pickle(file(saved(rows=[csr_matrix(ROW)])))

    assert [row is None for row in dataset.token_activations] == [False, True, True]


def test_nothing_but_a_table_is_still_a_data_set(file):
    nothing = dict.fromkeys(["rows", "aggregate_activations", "tokenized_documents"])
    dataset = read_predecessor_pickle(file(saved(**nothing, feature_labels={}, sae_metadata=None)))

    assert dataset.token_activations == dataset.tokens == [None, None, None]
    assert dataset.n_features is None


def test_documents_come_with_the_places_of_their_tokens(file):
    first, second, third = iter_documents(read_predecessor_pickle(file(saved())))

    assert [first.text[a:b] for a, b in first.span] == ["", "Cold", " tea"]
    assert first.counted.tolist() == [False, True, True]
    np.testing.assert_array_equal(first.activations.toarray(), ROW)
    assert [second.text[a:b] for a, b in second.span] == ["", "c\u00f4te", " 😀"]
    assert third.activations is None
    assert third.error == "the predecessor saved no activations"
    assert len(third.span) == len(third.counted) == 0


def test_tokens_cut_one_apart_from_their_activations_are_put_right(file):
    """The predecessor cut 31 template tokens but 30 rows of activations."""
    tokens = [["Cold", " tea"], ["c\u00f4te"], None]

    first, second, _ = iter_documents(
        read_predecessor_pickle(file(saved(tokenized_documents=tokens)))
    )

    assert [first.text[a:b] for a, b in first.span] == ["", "Cold", " tea"]
    assert first.counted.tolist() == [False, True, True]
    assert (second.span == 0).all()  # two apart: no place is known, and all tokens count
    assert second.counted.all()


class Calls:
    """Pickles as a call of any function with any arguments."""

    def __init__(self, function, *args, state=None):
        self.parts = (function, args) if state is None else (function, args, state)

    def __reduce__(self):
        return self.parts


def named(module, name):
    """Pickles as the name of something, whether or not it exists."""
    return f"c{module}\n{name}\n".encode()


EVIL = {
    "posix.system": Calls(os.system, "touch {mark}"),
    "builtins.eval": Calls(eval, "open({mark!r}, 'w')"),
    "builtins.exec": Calls(exec, "open({mark!r}, 'w')"),
    "io.open": Calls(open, "{mark}", "w"),
    "builtins.__import__": Calls(__import__, "os"),
    "builtins.getattr": Calls(getattr, "x", "__class__"),
    "builtins.type": Calls(type, "X", (), {}),
    "builtins.map": Calls(map, str, ()),
    "subprocess.Popen": Calls(subprocess.Popen, ["touch", "{mark}"]),
    "pandas.read_pickle": Calls(pd.read_pickle, "{mark}"),
    "numpy.load": Calls(np.load, "{mark}"),
    "numpy.save": Calls(np.save, "{mark}", [1]),
    "numpy.testing._private.utils.runstring": Calls(
        np.testing._private.utils.runstring, "open({mark!r}, 'w')", {}
    ),
    "pathlib": Calls(Path.touch, Path("{mark}")),
    "operator.attrgetter": Calls(__import__("operator").attrgetter, "system"),
    "functools.partial": Calls(__import__("functools").partial, os.system, "touch {mark}"),
    "io.BytesIO": Calls(io.BytesIO, b""),
    "pickle.loads": Calls(pickle.loads, b"N."),
}


def marked(value, mark):
    if isinstance(value, str):
        return value.format(mark=mark)
    if isinstance(value, Path):
        return Path(mark)
    return [marked(part, mark) for part in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", EVIL)
@pytest.mark.parametrize("place", ["whole", "cell", "metadata"])
def test_a_file_that_would_run_something_is_refused_and_runs_nothing(tmp_path, file, name, place):
    mark = tmp_path / "ran"
    function, args = EVIL[name].parts
    evil = Calls(function, *(marked(arg, str(mark)) for arg in args))
    content = {
        "whole": evil,
        "cell": saved(dataset=pd.DataFrame({"text": [*TEXTS, evil]})),
        "metadata": saved(sae_metadata={"device": evil}),
    }[place]

    with pytest.raises(StoredFileError, match=r"names '.*not imported or run") as caught:
        read_predecessor_pickle(file(content))

    assert name in str(caught.value)
    assert not mark.exists()


@pytest.mark.parametrize(
    "body",
    [
        named("os", "system") + b"(S'touch {mark}'\ntR.",
        b"(ios\nsystem\nS'touch {mark}'\n.",  # INST
        b"(cos\nsystem\nS'touch {mark}'\no.",  # OBJ
        b"\x80\x02cnumpy.f2py.crackfortran\nmyeval\n(S'1'\ntR.",
        b"\x80\x02cnumpy.f2py.diagnose\nrun_command\n(S'touch {mark}'\ntR.",
        b"\x80\x04\x8c\x08builtins\x8c\x0deval.__call__\x93.",
        b"\x80\x04\x8c\x06pandas\x8c\x13io.common.os.system\x93.",
        b"\x80\x04\x8c\x0cnumpy.ctypes\x8c\x04CDLL\x93.",
        b"\x80\x02cinterp_embed.sae.checkpoint\nload_sae\n.",
        b"\x80\x02cno_such_module_at_all\nx\n.",
    ],
)
def test_hand_made_pickles_are_refused_by_name(tmp_path, body):
    mark, path = tmp_path / "ran", tmp_path / "evil.pkl"
    path.write_bytes(body.replace(b"{mark}", str(mark).encode()))

    with pytest.raises(StoredFileError, match=r"names '"):
        read_predecessor_pickle(path)

    assert not mark.exists()
    assert "no_such_module_at_all" not in sys.modules


def test_objects_outside_the_file_are_refused(tmp_path):
    path = tmp_path / "evil.pkl"
    path.write_bytes(b"\x80\x04\x8c\x03abcQ.")

    with pytest.raises(StoredFileError, match="outside the file"):
        read_predecessor_pickle(path)


@pytest.mark.parametrize(
    "body",
    [
        # State set on a name, attributes set by state, items set on a record, calls of records.
        b"\x80\x02cnumpy\nndarray\n}S'a'\nK\x01sb.",
        b"\x80\x02cnumpy\nndarray\nN}S'__init__'\nK\x01s\x86b.",
        b"\x80\x02cnumpy\nndarray\n)\x81}S'kind'\nS'x'\nsb.",
        b"\x80\x02cnumpy\nndarray\n)\x81S'x'\nS'y'\ns.",
        b"\x80\x02cnumpy\nndarray\n)\x81(S'x'\ne.",
        b"\x80\x02cnumpy\nndarray\n)\x81)R.",
        b"\x80\x02cnumpy\nndarray\n)\x81}S'__class__'\ncnumpy\ndtype\ns\x86b.",
    ],
)
def test_known_names_put_to_other_uses_make_no_data_set_and_leave_nothing(tmp_path, file, body):
    path = tmp_path / "evil.pkl"
    path.write_bytes(body)

    with pytest.raises(StoredFileError):
        read_predecessor_pickle(path)

    check_whole(read_predecessor_pickle(file(saved())))


def test_reading_resolves_no_name_to_the_thing_it_names(file, monkeypatch):
    path, keys = file(saved()), set(saved())
    wanted = {"numpy", "pandas", "scipy"}
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        assert name.partition(".")[0] not in wanted, f"imported {name}"
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)

    assert set(read_inert(path)) == keys


@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.9, 0.999])
def test_a_file_cut_off_is_said_to_be(file, share):
    path = file(saved())
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])

    with pytest.raises(StoredFileError, match=r"cut off|0 bytes"):
        read_predecessor_pickle(path)


def test_garbage_never_gives_anything_but_a_clear_error(tmp_path, file):
    whole = bytearray(file(saved()).read_bytes())
    rng = np.random.default_rng(0)
    path = tmp_path / "garbage.pkl"
    refused = 0
    for _ in range(400):
        damaged = bytearray(whole)
        for place in rng.integers(len(whole), size=3):
            damaged[place] = int(rng.integers(256))
        path.write_bytes(damaged)
        try:
            read_predecessor_pickle(path)
        except StoredFileError:
            refused += 1

    assert refused > 50


def csr_state(**changes):
    """A matrix whose pickled state is not what it was when it was made."""
    matrix = csr_matrix(ROW)
    vars(matrix).update(changes)
    return matrix


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"indices": np.array([0, 3, 5], np.int32)}, "a column is not below 5"),
        ({"indices": np.array([0, 3, -1], np.int32)}, "a column is negative"),
        ({"indices": np.array([0, 2**31 - 1, 1], np.int32)}, "a column is not below 5"),
        ({"indptr": np.array([0, 0, 2, 9], np.int32)}, "fewer entries than the rows claim"),
        ({"indptr": np.array([0, 3, 2, 3], np.int32)}, "do not ascend"),
        ({"indptr": np.array([1, 1, 2, 3], np.int32)}, "do not ascend"),
        ({"indptr": np.array([0, 3], np.int32)}, "not one more than the rows"),
        ({"indptr": np.array([0, 0, 2.0, 3])}, "no whole numbers"),
        ({"indices": np.array([3, 3, 1], np.int32)}, "twice in one row"),
        ({"data": np.array([1, np.nan, 1], np.float32)}, "NaN or infinite"),
        ({"data": np.array([1, -1, 1], np.float32)}, "negative"),
        ({"data": np.array(["a", "b", "c"])}, "no numbers"),
        ({"_shape": (3, -5)}, "no usable shape"),
        ({"_shape": "35"}, "no usable shape"),
        ({"data": None}, "an array was expected"),
    ],
)
def test_activations_that_cannot_be_are_refused_before_scipy_sees_them(file, changes, message):
    path = file(saved(rows=[None, csr_state(**changes), None]))

    with pytest.raises(StoredFileError, match=f"rows of document 1: .*{message}"):
        read_predecessor_pickle(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset": {"text": TEXTS}}, "a pandas table was expected, not dict"),
        ({"dataset": np.eye(2)}, "a pandas table was expected"),
        ({"field": "body"}, "no column 'body'"),
        ({"field": None}, "no column None"),
        ({"rows": [None] * 4}, "4 rows for 3 documents"),
        ({"rows": 3}, "the rows are int"),
        ({"rows": [np.eye(3)]}, "a sparse matrix was expected"),
        ({"rows": [csr_matrix((3, 5)), csr_matrix((3, 6))]}, "different numbers of features"),
        ({"aggregate_activations": [{"max": csr_matrix(ROW)}]}, "not one row"),
        ({"tokenized_documents": [[1, 2]]}, "no list of texts"),
        ({"feature_labels": {7: "x"}}, "there is no feature 7"),
        ({"feature_labels": {-1: "x"}}, "there is no feature -1"),
        ({"feature_labels": {1: 2}}, "feature 1 is no text"),
        ({"feature_labels": {True: "x"}}, "label of True"),
        ({"feature_labels": ["x"]}, "not a dict"),
        ({"sae_metadata": [1]}, "no dict"),
        ({"id": [1]}, "the id is list"),
    ],
)
def test_what_is_no_data_set_is_refused_with_the_reason(file, changes, message):
    with pytest.raises(StoredFileError, match=message):
        read_predecessor_pickle(file(saved(**changes)))


@pytest.mark.parametrize("content", [None, [], 3, {"a": 1}, {"dataset": 1}])
def test_other_pickles_are_refused(file, content):
    with pytest.raises(StoredFileError, match="no usable data set"):
        read_predecessor_pickle(file(content))


def test_values_that_hold_themselves_end(file):
    loop = []
    loop.append(loop)
    array = np.empty(1, object)
    array[0] = array
    wide = []
    for _ in range(60):
        wide = [wide, wide]

    for value in (loop, array, wide):
        with pytest.raises(StoredFileError, match="nested too deeply"):
            read_predecessor_pickle(file(saved(sae_metadata={"x": value})))


def test_shared_parts_are_read_once(file):
    wide = []
    for _ in range(30):  # 2**30 leaves, 30 lists
        wide = [wide, wide]

    assert read_predecessor_pickle(file(saved(sae_metadata={"x": wide}))).sae_metadata["x"]


def test_files_that_are_missing_or_too_large_are_named(tmp_path, file):
    with pytest.raises(InputError, match="none.pkl cannot be read"):
        read_predecessor_pickle(tmp_path / "none.pkl")
    with pytest.raises(InputError, match="cannot be read"):
        read_predecessor_pickle(tmp_path)
    with pytest.raises(StoredFileError, match="at most 100"):
        read_predecessor_pickle(file(saved()), max_bytes=100)


def test_a_length_the_file_does_not_have_costs_no_memory(tmp_path):
    path = tmp_path / "long.pkl"
    path.write_bytes(b"\x80\x04\x8e" + (2**40).to_bytes(8, "little") + b"abc.")

    with pytest.raises(StoredFileError, match="not a whole pickle"):
        read_predecessor_pickle(path)


def test_the_old_file_names_what_old_versions_wrote():
    text = "".join(str(arg) for _, arg, _ in pickletools.genops(OLD.read_bytes()))

    assert "numpy.core" in text
    assert "numpy._core" not in text
