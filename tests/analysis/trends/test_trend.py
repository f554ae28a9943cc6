import json
from datetime import date

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from interp_embed.analysis import EncodedDocuments, trend_groups
from interp_embed.errors import InputError
from interp_embed.stats import jonckheere_terpstra, trend_shape

RISING, HUMPED = (0.10, 0.14, 0.18, 0.22, 0.26, 0.30), (0.10, 0.20, 0.30, 0.30, 0.20, 0.10)


def encode(fires, labels=None):
    fires = np.asarray(fires, np.float32)
    texts = [f"document {i}" for i in range(len(fires))]
    return EncodedDocuments(texts, csr_matrix(fires), np.full(len(fires), 10), labels=labels or {})


def planted(seed, n_level=400, n_flat=20):
    flat = np.resize([0.05, 0.1, 0.3, 0.5], n_flat)
    rates = np.column_stack(
        [*[RISING] * 3, *[HUMPED] * 3, RISING[::-1], *[np.full(6, rate) for rate in flat]]
    )
    levels = np.repeat(np.arange(2019, 2025), n_level)
    rng = np.random.default_rng(seed)
    return encode(rng.random((levels.size, rates.shape[1])) < rates[levels - 2019]), levels


def test_what_rises_falls_or_turns_is_told_apart():
    documents, levels = planted(0)

    found = trend_groups(documents, levels)

    assert found.shape[:3] == ("rising",) * 3
    assert found.shape[3:6] == ("not monotone",) * 3
    assert found.shape[6] == "falling"
    assert found.shape[7:].count("no trend") >= 19
    frame = found.to_frame().set_index("feature")
    assert frame.loc[0, "change"] == pytest.approx(0.2, abs=0.07)
    assert frame.loc[0, "low"] < 0.2 < frame.loc[0, "high"]
    assert found.level_names == tuple(map(str, range(2019, 2025)))
    assert "3 rise and 1 fall, with no turn that could be shown." in found.summary()
    assert "3 turn: their rates rise between some levels" in found.summary()


def test_tests_and_shapes_are_those_of_the_statistics():
    documents, levels = planted(1, n_level=60)
    fires = documents.activations.toarray()

    found = trend_groups(documents, levels, min_support=1)

    for feature in (0, 3, 12):
        one = jonckheere_terpstra(fires[:, feature], levels)
        assert (found.tau[feature], found.p[feature]) == pytest.approx((one.tau, one.p))
        means = trend_shape(fires[:, feature], levels).means
        assert found.by_level.value[feature] == pytest.approx(means)


def test_rates_go_with_the_rows_of_the_table():
    documents, levels = planted(2)

    found = trend_groups(documents, levels)

    frame = found.to_frame()
    assert found.rates.shape == (len(frame), 6)
    assert found.rates[:, 0] == pytest.approx(frame["first_rate"])
    assert found.rates[:, -1] - found.rates[:, 0] == pytest.approx(frame["change"])


def test_documents_without_a_level_are_left_out_and_counted():
    documents, levels = planted(3)
    levels = levels.astype(float)
    levels[:100] = np.nan

    found = trend_groups(documents, levels)

    assert (found.n, found.n_missing) == (2_300, 100)
    assert "100 documents have no level" in found.summary()


@pytest.mark.parametrize(
    ("levels", "order"),
    [
        (["v1", "v2", "v10"], ["v1", "v2", "v10"]),
        (pd.Categorical(["v1", "v2", "v10"], ["v1", "v2", "v10"], ordered=True), None),
        (pd.Series(pd.to_datetime(["2020-01-01", "2020-02-01", "2021-01-01"])), None),
        ([date(2020, 1, 1), date(2020, 2, 1), date(2021, 1, 1)], None),
        (["1", "2", "10"], None),
    ],
)
def test_words_dates_and_numbers_in_order_are_levels(levels, order):
    fires = np.repeat(np.eye(3)[[0, 1, 2]], 20, axis=0)
    repeated = pd.Series(levels).repeat(20)

    found = trend_groups(encode(fires), repeated, order=order)

    assert found.by_level.value[2].tolist() == [0, 0, 1]
    assert found.shape[2] == "rising"


def test_many_levels_are_tested_as_they_are_and_shown_joined():
    rng = np.random.default_rng(4)
    years = rng.integers(1790, 2020, 4_000)
    rates = np.column_stack([(years - 1790) / 500, np.full(4_000, 0.3)])

    found = trend_groups(encode(rng.random((4_000, 2)) < rates), years)

    assert found.n_levels == 230
    assert len(found.level_names) == 10
    assert found.level_names[0].startswith("1790\u201318")
    assert found.shape == ("rising", "no trend")
    assert (np.diff(found.levels) > 0).all()
    assert found.sizes.min() > 300
    assert "230 levels are shown" in found.summary()
    assert f"({found.level_names[0]} … {found.level_names[-1]}, 230 levels" in found.summary()


@pytest.mark.parametrize(
    ("levels", "names"),
    [
        (
            pd.to_datetime(["2024-05-01 09:30", "2024-05-01 14:00", "2024-05-02 09:30"]),
            ("2024-05-01 09:30", "2024-05-01 14:00", "2024-05-02 09:30"),
        ),
        (pd.to_datetime(["2024-05-01 09:30:01", "2024-05-01 09:30:02"]), None),
        ([1_000.001, 1_000.002], ("1000.001", "1000.002")),
        ([2_500_000.25, 2_500_000.5], ("2500000.25", "2500000.5")),
        (pd.to_datetime(["2024-05-01 09:30", "2024-05-02 00:00"]), ("2024-05-01", "2024-05-02")),
    ],
)
def test_levels_that_are_close_have_names_of_their_own(levels, names):
    found = trend_groups(encode(np.ones((len(levels) * 20, 1))), np.repeat(levels, 20))

    assert len(set(found.level_names)) == len(levels)
    assert names is None or found.level_names == names


def test_joined_levels_of_one_day_have_names_of_their_own():
    minutes = pd.date_range("2024-05-01 08:00", periods=200, freq="min")

    found = trend_groups(encode(np.ones((200, 1))), minutes)

    assert len(set(found.level_names)) == 10
    assert found.level_names[0] == "2024-05-01 08:00 \u2013 2024-05-01 08:19"


def test_speeches_of_one_author_are_not_many_witnesses():
    rng = np.random.default_rng(5)
    authors = np.repeat(np.arange(30), 40)
    own = rng.beta(0.5, 1.5, (30, 60))
    documents = encode(rng.random((1_200, 60)) < own[authors])

    naive = trend_groups(documents, authors // 5)
    robust = trend_groups(documents, authors // 5, groups=authors)

    assert naive.significant.mean() > 0.3
    assert robust.significant.sum() <= 2
    assert "cluster-robust" in robust.method


def test_a_trend_over_authors_is_found_and_has_a_shape():
    rng = np.random.default_rng(6)
    authors = np.repeat(np.arange(60), 20)
    rates = 0.1 + 0.1 * (authors // 10)
    documents = encode(rng.random((1_200, 1)) < rates[:, None])

    found = trend_groups(documents, authors // 10, groups=authors)

    assert found.shape == ("rising",)
    assert found.low[0] < 0.5 < found.high[0]


def test_the_change_of_authors_who_are_at_every_level_has_an_interval():
    rng = np.random.default_rng(10)
    authors, levels = np.repeat(np.arange(40), 15), np.tile(np.arange(3).repeat(5), 40)
    fires = rng.random((600, 1)) < (0.1 + 0.8 * (authors % 2) + 0.05 * levels)[:, None]

    alone = trend_groups(encode(fires), levels)
    within = trend_groups(encode(fires), levels, groups=authors)

    # What an author always does is in both levels, and does not make their difference uncertain.
    assert within.low[0] < 0.1 < within.high[0]
    assert within.high[0] - within.low[0] < 1.1 * (alone.high[0] - alone.low[0])


def test_levels_of_one_author_leave_the_shape_unclear():
    rng = np.random.default_rng(7)
    levels = np.repeat(np.arange(10), 40)
    documents = encode(rng.random((400, 1)) < 0.09 * levels[:, None])

    found = trend_groups(documents, levels, groups=levels)

    assert found.shape == ("unclear",)
    assert np.isnan(found.low[0])


def test_two_levels_are_a_comparison():
    fires = np.array([[1, 0]] * 30 + [[0, 0]] * 30 + [[1, 1]] * 60)

    found = trend_groups(encode(fires), [0] * 60 + [1] * 60)

    assert found.shape == ("rising", "rising")
    assert found.change.tolist() == [0.5, 1.0]


def test_the_result_says_what_it_is_in_every_form():
    documents, levels = planted(8)
    documents = encode(documents.activations.toarray(), labels={0: "<i>tax</i>"})

    found = trend_groups(documents, levels)

    told = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert told["level_names"] == list(found.level_names)
    assert len(told["rates"]) == len(told["features"])
    assert "<i>tax" not in found._repr_html_()
    assert "rise" in found.summary()
    assert told == json.loads(json.dumps(trend_groups(documents, levels).to_json()))


def test_features_that_never_fire_are_not_tested():
    found = trend_groups(encode(np.zeros((40, 3))), np.arange(40) % 4)

    assert len(found.to_frame()) == 0
    assert "no feature fires in 10 documents" in found.summary().casefold()
    assert found.shape == ("", "", "")


@pytest.mark.parametrize(
    ("levels", "given", "message"),
    [
        ([2020] * 6, {}, "at least two levels, but of 6 documents all 6 are 2020"),
        ([np.nan] * 6, {}, "of 6 documents none has a level"),
        ([1, 2, 3], {}, "3 levels for 6 documents"),
        (["low", "high"] * 3, {}, "6 levels are no numbers, such as 'low'; give their order"),
        (["low", "high"] * 3, {"order": ["low"]}, "1 levels are not in order=, such as 'high'"),
        (["low", "high"] * 3, {"order": ["low", "high", "low"]}, "names a level twice"),
        ([1, 2, np.inf] * 2, {}, "2 levels are infinite"),
        ([1, 2, 3] * 2, {"min_support": 0}, "min_support must be at least 1"),
        ([1, 2, 3] * 2, {"level": 0.0}, "level must lie between 0 and 1"),
        ([1, 2, 3] * 2, {"groups": [1, 1, None, 2, 2, 2]}, "groups is missing in 1 of 6"),
    ],
)
def test_bad_levels_are_refused_with_the_reason(levels, given, message):
    with pytest.raises(InputError, match=message):
        trend_groups(encode(np.ones((6, 2))), levels, **given)


def test_no_documents_have_no_trend():
    with pytest.raises(InputError, match="there are no documents"):
        trend_groups(encode(np.ones((0, 2))), [])


def test_the_plot_shows_the_largest_changes():
    pytest.importorskip("matplotlib").use("Agg")
    documents, levels = planted(9)

    axes = trend_groups(documents, levels).plot()

    assert len(axes.get_lines()) >= 4
    assert axes.get_xlabel() == "level"
    assert trend_groups(documents, pd.Series(levels, name="year")).plot().get_xlabel() == "year"
