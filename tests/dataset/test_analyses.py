"""The analyses as methods of a data set, on planted reviews: what is loaded, chosen and kept."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from interp_embed import Dataset
from interp_embed.analysis import FeatureQuery
from interp_embed.errors import InputError
from interp_embed.sae import EmbeddingSAE
from interp_embed.synthetic import plant_corpus

N = 240


@pytest.fixture(scope="module")
def table():
    corpus = plant_corpus(N, seed=3)
    return pd.DataFrame(
        {
            "text": corpus.texts,
            "half": np.where(corpus.truth[:, 0] > 0, "with", "without"),
            "year": np.repeat(np.arange(2000, 2006), N // 6),
            "prompt": np.tile(np.arange(N // 2), 2),
            "side": np.repeat(["a", "b"], N // 2),
        }
    )


@pytest.fixture(scope="module")
def dataset(table, tmp_path_factory):
    folder = tmp_path_factory.mktemp("analyses") / "data"
    sae = EmbeddingSAE(32, embedder="tfidf")
    made = Dataset(table, sae, save_path=folder, progress=False)
    made.label_features()
    return made


def test_groups_of_a_column_differ_where_features_say_so(dataset):
    diff = dataset.diff(by="half", first="with", second="without")

    frame = diff.to_frame()
    fires = dataset.latents("binarize").toarray()[:, frame.feature[0]]
    with_it = (dataset["half"] == "with").to_numpy()
    assert diff.names == ("with", "without")
    assert frame.rate_first[0] == pytest.approx(fires[with_it].mean())
    assert frame.rate_second[0] == pytest.approx(fires[~with_it].mean())


def test_two_data_sets_are_compared_by_stored_counts_as_by_their_activations(
    table, dataset, tmp_path
):
    whole = dataset[: N // 2].save_to_file(tmp_path / "a")
    other = dataset[N // 2 :].save_to_file(tmp_path / "b")

    stored = whole.diff(other).to_frame()
    counted = whole[:].diff(other[:]).to_frame()

    columns = ["feature", "rate_first", "rate_second", "low", "high", "p", "q"]
    pd.testing.assert_frame_equal(stored[columns], counted[columns])


def test_answers_to_one_prompt_are_paired(dataset):
    diff = dataset.diff(by="side", pair_by="prompt")

    assert diff.paired
    assert diff.n_first == N // 2
    with pytest.raises(InputError, match="no column 'promt'"):
        dataset.diff(by="side", pair_by="promt")


def test_one_data_set_stands_against_many(dataset):
    parts = dict(dataset.groupby("year"))
    target = parts.pop(2000)

    diff = target.diff({str(year): part for year, part in parts.items()}, names=("2000", ""))

    assert diff.others == ("2001", "2002", "2003", "2004", "2005")


def test_differences_are_verified_in_words_on_other_documents(dataset):
    diff = dataset.diff(by="half", first="with", verify="words", k=3)

    assert diff.verified is not None
    assert set(diff.verified_frame().source) <= {"feature", "summary"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "say what to compare"),
        ({"by": "half", "first": "wiht"}, "did you mean 'with'"),
        ({"by": "half", "verify": 3}, "verify must be"),
        ({"by": "half", "baseline": True}, "give verify="),
        ({"by": "half", "verify": "words", "baseline": True}, "give llm="),
        ({"by": "half", "firing": "often"}, "firing must be"),
        ({"by": "half", "firing": -1.0}, "firing must be"),
    ],
)
def test_what_cannot_be_compared_is_refused(dataset, options, message):
    with pytest.raises(InputError, match=message):
        dataset.diff(**options)


def test_data_sets_of_other_saes_are_refused(table, dataset, tmp_path):
    other = Dataset(
        table, EmbeddingSAE(16, embedder="tfidf"), save_path=tmp_path / "o", progress=False
    )

    with pytest.raises(InputError, match="not made in the same way .*sae:"):
        dataset.diff(other)


def test_a_trend_over_years_has_a_rate_for_each(dataset):
    trend = dataset.trend("year")

    assert len(trend.to_frame()) > 0
    with pytest.raises(InputError, match="no column 'yaer'"):
        dataset.trend("yaer")


def test_the_order_of_categories_and_dates_is_that_of_the_trend(table, tmp_path):
    stages = pd.Categorical(np.resize(["start", "middle", "end"], N), ["start", "middle", "end"])
    table = table.assign(
        stage=stages.as_ordered(), day=[date(2020 + i % 3, 1, 1) for i in range(N)]
    )
    made = Dataset(
        table, EmbeddingSAE(16, embedder="tfidf"), save_path=tmp_path / "o", progress=False
    )

    assert made.trend("stage").level_names == ("start", "middle", "end")
    assert made.trend("day").level_names == ("2020-01-01", "2021-01-01", "2022-01-01")


def test_pairs_of_features_and_of_two_texts_of_the_same_documents(dataset):
    frame = dataset.correlations(max_q=1.0).to_frame()
    fires = dataset.latents("binarize").toarray() > 0
    row = frame.iloc[0]
    assert row.n_both == (fires[:, row["first"]] & fires[:, row["second"]]).sum()
    one, other = dataset[dataset["side"] == "a"], dataset[dataset["side"] == "b"]
    across = one.correlations(other, on="prompt", max_q=1.0)
    both = across.to_frame().iloc[0]
    left, right = fires[: N // 2, both["first"]], fires[N // 2 :, both["second"]]
    assert both.n_both == (left & right).sum()
    with pytest.raises(InputError, match="out of range"):
        dataset.pairs(32)


def test_clusters_by_features_of_ones_choice(dataset):
    chosen = np.argsort(dataset.latents("binarize").sum(axis=0))[0, -6:]

    clusters = dataset.cluster(k=3, features=np.asarray(chosen).ravel().tolist())

    assert len(clusters.to_frame()) == 3
    assert len(clusters.assignment) == N


def test_clusters_and_searches_by_phrases_of_ones_own_are_those_of_the_features_they_find(dataset):
    label = next(iter(dataset.feature_labels().values()))
    phrases = [label, "soup"]

    found = dataset.find_features("zzz", keyphrases=phrases, embedder=None)
    clusters = dataset.cluster("zzz", keyphrases=phrases, k=2, embedder=None)
    hits = dataset.search("zzz", keyphrases=phrases, use=["features"], embedder=None)

    assert found.keyphrases == ("zzz", label, "soup")
    assert set(clusters.features) == set(found.features)
    assert set(hits.features.features) <= set(found.features)


def test_phrases_without_a_query_or_beside_features_are_refused(dataset):
    query = FeatureQuery.of([0])

    with pytest.raises(InputError, match="keyphrases need a query"):
        dataset.cluster(keyphrases=["soup"])
    with pytest.raises(InputError, match="keyphrases or features, not both"):
        dataset.cluster("food", keyphrases=["soup"], features=[0])
    with pytest.raises(InputError, match="features already"):
        dataset.search("food", keyphrases=["soup"], features=query, embedder=None)


def test_searches_say_which_features_matched(dataset):
    label = next(iter(dataset.feature_labels().values()))

    found = dataset.search(label, k=3, use=["features"], embedder=None)

    fires = dataset.latents("binarize").toarray()
    for hit in found.hits:
        assert hit.matches
        assert all(fires[hit.document, match.feature] for match in hit.matches)
    again = dataset.search(label, k=3, embedder=None, features=FeatureQuery.of([0]))
    assert {match.feature for hit in again.hits for match in hit.matches} <= {0}


def test_a_feature_of_tokens_is_shown_where_it_is_strongest(documents, tiny_sae, tmp_path):
    made = Dataset(
        pd.DataFrame({"text": documents}), tiny_sae, save_path=tmp_path / "r", progress=False
    )
    feature = int(made.latents().max(axis=0).argmax())

    hit = made.search(FeatureQuery.of([feature]), k=1, embedder=None).hits[0]

    tokens = made.token_values(hit.document, feature)
    assert hit.matches[0].spans == (tuple(tokens.span[tokens.values.argmax()].tolist()),)


def test_labels_are_found_by_word_and_copies_by_text(dataset):
    label = dataset.feature_labels()
    feature = min(label)
    assert feature in dataset.find_labels(label[feature], k=5, embedder=None).features
    assert len(dataset.duplicates().keep) <= N


def test_features_go_with_values_of_columns(dataset):
    row = dataset.metadata_links(["half"], max_q=1.0).to_frame().iloc[0]

    fires = dataset.latents("binarize").toarray()[:, row.feature] > 0
    assert row.n_both == (fires & (dataset["half"] == row.category).to_numpy()).sum()
    with pytest.raises(InputError, match="hlaf"):
        dataset.metadata_links(["hlaf"])


def test_documents_of_a_column_are_not_independent_in_pairs_and_columns(dataset):
    options = {"max_q": 1.0}
    plain = dataset.correlations(**options).to_frame().set_index(["first", "second"])
    grouped = dataset.correlations(group_by="prompt", **options).to_frame()
    grouped = grouped.set_index(["first", "second"])

    shared = plain.index.intersection(grouped.index)
    assert len(shared) > 20
    assert (grouped.loc[shared, "p"] >= plain.loc[shared, "p"]).all()
    assert (grouped["design_effect"] >= 1).all()
    assert dataset.pairs(0, group_by="prompt").n_groups == N // 2
    one, other = dataset[dataset["side"] == "a"], dataset[dataset["side"] == "b"]
    across = one.correlations(other, on="prompt", group_by="year", max_q=1.0)
    assert across.n_groups == 3  # of the first data set
    linked = dataset.metadata_links(["half"], group_by="prompt", max_q=1.0)
    assert linked.n_groups == N // 2
    assert "prompt" not in dataset.metadata_links(group_by="prompt").n_missing
    for search in (dataset.correlations, dataset.metadata_links):
        with pytest.raises(InputError, match="prmpt"):
            search(group_by="prmpt")
    with pytest.raises(InputError, match="prmpt"):
        dataset.pairs(0, group_by="prmpt")
    with pytest.raises(InputError, match="are in one group"):
        one.correlations(group_by="side")


def test_what_is_held_fixed_is_a_column(dataset):
    within = dataset.diff(by="half", within="side")

    assert len(within.to_frame()) > 0
    verified = dataset.diff(by="half", within="side", verify="words")
    assert "within 2 strata" in verified.summary()
    assert verified.verified is not None
    with pytest.raises(InputError, match="one data set at a time"):
        dataset.diff({"other": dataset}, group_by="side")
