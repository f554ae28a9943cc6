import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.metrics import adjusted_rand_score

from interp_embed.analysis import (
    EncodedDocuments,
    FeatureQuery,
    cluster_documents,
    compare_methods,
    find_features,
)
from interp_embed.analysis.clusters.accuracy import Statements, give_back
from interp_embed.errors import InputError
from interp_embed.interpret import LLMRoles
from interp_embed.llm import ScriptedLLM
from interp_embed.records import Annotations
from interp_embed.synthetic import plant_axes

PLANTED = plant_axes(480, n_nuisance=20, missed=0.2, false=0.02, seed=1)
QUICK = {"n_resamples": 2, "null": 0}


def as_documents(planted=PLANTED, **changes):
    given = {
        "texts": planted.texts,
        "activations": planted.activations,
        "n_tokens": np.array([len(text.split()) for text in planted.texts]),
        "labels": dict(enumerate(planted.labels)),
    }
    return EncodedDocuments(**(given | changes))


def small(values, **changes):
    found = csr_matrix(np.array(values, np.float32))
    texts = [f"document {i}" for i in range(found.shape[0])]
    tokens = np.full(found.shape[0], 2)
    return EncodedDocuments(texts, found, tokens, **changes)


DOCUMENTS = as_documents()


def agreement(axis, clusters):
    return adjusted_rand_score(PLANTED.truth[axis], clusters.assignment)


@pytest.mark.parametrize("axis", PLANTED.values)
def test_documents_are_divided_by_what_is_asked_for(axis):
    query = find_features(axis, DOCUMENTS.labels)

    found = cluster_documents(DOCUMENTS, features=query, k=len(PLANTED.values[axis]), **QUICK)

    assert agreement(axis, found) > 0.85
    assert max(agreement(other, found) for other in PLANTED.values if other != axis) < 0.05
    assert found.query == axis


@pytest.mark.parametrize("axis", ["topic", "sentiment"])
def test_the_number_of_clusters_is_found(axis):
    features = PLANTED.features_of(axis)

    found = cluster_documents(DOCUMENTS, features=features, k_range=(2, 8), **QUICK)

    assert found.k == len(PLANTED.values[axis])
    assert found.candidates_frame()["k"].tolist() == list(range(2, 9))
    assert [tried.k for tried in found.candidates if tried.chosen] == [found.k]


def test_clusters_explain_more_than_those_of_shuffled_features():
    found = cluster_documents(
        DOCUMENTS, features=PLANTED.features_of("tense"), k=3, n_resamples=2, null=19
    )

    assert found.null.p_explained == pytest.approx(1 / 20)
    assert found.null.p_stability == pytest.approx(1 / 20)
    assert found.explained > 2 * found.null.explained_shuffled
    assert "more than" in found.summary()


def test_clusters_of_nothing_are_not_said_to_be_any():
    random = np.random.default_rng(0)
    noise = small(random.random((300, 12)) < 0.3)

    found = cluster_documents(noise, k=4, n_resamples=2, null=19)

    assert found.null.p_explained > 0.05
    assert "no more than" in found.summary()


def test_documents_in_which_nothing_fires_are_in_no_cluster_and_told():
    found = cluster_documents(small([[1, 0], [0, 0], [0, 1], [1, 0], [0, 1]]), k=2, **QUICK)

    assert found.assignment[1] == -1
    assert found.assignment[0] == found.assignment[3] != found.assignment[2]
    assert np.isnan(found.coordinates[1]).all()
    assert found.n_outside == 1
    assert "(-1): 1, in which none of the features fires" in found.summary()
    assert found.documents_frame()["name"].tolist()[1] == ""


def test_documents_with_the_same_features_stay_together():
    random = np.random.default_rng(1)
    values = np.tile((random.random((40, 6)) < 0.4).astype(float), (3, 1))
    rows = [row.tobytes() for row in values]

    found = cluster_documents(small(values), k=5, **QUICK)

    for key in set(rows):
        assert len({found.assignment[i] for i, row in enumerate(rows) if row == key}) == 1


def test_the_same_seed_gives_the_same_clusters():
    first, second = (cluster_documents(DOCUMENTS, k=4, seed=3, **QUICK) for _ in range(2))

    assert first.assignment.tobytes() == second.assignment.tobytes()
    assert first.coordinates.tobytes() == second.coordinates.tobytes()
    assert json.dumps(first.to_json()) == json.dumps(second.to_json())


def test_a_cluster_is_described_on_documents_that_did_not_choose_the_description():
    found = cluster_documents(DOCUMENTS, features=PLANTED.features_of("style"), k=2, **QUICK)

    feature = found.clusters[0].features[0]
    counted = PLANTED.activations[:, feature.feature].toarray().ravel() > 0
    assert feature.clustered_by
    assert np.isnan([feature.p, feature.q]).all()
    assert feature.n_inside + feature.n_outside < 0.6 * len(DOCUMENTS)
    assert feature.inside == pytest.approx(counted[found.assignment == 0].mean(), abs=0.1)
    assert feature.low < feature.difference < feature.high
    assert all(cluster.given_back.share > 0.9 for cluster in found.clusters)
    assert all(cluster.given_back.n < 0.6 * cluster.n for cluster in found.clusters)


def test_what_else_goes_with_a_cluster_is_listed_beside():
    values = PLANTED.activations.toarray()
    informal = PLANTED.truth["style"] == 1
    values[:, -1] = informal * (np.arange(len(informal)) % 5 > 0)
    found = cluster_documents(
        as_documents(activations=csr_matrix(values)),
        features=PLANTED.features_of("style"),
        k=2,
        **QUICK,
    )

    beside = [f for cluster in found.clusters for f in cluster.beside]
    assert {f.feature for f in beside} == {values.shape[1] - 1}
    assert all(f.p <= f.q <= 0.05 for f in beside)


def test_what_is_beside_is_corrected_for_without_the_features_clustered_by():
    """Those differ by construction, and would make room for chance among the others."""
    random, n_listed = np.random.default_rng(0), 0
    style = PLANTED.activations[:, PLANTED.features_of("style")].toarray()
    for run in range(20):
        noise = (random.random((len(DOCUMENTS), 40)) < 0.3).astype(float)
        found = cluster_documents(
            as_documents(activations=csr_matrix(np.hstack([style, noise]))),
            features=np.arange(style.shape[1]),
            k=2,
            seed=run,
            n_resamples=1,
            null=0,
        )
        n_listed += any(cluster.beside for cluster in found.clusters)

    assert n_listed <= 4  # 0.05 of 20 runs, and 3 standard errors


def test_the_frame_has_the_columns_readers_rely_on():
    found = cluster_documents(DOCUMENTS, features=PLANTED.features_of("style"), k=2, **QUICK)
    frame = found.to_frame()

    assert {
        "cluster", "name", "n", "share", "features", "stability", "accuracy", "accuracy_low",
        "accuracy_high", "central",
    } <= set(frame)  # fmt: skip
    assert frame["n"].sum() + found.n_outside == len(DOCUMENTS)
    assert frame["share"].sum() == pytest.approx(1)
    assert found.features_frame()["clustered_by"].any()
    central = found.clusters[0].central
    assert len({document.text for document in central}) == 5
    assert all(found.assignment[document.position] == 0 for document in central)


def test_positions_are_those_of_the_whole_data_set():
    chosen = np.arange(479, -1, -2)

    found = cluster_documents(
        DOCUMENTS.take(chosen), features=PLANTED.features_of("style"), k=2, **QUICK
    )

    assert found.positions.tolist() == chosen.tolist()
    for document in found.clusters[0].central:
        assert PLANTED.texts[document.position] == document.text


def test_results_are_plain_json_escaped_html_and_a_plot():
    texts = ["<b>first</b> " + text for text in PLANTED.texts]
    labels = dict.fromkeys(range(PLANTED.activations.shape[1]), "<i>label</i>")
    found = cluster_documents(
        as_documents(texts=texts, labels=labels), features=PLANTED.features_of("style"), k=2,
        n_resamples=2, null=1,
    )  # fmt: skip

    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["k"] == 2
    assert "<i>" not in found._repr_html_()
    assert "too few for a verdict" in found.summary()
    axes = found.plot()
    assert len(axes.collections) >= 2


def test_names_differ_even_where_labels_do_not_or_are_missing():
    labels = dict.fromkeys(range(PLANTED.activations.shape[1]), "always the same")
    features = PLANTED.features_of("tense")

    same = cluster_documents(as_documents(labels=labels), features=features, k=3, **QUICK)
    bare = cluster_documents(as_documents(labels={}), features=features, k=3, **QUICK)

    assert len(set(same.names)) == len(set(bare.names)) == 3
    assert all(name.startswith("feature ") for name in bare.names)
    assert bare.named_by == "features"


class ByWord:
    """Says yes where the first word of the concept stands in the text."""

    def __init__(self):
        self.asked = []

    def annotate(self, documents, concepts, *, only=None):
        self.asked.append((len(documents), tuple(concepts)))
        verdicts = [
            [float(concept.split()[0] in text) for concept in concepts] for text in documents
        ]
        return Annotations(tuple(concepts), np.array(verdicts, np.float32))


def test_a_model_names_all_clusters_at_once_and_the_names_are_judged():
    llm = ScriptedLLM(['{"concepts": ["gonna is said", "will is said"]}'])
    annotator = ByWord()
    future = np.flatnonzero(PLANTED.truth["tense"] == 2)
    documents = DOCUMENTS.take(future)

    found = cluster_documents(
        documents, features=PLANTED.features_of("style"), k=2, annotator=annotator,
        roles=LLMRoles.of(llm), **QUICK,
    )  # fmt: skip

    assert found.names == ("gonna is said", "will is said")
    assert found.named_by == "llm:scripted"
    assert len(llm.requests) == 1
    assert "CLUSTER 2" in llm.requests[0].messages[-1].content
    assert annotator.asked[0][1] == found.names
    first, second = (cluster.given_back.share for cluster in found.clusters)
    says_gonna = "gonna" in found.clusters[0].central[0].text
    assert (first > 0.9 and second > 0.9) if says_gonna else (first < 0.1 and second < 0.1)


def test_a_model_that_repeats_a_name_is_asked_again_and_then_done_without():
    llm = ScriptedLLM(lambda request: '{"concepts": ["the same", "The same"]}')

    found = cluster_documents(
        DOCUMENTS, features=PLANTED.features_of("style"), k=2, annotator=ByWord(),
        roles=LLMRoles.of(llm), **QUICK,
    )  # fmt: skip

    assert len(llm.requests) == 3
    assert found.named_by == "features"
    assert "1 different names came for 2 clusters" in found.summary()


def test_documents_go_to_the_cluster_of_which_most_holds_and_missing_answers_are_told():
    statements = Statements(np.array([0, 0, 1]), np.array([1.0, 1.0, 1.0]))
    verdicts = np.array(
        [[1, 0, 0], [1, 0, 1], [0, 0, 0], [np.nan, np.nan, np.nan], [1, 1, 1]], np.float32
    )

    back = give_back(verdicts, np.array([0, 1, 1, 1, 0]), statements, k=2)

    assert [(one.share, one.n, one.n_missing) for one in back] == [(1.0, 2, 0), (0.5, 2, 1)]


def test_methods_are_put_side_by_side():
    found = compare_methods(DOCUMENTS, features=PLANTED.features_of("topic"), k=4, n_resamples=2)

    frame = found.to_frame()
    assert frame["method"].tolist() == ["spectral", "jaccard", "kmeans", "agglomerative"]
    assert np.diag(found.agreement).tolist() == [1.0] * 4
    assert found.agreement.min() > 0.7
    assert "4 methods" in found.summary()
    assert json.dumps(found.to_json(), allow_nan=False)
    assert "<table" in found._repr_html_()
    found.plot()


def test_query_weights_count_where_they_are_asked_for():
    query = FeatureQuery.of(PLANTED.features_of("style").tolist())
    heavy = query.reweight({query.features[0]: 50.0})

    asked = {"features": heavy, "k": 2, "method": "kmeans"} | QUICK
    plain = cluster_documents(DOCUMENTS, **asked)
    weighed = cluster_documents(DOCUMENTS, weighting="query", **asked)

    assert agreement("style", plain) > 0.85
    fires = PLANTED.activations[:, heavy.features[0]].toarray().ravel() > 0
    inside = weighed.assignment >= 0
    assert adjusted_rand_score(fires[inside], weighed.assignment[inside]) > 0.9


def test_metadata_is_of_no_concern():
    table = pd.DataFrame({"score": np.full(len(DOCUMENTS), np.nan)})
    features = PLANTED.features_of("style")

    with_nan = cluster_documents(
        replace(DOCUMENTS, metadata=table), features=features, k=2, **QUICK
    )
    without = cluster_documents(DOCUMENTS, features=features, k=2, **QUICK)

    assert with_nan.assignment.tolist() == without.assignment.tolist()


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (
            [[1, 0], [0, 1], [1, 1]],
            {"k": 4},
            "have 3 different sets of features; use k of at most 3",
        ),
        ([[1, 0], [0, 1], [1, 1]], {"k": 1}, "k must be a whole number of at least 2, got 1"),
        ([[1, 0], [0, 1]], {"k": 2.5}, "k must be a whole number"),
        ([[1, 0]], {"k": 2}, "need at least 2 documents, but got 1"),
        (np.zeros((0, 2)), {"k": 2}, "need at least 2 documents, but got 0"),
        (np.zeros((5, 2)), {"k": 2}, "none of the 2 features fires in any of the 5 documents"),
        (np.ones((5, 2)), {"k": 2}, "are all the same: there is nothing to divide"),
        ([[1, 0], [1, 0], [0, 0]], {"k": 2}, "are all the same"),
        ([[1, 0], [0, 1]], {"features": [0, 2]}, "feature 2 is out of range.*from 0 to 1"),
        ([[1, 0], [0, 1]], {"features": [-1]}, "feature -1 is out of range"),
        ([[1, 0], [0, 1]], {"features": [0, 0]}, "feature 0 is given twice"),
        ([[1, 0], [0, 1]], {"features": []}, "features must be a list of feature numbers"),
        ([[1, 0], [0, 1]], {"features": ["tone"]}, "features must be a list of feature numbers"),
        ([[1, 0], [0, 1]], {"features": FeatureQuery.of([7])}, "feature 7 of the query is out of"),
        ([[1, 0], [0, 1]], {"method": "magic"}, "method must be auto or one of spectral"),
        ([[1, 0], [0, 1]], {"weighting": "log"}, 'weighting must be "idf", "none" or "query"'),
        ([[1, 0], [0, 1]], {"weighting": "query"}, "needs features=FeatureQuery"),
        ([[1, 0], [0, 1]], {"k_range": (1, 3)}, "k_range must be two numbers from 2 up"),
        ([[1, 0], [0, 1]], {"k_range": (3, 9)}, "k=3 clusters cannot be made"),
        ([[1, 0], [0, 1]], {"n_resamples": 0}, "n_resamples must be at least 1"),
        ([[1, 0], [0, 1]], {"null": -1}, "null must be at least 0"),
        ([[1, 0], [0, 1]], {"seed": -1}, "seed must be at least 0"),
    ],
)
def test_what_cannot_be_clustered_is_refused(values, options, message):
    with pytest.raises(InputError, match=message):
        cluster_documents(small(values), **options)


def test_a_query_that_matches_no_label_is_refused_before():
    with pytest.raises(InputError, match="no label of 53 matches 'quantum chromodynamics'"):
        find_features("quantum chromodynamics", DOCUMENTS.labels)


def test_two_documents_are_two_clusters():
    found = cluster_documents(small([[1, 0], [0, 1]]), k=2, n_resamples=1, null=1)

    assert found.assignment.tolist() == [0, 1]
    assert json.dumps(found.to_json(), allow_nan=False)
    assert found.summary()
    assert found._repr_html_()


def test_features_that_tell_nothing_are_left_out_and_told():
    found = cluster_documents(
        small([[1, 0, 1, 0], [0, 1, 1, 0], [1, 0, 1, 0]]), features=[0, 1, 2, 3], k=2, **QUICK
    )

    assert found.features.tolist() == [0, 1]
    assert "2 features fire in no document or in all" in found.summary()
