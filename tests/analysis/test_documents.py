import numpy as np
import pytest
from scipy.sparse import csr_matrix

from interp_embed.analysis import EncodedDocuments, check_comparable
from interp_embed.errors import InputError


def documents(values, **changes) -> EncodedDocuments:
    matrix = csr_matrix(np.array(values, np.float32))
    given = {
        "texts": [f"document {i}" for i in range(matrix.shape[0])],
        "activations": matrix,
        "n_tokens": np.full(matrix.shape[0], 5),
    }
    return EncodedDocuments(**(given | changes))


def test_a_feature_fires_above_its_cut():
    found = documents([[0, 2], [1, 3]], cuts=np.array([1, 2], np.float32)).fires()

    assert found.toarray().tolist() == [[0, 0], [0, 1]]
    assert documents([[0, 2], [1, 3]]).fires().toarray().tolist() == [[0, 1], [1, 1]]


def test_some_documents_keep_their_places_in_the_data_set():
    some = documents([[0, 2], [1, 3], [4, 0]]).take(np.array([2, 0]))

    assert some.texts == ["document 2", "document 0"]
    assert some.positions.tolist() == [2, 0]
    assert some.take(np.array([0])).positions.tolist() == [2]


def test_parts_of_other_documents_are_refused():
    with pytest.raises(InputError, match="texts has 1 entries, but there are activations of 2"):
        documents([[1], [2]], texts=["one"])
    with pytest.raises(InputError, match="cuts has 1 entries for 2 features"):
        documents([[1, 2]], cuts=np.zeros(1, np.float32))


def test_features_of_another_sae_or_pooling_are_refused():
    one = documents([[1, 2]], source={"sae": "a", "pool": "max"})

    check_comparable(one, documents([[3, 4]], source={"pool": "max", "sae": "a"}))
    with pytest.raises(InputError, match=r"pool: max and mean"):
        check_comparable(one, documents([[3, 4]], source={"sae": "a", "pool": "mean"}))
    with pytest.raises(InputError, match="of 2 and 3 features"):
        check_comparable(one, documents([[3, 4, 5]]))
