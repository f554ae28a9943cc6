import numpy as np
import pytest
import torch

from interp_embed.errors import InputError, StoredFileError
from interp_embed.readers import PrecomputedSource, SavedHidden, save_hidden

HIDDEN = np.arange(6, dtype=np.float32).reshape(3, 2)
SPAN = [[0, 3], [3, 8], [8, 9]]


@pytest.fixture
def documents():
    return [
        SavedHidden.from_arrays("The soup.", HIDDEN, SPAN, [True, True, False]),
        SavedHidden.from_arrays("Cold", torch.ones(1, 2, dtype=torch.bfloat16), [[0, 4]]),
    ]


def check_reads(source):
    tokenized = [source.tokenize("Cold"), source.tokenize("The soup.")]
    (batch,) = source.iter_hidden(tokenized)

    assert source.d_in == 2
    assert tokenized[1].span.tolist() == SPAN
    assert batch.document.tolist() == [0, 1, 1, 1]
    assert batch.position.tolist() == [0, 0, 1, 2]
    assert batch.counted.tolist() == [True, True, True, False]
    assert batch.hidden.float().tolist() == [[1, 1], [0, 1], [2, 3], [4, 5]]
    assert batch.finished == (0, 1)


def test_arrays_come_back_by_text(documents):
    check_reads(PrecomputedSource.from_arrays(documents))


def test_a_folder_of_files_comes_back_by_text(documents, tmp_path):
    for i, document in enumerate(documents):
        save_hidden(tmp_path / f"{i}.safetensors", document)

    check_reads(PrecomputedSource.from_folder(tmp_path))


def test_identity_changes_with_any_value(documents):
    changed = SavedHidden.from_arrays("The soup.", HIDDEN + 1, SPAN, [True, True, False])

    first = PrecomputedSource.from_arrays(documents).identity
    assert first == PrecomputedSource.from_arrays(documents).identity
    assert first != PrecomputedSource.from_arrays([changed, documents[1]]).identity


def test_batches_end_at_whole_documents():
    texts = [f"document {i}" for i in range(4)]
    saved = [
        SavedHidden.from_arrays(t, np.ones((9000, 1)), np.zeros((9000, 2), int)) for t in texts
    ]
    source = PrecomputedSource.from_arrays(saved)

    batches = list(source.iter_hidden([source.tokenize(text) for text in texts]))

    assert [batch.finished for batch in batches] == [(0,), (1,), (2,), (3,)]


def test_an_unknown_text_is_refused(documents):
    with pytest.raises(InputError, match="no hidden states for the document 'The soup'"):
        PrecomputedSource.from_arrays(documents).tokenize("The soup")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ab", HIDDEN.astype(int), SPAN), "give floating point of shape"),
        (("ab", HIDDEN[0], SPAN), "give floating point of shape"),
        (("ab", HIDDEN, SPAN[:2]), r"3 hidden states, spans of shape \(2, 2\)"),
        (("ab", HIDDEN, SPAN), "0 <= begin <= end <= 2"),
        (("The soup.", HIDDEN, SPAN, [False] * 3), "counts: none does"),
        (("The soup.", HIDDEN * np.nan, SPAN), "not a finite number"),
        ((None, HIDDEN, SPAN), "not text"),
    ],
)
def test_arrays_that_do_not_fit_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        SavedHidden.from_arrays(*arguments)


def test_documents_of_other_width_and_repeats_are_refused(documents):
    with pytest.raises(InputError, match="differ in width: 'x' has 3, the first document 2"):
        PrecomputedSource.from_arrays(
            [*documents, SavedHidden.from_arrays("x", np.ones((1, 3)), [[0, 1]])]
        )
    with pytest.raises(InputError, match="comes twice"):
        PrecomputedSource.from_arrays([*documents, documents[0]])
    with pytest.raises(InputError, match="at least one"):
        PrecomputedSource.from_arrays([])


def test_a_damaged_file_is_named(documents, tmp_path):
    save_hidden(tmp_path / "a.safetensors", documents[0])
    content = (tmp_path / "a.safetensors").read_bytes()
    (tmp_path / "a.safetensors").write_bytes(content[:-1])

    with pytest.raises(StoredFileError, match=r"a\.safetensors is damaged"):
        PrecomputedSource.from_folder(tmp_path)
