import json

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from interp_embed.analysis import EncodedDocuments, diff_against, diff_counts, diff_groups
from interp_embed.errors import InputError
from interp_embed.stats import adjust_benjamini_hochberg, rate_differences

BASE = np.resize([0.05, 0.1, 0.3, 0.5], 120)


def encode(fires, *, n_tokens=None, labels=None, **parts):
    fires = np.asarray(fires, np.float32)
    n = len(fires)
    return EncodedDocuments(
        texts=[f"document {i} <b>" for i in range(n)],
        activations=csr_matrix(fires),
        n_tokens=np.full(n, 10) if n_tokens is None else np.asarray(n_tokens),
        labels=labels or {},
        **parts,
    )


def draw(rates, n, seed):
    return np.random.default_rng(seed).random((n, len(rates))) < rates


def planted(seed, *, more=0.08, n=1_000, n_different=5):
    raised = BASE.copy()
    raised[:n_different], base = 0.10 + more, BASE.copy()
    base[:n_different] = 0.10
    return encode(draw(raised, n, [seed, 1])), encode(draw(base, n, [seed, 2]))


def test_rates_and_tests_are_those_of_the_statistics():
    first, second = planted(0)

    found = diff_groups(first, second, names=("a", "b"))

    counts = [np.asarray((side.activations > 0).sum(axis=0)).ravel() for side in (first, second)]
    expected = rate_differences(*counts, n_first=1_000, n_second=1_000)
    assert found.rates.p == pytest.approx(expected.p)
    assert found.rates.low == pytest.approx(expected.low)
    assert found.q == pytest.approx(adjust_benjamini_hochberg(expected.p))
    frame = found.to_frame()
    assert frame["significant"].tolist() == sorted(frame["significant"], reverse=True)
    top = frame[frame["significant"]]["difference"].abs()
    assert top.is_monotonic_decreasing


def test_counts_alone_give_the_same_table():
    first, second = planted(1)
    counts = [np.asarray((side.activations > 0).sum(axis=0)).ravel() for side in (first, second)]

    whole = diff_groups(first, second)
    stored = diff_counts(*counts, n_first=1_000, n_second=1_000)

    columns = ["feature", "difference", "low", "high", "p", "q", "significant", "n"]
    pd.testing.assert_frame_equal(whole.to_frame()[columns], stored.to_frame()[columns])


def test_documents_that_do_not_differ_show_nothing_and_planted_differences_are_found():
    n_false, n_found, one_point = [], 0, []
    for seed in range(10):
        null = diff_groups(*planted(seed, more=0.0))
        n_false.append(int(null.significant.sum()))
        one_point.append((null.rates.difference > 0.01).mean())
        n_found += int(diff_groups(*planted(seed)).significant[:5].sum())

    assert np.mean(np.array(n_false) > 0) <= 0.2
    assert n_found >= 45
    assert np.mean(one_point) > 0.1  # what "more than one point" would list of features alike


def test_a_cut_decides_what_counts_as_firing():
    cuts = np.array([0.0, 0.5], np.float32)
    first = encode([[0.4, 0.4], [0.9, 0.9]] * 20, cuts=cuts)
    second = encode([[0.4, 0.4], [0.0, 0.0]] * 20, cuts=cuts)

    found = diff_groups(first, second)

    assert found.rates.rate_first.tolist() == [1.0, 0.5]
    assert found.rates.rate_second.tolist() == [0.5, 0.0]


def test_rare_features_are_not_tested_and_do_not_count():
    fires = np.zeros((100, 3))
    fires[:9, 0], fires[:10, 1] = 1, 1

    found = diff_groups(encode(fires), encode(np.zeros((100, 3))))

    assert found.tested.tolist() == [False, True, False]
    assert found.q[1] == pytest.approx(found.rates.p[1])


def test_pairs_are_found_by_key_and_tested_as_pairs():
    rng = np.random.default_rng(3)
    prompt = rng.random((300, 1)) < 0.5  # what is asked decides most of what is answered
    more = rng.random((300, 1)) < 0.06
    order = rng.permutation(300)
    first, second = encode(prompt | more), encode(prompt[order])

    paired = diff_groups(first, second, pair_first=np.arange(300), pair_second=order)
    unpaired = diff_groups(first, second)

    assert paired.paired
    assert paired.n_first == 300
    assert paired.significant[0]
    assert not unpaired.significant[0]
    assert paired.rates.difference == pytest.approx(unpaired.rates.difference)


def test_documents_without_partner_are_left_out_and_counted():
    first, second = encode(np.ones((30, 1))), encode(np.ones((20, 1)))

    found = diff_groups(
        first,
        second,
        pair_first=[f"p{i}" for i in range(30)],
        pair_second=[f"p{i}" for i in range(15, 35)],
    )

    assert found.n_first == 15
    assert "20 documents have no partner of the same key" in found.summary()


def test_authors_who_write_much_are_not_many_witnesses():
    rng = np.random.default_rng(4)
    authors = np.repeat(np.arange(20), 50)
    own = rng.beta(0.5, 1.5, (40, 300))
    first = encode(rng.random((1_000, 300)) < own[authors])
    second = encode(rng.random((1_000, 300)) < own[authors + 20])

    naive = diff_groups(first, second)
    robust = diff_groups(first, second, groups_first=authors, groups_second=authors + 20)

    assert naive.significant.mean() > 0.3
    assert robust.significant.sum() <= 3
    assert "cluster-robust" in robust.rates.method


def by_length(seed, *, extra=0.0, n=800):
    """Long documents have features more often; the first group writes longer ones."""
    rng = np.random.default_rng(seed)
    sides = []
    for mean, own in ((5.2, extra), (4.8, 0.0)):
        tokens = np.exp(rng.normal(mean, 0.4, n)).astype(int) + 1
        rate = np.clip(tokens / 600.0, 0, 0.9)[:, None] + np.array([own] + [0.0] * 59)
        sides.append(encode(rng.random((n, 60)) < rate, n_tokens=tokens))
    return sides


def test_with_length_held_fixed_only_what_is_not_length_is_left():
    first, second = by_length(5, extra=0.25)

    plain = diff_groups(first, second)
    matched = diff_groups(first, second, match_length=True)

    assert plain.significant.mean() > 0.9
    assert matched.significant[0]
    assert matched.significant[1:].sum() <= 3
    one, other = matched.matched_tokens
    assert one == pytest.approx(other, rel=0.02)
    assert plain.length.value > 20
    assert plain.length.low > 0
    assert matched.length == plain.length
    assert "within" in matched.summary()
    gap = matched.rates.rate_first - matched.rates.rate_second
    assert gap == pytest.approx(matched.rates.difference)


def test_pairs_alike_in_length_are_compared_as_pairs():
    first, second = by_length(6)
    tokens = np.resize([100, 110, 300, 90], 800), np.resize([100, 100, 100, 100], 800)
    first, second = (
        encode(side.activations.toarray(), n_tokens=t)
        for side, t in zip((first, second), tokens, strict=True)
    )
    keys = np.arange(800)

    found = diff_groups(first, second, pair_first=keys, pair_second=keys, match_length=True)

    assert found.paired
    assert found.n_first == 600
    assert "compared the 600 of 800 pairs" in found.summary().casefold()


def test_where_few_pairs_are_alike_strata_take_their_place():
    first, second = by_length(7)
    keys = np.arange(800)
    far = encode(second.activations.toarray(), n_tokens=np.roll(first.n_tokens, 400) * 3 // 2)

    found = diff_groups(first, far, pair_first=keys, pair_second=keys, match_length=True)

    assert not found.paired or found.n_first >= 160
    assert "alike in length" in found.summary() or "pairs whose lengths" in found.summary()


def test_lengths_that_never_overlap_cannot_be_matched():
    first = encode(np.ones((60, 1)), n_tokens=np.arange(100, 160))
    second = encode(np.ones((60, 1)), n_tokens=np.arange(10, 70))

    with pytest.raises(InputError, match="all longer than those of the other"):
        diff_groups(first, second, match_length=True)


def test_redundant_features_are_one_family_with_one_leader():
    rng = np.random.default_rng(8)
    a, b = rng.random((400, 1)) < 0.5, rng.random((400, 1)) < 0.2
    copies = [np.hstack([side] + [side & (rng.random((400, 1)) < 0.95) for _ in range(3)] + [
        rng.random((400, 1)) < rate]) for side, rate in ((a, 0.6), (b, 0.2))]  # fmt: skip

    found = diff_groups(encode(copies[0]), encode(copies[1]))

    family = found.families.family
    assert len(set(family[:4].tolist())) == 1
    assert family[0] >= 0
    assert family[4] == -1
    assert found.families.leads.sum() == 2
    assert found.families.leads[4]


def test_the_result_says_what_it_is_in_every_form():
    labels = {0: "asks <b>questions</b>", 1: "formal & stiff"}
    first, second = planted(9)
    first = encode(first.activations.toarray(), labels=labels)

    found = diff_groups(first, second, names=("<new>", "old"))

    told = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert told["n_significant"] == int(found.significant.sum())
    assert told["features"][0]["label"] == found.to_frame()["label"][0]
    assert all(len(text) <= 300 for texts in told["examples"].values() for text in texts)
    html = found._repr_html_()
    assert "<new>" not in html
    assert "&lt;new&gt;" in html
    assert "features tested differ between" in found.summary()
    assert found.label(0) == "asks <b>questions</b>"
    assert found.label(77) == "feature 77"


def test_same_input_same_bytes():
    one, other = (diff_groups(*planted(10), match_length=True).to_json() for _ in range(2))

    assert json.dumps(one) == json.dumps(other)


def test_nothing_that_fires_is_said_to_be_nothing():
    found = diff_groups(encode(np.zeros((20, 4))), encode(np.zeros((20, 4))))

    assert len(found.to_frame()) == 0
    assert "no feature fires in 10 documents" in found.summary().casefold()
    assert found.to_json()["features"] == []
    assert isinstance(found._repr_html_(), str)


def test_one_document_a_side_is_no_evidence():
    found = diff_groups(encode([[1.0, 0.0]]), encode([[0.0, 0.0]]), min_support=1)

    assert not found.significant.any()
    assert found.rates.low[0] < 0 < found.rates.high[0]


def test_against_every_other_the_nearest_counts():
    rates = {"a": 0.2, "b": 0.3, "c": 0.45}
    target = encode(draw(np.array([0.6, 0.3, 0.05]), 500, 20))
    others = {
        n: encode(draw(np.array([r, 0.3, r]), 500, 21 + i))
        for i, (n, r) in enumerate(rates.items())
    }

    found = diff_against(target, others)

    frame = found.to_frame().set_index("feature")
    assert frame.loc[0, "nearest"] == "c"
    assert frame.loc[2, "nearest"] == "a"
    assert frame["significant"].to_dict() == {0: True, 1: False, 2: True}
    assert frame.loc[0, "difference"] == pytest.approx(
        found.rates.rate_first[0] - found.rates.rate_second[0]
    )
    assert "10.0 tokens and those of the other nearest in length 10.0" in found.summary()
    worst = max(diff_groups(target, other).rates.p[0] for other in others.values())
    assert found.rates.p[0] == pytest.approx(worst)


def test_against_nine_alike_groups_nothing_is_found():
    n_found = 0
    for seed in range(5):
        target = encode(draw(BASE, 300, [seed, 30]))
        others = {f"m{i}": encode(draw(BASE, 300, [seed, 31, i])) for i in range(9)}
        n_found += int(diff_against(target, others).significant.sum())

    assert n_found == 0


def test_against_any_other_counts_prompts_where_some_other_fires():
    target = encode([[1.0], [1.0], [0.0], [0.0]] * 25)
    others = {
        "a": encode([[1.0], [0.0], [0.0], [0.0]] * 25),
        "b": encode([[0.0], [0.0], [2.0], [0.0]] * 25),
    }
    keys = np.arange(100)

    found = diff_against(
        target, others, against="any", pair_target=keys, pair_others={"a": keys, "b": keys}
    )

    assert found.paired
    assert found.rates.rate_second.tolist() == [0.5]
    assert found.rates.difference.tolist() == [0.0]


def test_pooled_answers_to_one_prompt_are_not_independent():
    rng = np.random.default_rng(40)
    keys = np.arange(200)
    topic = rng.random((200, 5)) < 0.4
    others = {n: encode(topic) for n in "abc"}

    found = diff_against(
        encode(topic), others, against="pooled", pair_target=keys,
        pair_others=dict.fromkeys("abc", keys),
    )  # fmt: skip

    assert "cluster-robust" in found.rates.method
    assert found.n_second == 600
    assert not found.significant.any()


def sae(name, pool="max"):
    return {"source": {"sae": name, "pooling": pool}}


SAME = encode(np.ones((5, 2)), **sae("a"))
TWO_KEYS = ("pair_first", "pair_second")
TWO_GROUPS = ("groups_first", "groups_second")


@pytest.mark.parametrize(
    ("second", "given", "message"),
    [
        (encode(np.ones((5, 2)), **sae("b")), {}, "not made in the same way .sae: a and b"),
        (encode(np.ones((5, 2)), **sae("a", "sum")), {}, "pooling: max and sum"),
        (encode(np.ones((5, 3)), **sae("a")), {}, "different SAEs, of 2 and 3 features"),
        (
            encode(np.ones((5, 2)), **sae("a"), cuts=np.ones(2, np.float32)),
            {},
            "cuts. differ for 2",
        ),
        (encode(np.ones((0, 2)), **sae("a")), {}, "'new' has no documents"),
        (SAME, {"pair_first": range(5)}, "keys of the second group are missing"),
        (
            SAME,
            dict(zip(TWO_KEYS, (range(4), range(5)), strict=True)),
            "pairing key of 'old' has 4 values for 5 documents",
        ),
        (
            SAME,
            dict(zip(TWO_KEYS, ([1, 2, 3, 4, 5], [1, 2, 3, None, 5]), strict=True)),
            "pairing key of 'new' is missing in 1 of 5 documents, such as document 3",
        ),
        (
            SAME,
            dict(zip(TWO_KEYS, ([1, 2, 2, 4, 5], range(5)), strict=True)),
            "pairing key of 'old' has 1 values more than once, such as 2",
        ),
        (
            SAME,
            dict(zip(TWO_KEYS, (range(5), range(10, 15)), strict=True)),
            "no pairing key is in both groups",
        ),
        (
            SAME,
            dict(zip(TWO_GROUPS, ([1] * 5, [2, 2, 2, 2, np.nan]), strict=True)),
            "groups of 'new' is missing in 1 of 5",
        ),
        (
            SAME,
            dict(zip(TWO_GROUPS, ([1] * 5, range(2, 7)), strict=True)),
            "5 documents are in 1 group",
        ),
        (
            SAME,
            dict(zip(TWO_GROUPS, ([1] * 5, [1, 2, 3, 4, 5]), strict=True)),
            "5 documents are in 1 group: .* two on each side",
        ),
        (SAME, {"min_support": 0}, "min_support must be at least 1, got 0"),
        (SAME, {"level": 1.0}, "level must lie between 0 and 1"),
        (SAME, {"correction": "fdr"}, "correction must be one of bh, by"),
    ],
)
def test_bad_input_is_refused_with_the_reason(second, given, message):
    first = encode(np.ones((5, 2)), **sae("a"))

    with pytest.raises(InputError, match=message):
        diff_groups(first, second, names=("old", "new"), **given)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (([5], [5, 6]), "not of the same features"),
        (([11], [5]), "counts above n_first"),
    ],
)
def test_bad_counts_are_refused(counts, message):
    with pytest.raises(InputError, match=message):
        diff_counts(*counts, n_first=10, n_second=10)
    with pytest.raises(InputError, match="'second' has no documents"):
        diff_counts([1], [0], n_first=10, n_second=0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"others": {}}, "no other groups"),
        ({"against": "most"}, "against must be"),
        ({"against": "any"}, "needs pair_target"),
        ({"pair_target": range(5)}, "pair_others is missing"),
        ({"pair_target": range(5), "pair_others": {}}, "no keys of 'b'"),
        ({"against": "any", "pair_target": range(5), "pair_others": {"b": range(5)},
          "match_length": True}, "no one length"),
        ({"against": "any", "pair_target": range(5), "pair_others": {"b": [1, 1, 2, 3, 4]}},
         "pairing key of 'b' has values more than once, such as 1"),
    ],
)  # fmt: skip
def test_bad_comparisons_with_many_are_refused(given, message):
    target = encode(np.ones((5, 2)))
    given = {"others": {"b": encode(np.ones((5, 2)))}, **given}

    with pytest.raises(InputError, match=message):
        diff_against(target, **given)


def test_what_the_decade_explains_is_no_difference_within_decades():
    rng = np.random.default_rng(50)
    decades = [rng.choice(["60s", "90s"], 600, p=p) for p in ([0.8, 0.2], [0.2, 0.8])]
    rates = [np.where(d == "60s", 0.5, 0.1)[:, None] for d in decades]
    first, second = (encode(rng.random((600, 1)) < rate) for rate in rates)
    decades[0][:10] = "50s"

    plain = diff_groups(first, second)
    held = diff_groups(first, second, strata_first=decades[0], strata_second=decades[1])

    assert plain.significant[0]
    assert not held.significant[0]
    assert abs(held.rates.difference[0]) < 0.06
    assert "compared 1190 of 1200 documents, within 2 strata" in held.summary().casefold()


def test_the_lengths_told_are_those_of_all_documents_whatever_is_held_fixed():
    decades = [["60s"] * 30 + ["90s"] * 10, ["60s"] * 10 + ["90s"] * 30]
    tokens = [np.where(np.array(side) == "60s", 20, 10) + np.arange(40) % 2 for side in decades]
    first, second = (encode(np.ones((40, 1)), n_tokens=side) for side in tokens)

    found = diff_groups(first, second, strata_first=decades[0], strata_second=decades[1])

    assert found.tokens == (pytest.approx(18.0), pytest.approx(13.0))
    assert found.length.value == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"strata_second": ["b"] * 5}, "no stratum has documents of both groups"),
        ({"strata_second": ["a"] * 5, "match_length": True}, "strata go neither with pairs"),
        ({"strata_second": ["a"] * 4}, "strata of 'second' has 4 values for 5 documents"),
    ],
)
def test_bad_strata_are_refused(given, message):
    documents = encode(np.ones((5, 2)))

    with pytest.raises(InputError, match=message):
        diff_groups(documents, documents, strata_first=["a"] * 5, **given)


def test_the_plot_shows_every_tested_feature():
    pytest.importorskip("matplotlib").use("Agg")

    found = diff_groups(*planted(11), names=("new", "old"))
    axes = found.plot()

    assert "new" in axes.get_xlabel()
    assert axes.get_xlabel().endswith("in percentage points")
    drawn = [x for points in axes.collections for x, _ in points.get_offsets().tolist()]
    expected = 100 * found.to_frame()["difference"].to_numpy()
    assert sorted(drawn) == pytest.approx(np.sort(expected))


def test_names_of_groups_stand_in_the_summary_as_they_are():
    found = diff_groups(*planted(11), names=("it's", 'the "old" one'))

    assert 'documents of "it\'s" and \'the "old" one\'' in found.summary()
