import json

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from scipy.stats import mannwhitneyu, pearsonr

from interp_embed.analysis import EncodedDocuments, correlate_metadata
from interp_embed.errors import InputError
from interp_embed.stats import point_biserial

mpl.use("Agg")
N = 500


def draw(**columns) -> EncodedDocuments:
    """20 features; 3 fires where party is "D", 4 in late years, 5 with the mood "joy"."""
    rng = np.random.default_rng(0)
    fires = rng.random((N, 20)) < 0.2
    party = rng.choice(["D", "R"], N)
    year = rng.integers(1945, 2006, N).astype(float)
    moods = [list(rng.choice(["joy", "fear", "calm"], rng.integers(0, 3), False)) for _ in range(N)]
    fires[:, 3] = (party == "D") & (rng.random(N) < 0.5)
    fires[:, 4] = rng.random(N) < (year - 1945) / 80
    fires[:, 5] = [("joy" in own) and rng.random() < 0.7 for own in moods]
    frame = pd.DataFrame({"party": party, "year": year, "mood": moods} | columns)
    return EncodedDocuments(
        texts=[f"text {i}" for i in range(N)],
        activations=csr_matrix(fires.astype(np.float32)),
        n_tokens=np.full(N, 5),
        labels={3: "<i>taxes</i>"},
        metadata=frame,
    )


def test_features_are_associated_with_categories_lists_and_numbers():
    found = correlate_metadata(draw())

    frame = found.to_frame().set_index(["feature", "column", "category"])
    assert {index[:2] for index in frame.index} >= {(3, "party"), (4, "year"), (5, "mood")}
    democrats = frame.loc[(3, "party", "D")]
    assert democrats["value"] > 0.3
    assert democrats["low"] < democrats["value"] < democrats["high"]
    assert democrats["n_both"] == democrats["n_feature"]
    assert democrats["p_category_given_feature"] == 1.0
    assert frame.loc[(3, "party", "R"), "value"] == -1.0
    assert 0 < frame.loc[(4, "year", ""), "low"] < frame.loc[(4, "year", ""), "value"]
    assert frame.loc[(5, "mood", "joy"), "value"] > 0.2
    assert found.n_tests == 20 * (2 + 1 + 3)
    assert set(frame.index.get_level_values("feature")) == {3, 4, 5}


def test_missing_values_are_left_out_and_counted():
    documents = draw()
    frame = documents.metadata.copy()
    frame.loc[:49, "party"] = None
    frame.loc[:19, "year"] = np.nan
    documents = draw(party=frame["party"], year=frame["year"])

    found = correlate_metadata(documents, ["party", "year"])

    assert found.n_missing == {"party": 50, "year": 20}
    rows = found.to_frame().set_index(["column", "category"])
    assert rows.loc[("party", "D"), "n"] == 450
    assert rows.loc[("year", ""), "n"] == 480
    assert "'party' lacks 50 values." in found.summary()


def test_columns_that_cannot_be_compared_are_skipped_with_a_reason():
    documents = draw(
        id=[f"a{i}" for i in range(N)],
        same=["x"] * N,
        one=np.ones(N),
        when=pd.date_range("2020-01-01", periods=N),
        nothing=[None] * N,
        things=[{"a": 1}] * N,
        endless=[np.inf] + [1.0] * (N - 1),
    )

    skipped = correlate_metadata(documents).skipped

    assert list(skipped) == ["id", "same", "one", "when", "nothing", "things", "endless"]
    assert skipped["id"] == (
        "has 500 different values, free text or a key; at most 50 are compared"
    )
    assert skipped["same"] == skipped["one"] == "has one value only"
    assert "holds dates" in skipped["when"]
    assert skipped["nothing"] == "has no values"
    assert "neither texts nor numbers" in skipped["things"]
    assert skipped["endless"] == "has infinite values"


def test_booleans_are_categories():
    documents = draw(long=np.arange(N) < 250)

    assert correlate_metadata(documents, ["long"]).n_tests == 40


def test_nothing_is_found_where_nothing_is():
    rng = np.random.default_rng(1)
    listed = 0
    for _ in range(10):
        documents = draw(random=rng.choice(["a", "b", "c"], N), number=rng.exponential(1, N) ** 3)
        listed += len(correlate_metadata(documents, ["random", "number"]).rows) > 0

    assert listed <= 2  # expected: 0.5; three of ten come about once in a hundred


def test_a_point_biserial_correlation_is_pearsons_and_its_test_the_rank_sums():
    rng = np.random.default_rng(2)
    fires = rng.random((200, 3)) < 0.3
    number = rng.normal(size=200) + fires[:, 1]

    found = point_biserial(csr_matrix(fires.astype(float)), number)

    for feature in range(3):
        assert found.value[feature] == pytest.approx(pearsonr(fires[:, feature], number)[0])
        one, other = number[fires[:, feature]], number[~fires[:, feature]]
        p = mannwhitneyu(one, other, use_continuity=False, method="asymptotic").pvalue
        assert found.p[feature] == pytest.approx(p, rel=0.02)
    example = point_biserial(csr_matrix([[1.0], [1.0], [0.0], [0.0]]), [4, 3, 2, 1])
    assert (example.value[0], example.p[0]) == pytest.approx((0.894, 0.121), abs=1e-3)


@pytest.mark.parametrize("skewed", [False, True])
def test_intervals_of_correlations_cover_the_truth(skewed):
    rng = np.random.default_rng(3)

    def draws(n):
        fires = rng.random(n) < 0.15
        number = rng.normal(size=n) + 0.8 * fires
        return fires, np.exp(number) if skewed else number

    truth = float(np.corrcoef(*draws(2_000_000))[0, 1])
    covered = 0
    for _ in range(150):
        fires, number = draws(800)
        found = point_biserial(csr_matrix(fires.astype(float)[:, None]), number)
        covered += found.low[0] <= truth <= found.high[0]

    assert covered / 150 >= (0.88 if skewed else 0.92)


def test_constant_columns_have_no_correlation():
    found = point_biserial(csr_matrix([[1.0, 0.0], [1.0, 1.0], [1.0, 0.0]]), [1, 2, 3])

    assert np.isnan(found.value).tolist() == [True, False]
    assert np.isnan(found.low[0])


def test_input_that_cannot_be_used_is_refused():
    documents = draw()
    with pytest.raises(InputError, match="have no table"):
        correlate_metadata(EncodedDocuments([""] * 2, csr_matrix((2, 3)), np.ones(2, np.int64)))
    with pytest.raises(InputError, match="prty"):
        correlate_metadata(documents, ["prty"])
    with pytest.raises(InputError, match=r"a list of names; use \['party'\]"):
        correlate_metadata(documents, "party")
    with pytest.raises(InputError, match="must be at least 1, got 0"):
        correlate_metadata(documents, min_support=0)
    with pytest.raises(InputError, match="max_q must lie above 0"):
        correlate_metadata(documents, max_q=0)
    with pytest.raises(InputError, match="max_categories must be at least 2"):
        correlate_metadata(documents, max_categories=1)
    with pytest.raises(InputError, match="at least two documents, got 1"):
        correlate_metadata(documents.take(np.array([0])))


def test_the_result_is_shown_escaped_and_as_plain_values():
    found = correlate_metadata(draw())

    assert "<i>" not in found._repr_html_()
    said = json.loads(json.dumps(found.to_json()))
    assert said["n_associations"] == len(found.rows)
    assert said["associations"][0]["feature"] in (3, 4, 5)
    assert found.plot() is not None
    empty = correlate_metadata(draw(random=np.arange(N) % 2 == 0), ["random"], max_q=1e-9)
    assert empty.to_frame().empty
    with pytest.raises(InputError, match="nothing to draw"):
        empty.plot()
    skipped = correlate_metadata(draw(same=["x"] * N), ["same"])
    assert skipped.n_tests == 0


def by_authors(seed) -> tuple[EncodedDocuments, np.ndarray]:
    """20 documents of each of 30 authors, of one party and near one year; 40 features they lean to.

    Feature 0 fires with the party, 1 in late years, whoever writes; "theme" is each document's.
    """
    rng = np.random.default_rng(seed)
    authors = np.repeat(np.arange(30), 20)
    party, year = rng.choice(["D", "R"], 30)[authors], rng.normal(1970, 20, 30)[authors]
    theme = np.where(rng.random(600) < rng.beta(1, 2, 30)[authors], "war", "peace")
    rates = rng.beta(0.8, 2.4, (30, 40))
    fires = rng.random((600, 40)) < rates[authors]
    fires[:, 0] = rng.random(600) < np.where(party == "D", 0.6, 0.1)
    fires[:, 1] = rng.random(600) < np.clip((year - 1930) / 80, 0.05, 0.95)
    frame = pd.DataFrame({"party": party, "year": year + rng.normal(0, 1, 600), "theme": theme})
    documents = EncodedDocuments(
        texts=[""] * 600,
        activations=csr_matrix(fires.astype(np.float32)),
        n_tokens=np.full(600, 5),
        metadata=frame,
    )
    return documents, authors


def test_what_authors_lean_to_goes_with_no_column_where_they_are_named():
    n_false, n_plain = 0, 0
    for seed in range(5):
        documents, authors = by_authors(seed)
        rows = correlate_metadata(documents, groups=authors).rows
        plain = correlate_metadata(documents).rows
        assert {(0, "party"), (1, "year")} <= set(zip(rows["feature"], rows["column"], strict=True))
        n_false += int((rows["feature"] > 1).sum())
        n_plain += int((plain["feature"] > 1).sum())
        both = rows.merge(plain, on=["feature", "column", "category"], suffixes=("", "_plain"))
        assert len(both) == len(rows)
        assert (both["p"] >= both["p_plain"]).all()
        assert (both["low"] <= both["low_plain"]).all()

    assert n_plain > 100
    assert n_false <= 3


def test_correlations_of_numbers_hold_their_level_within_authors():
    p, plain, covered = [], [], []
    for seed in range(5):
        documents, authors = by_authors(seed)
        year = documents.metadata["year"].to_numpy()
        found = point_biserial(documents.fires()[:, 2:], year, groups=authors)
        p.append(found.p)
        covered.append((found.low <= 0) & (found.high >= 0))
        plain.append(point_biserial(documents.fires()[:, 2:], year).p)

    assert (np.concatenate(plain) <= 0.05).mean() > 0.3
    assert (np.concatenate(p) <= 0.05).mean() <= 0.08
    assert np.concatenate(covered).mean() >= 0.9


def test_numbers_of_documents_that_are_each_their_own_group_are_compared_as_without_groups():
    documents = draw()
    year, fires = documents.metadata["year"].to_numpy(), documents.fires()

    alone, plain = point_biserial(fires, year, groups=np.arange(N)), point_biserial(fires, year)

    for name in ("value", "low", "high", "p"):
        assert getattr(alone, name).tolist() == getattr(plain, name).tolist()


def test_influence_over_groups_is_that_of_documents_summed_by_hand():
    documents, authors = by_authors(1)
    fires = documents.fires()[:, 2:4]
    year = documents.metadata["year"].to_numpy()

    found = point_biserial(fires, year, groups=authors)

    for column in range(2):
        u, v = ((x - x.mean()) / x.std() for x in (fires.toarray()[:, column].astype(float), year))
        influence = u * v - found.value[column] * (u**2 + v**2) / 2
        sums = np.bincount(authors, weights=influence)
        error = np.sqrt(30 / 29 * sums @ sums) / 600
        reach = np.arctanh(found.high[column]) - np.arctanh(found.value[column])
        assert 2.0 < reach / (error / (1 - found.value[column] ** 2)) < 2.2  # t of 14 to 29


def test_groups_of_columns_that_cannot_be_used_are_refused():
    documents, authors = by_authors(0)
    with pytest.raises(InputError, match="all 600 documents are in one group"):
        correlate_metadata(documents, groups=["one"] * 600)
    with pytest.raises(InputError, match="groups is missing in 1 of 600 documents"):
        correlate_metadata(documents, groups=[None, *authors[1:]])
