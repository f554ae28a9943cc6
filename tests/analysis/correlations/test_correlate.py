import json

import matplotlib as mpl
import numpy as np
import pytest
from scipy.sparse import csr_matrix

from interp_embed.analysis import (
    EncodedDocuments,
    LinkLimits,
    Neighbours,
    align_documents,
    associate_feature,
    correlate_features,
    default_support,
)
from interp_embed.errors import InputError

mpl.use("Agg")


def encoded(values, **changes) -> EncodedDocuments:
    matrix = csr_matrix(np.array(values, np.float32))
    given = {
        "texts": [f"document <{i}>" for i in range(matrix.shape[0])],
        "activations": matrix,
        "n_tokens": np.full(matrix.shape[0], 5),
    }
    return EncodedDocuments(**(given | changes))


def draw(seed=0, n=400, n_features=30, **changes) -> EncodedDocuments:
    """0-1 together in 30 of 33 documents, 2-3 never together, 8 nowhere, 9 everywhere."""
    rng = np.random.default_rng(seed)
    fires = rng.random((n, n_features)) < 0.2
    fires[:, :2] = False
    fires[:33, 0] = fires[3:36, 1] = True
    fires[:, 2] = rng.random(n) < 0.4
    fires[:, 3] = ~fires[:, 2] & (rng.random(n) < 0.5)
    fires[:, 8], fires[:, 9] = False, True
    return encoded(fires * rng.uniform(0.5, 1.5, fires.shape), **changes)


def test_features_that_go_together_are_found_with_counts_shares_and_interval():
    found = correlate_features(draw(labels={0: "tea", 1: "cake"}), near=no_links())

    row = found.to_frame().iloc[0]
    assert (row["first"], row["second"]) == (0, 1)
    assert (row["first_label"], row["second_label"]) == ("tea", "cake")
    assert (row["n_both"], row["n_first"], row["n_second"]) == (30, 33, 33)
    assert row["p_first_given_second"] == row["p_second_given_first"] == 30 / 33
    assert row["expected"] == pytest.approx(33 * 33 / 400)
    ratio = np.log((30 / 400) / (33 / 400) ** 2) / -np.log(30 / 400)
    assert row["npmi"] == pytest.approx(ratio)
    assert row["low"] < ratio < row["high"]
    assert row["q"] < 1e-20
    assert row["linked"] == ""
    assert found.pairs_kept.n_tests == 28 * 27 // 2
    assert (found.pairs_kept.n_rare, found.pairs_kept.n_everywhere) == (1, 1)


def no_links() -> Neighbours:
    return Neighbours(limits=LinkLimits(activation_cosine=2, activation_jaccard=2))


def test_never_together_is_minus_one_and_not_nothing():
    """The predecessor stored 0, as of unrelated features."""
    frame = correlate_features(draw(labels={2: "rain", 3: "sun"})).to_frame()

    avoiding = frame[frame["npmi"] < 0]
    assert avoiding[["first", "second", "npmi", "n_both"]].values.tolist() == [[2, 3, -1.0, 0]]
    assert avoiding["expected"].iloc[0] > 20
    assert avoiding["high"].iloc[0] < 0
    assert not (correlate_features(draw(), negative=False).to_frame()["npmi"] < 0).any()


def test_prompts_and_responses_are_paired_with_each_other_only():
    """The predecessor crashed when a second matrix was given."""
    prompts, responses = draw(1, n_features=20), draw(2, n_features=12)
    answers = responses.activations.toarray()
    answers[:, 5] = prompts.activations.toarray()[:, 13] > 0
    responses = encoded(answers, labels={5: "polite hope"})

    found = correlate_features(prompts, other=responses)

    frame = found.to_frame()
    assert frame[["first", "second", "npmi"]].values.tolist()[0] == [13, 5, 1.0]
    assert (frame["first_label"][0], frame["second_label"][0]) == ("feature 13", "polite hope")
    assert found.pairs_kept.n_tests == 18 * 10
    assert found.pairs(13)["second"].tolist() == [5]
    turned = found.pairs(5, side="second")
    assert turned[["first", "second"]].values[0].tolist() == [5, 13]
    assert turned["first_label"][0] == "polite hope"
    assert "document <" in found.examples[13, 5][0]
    assert " | " in found.examples[13, 5][0]


def test_the_same_feature_on_both_sides_is_set_apart_but_firing_alike_is_not():
    prompts = draw(1)
    found = correlate_features(prompts, other=prompts)

    frame = found.to_frame()
    assert (frame["first"] != frame["second"]).all()
    assert [0, 1] in frame[["first", "second"]].values.tolist()
    linked = found.linked_frame()
    assert (linked["first"] == linked["second"]).all()
    assert set(linked["linked"]) == {"one feature"}


def test_pairs_that_fire_in_the_same_documents_are_set_apart_and_shown():
    found = correlate_features(draw())

    assert [0, 1] not in found.to_frame()[["first", "second"]].values.tolist()
    linked = found.linked_frame()
    assert linked[["first", "second", "linked"]].values.tolist() == [
        [0, 1, "near-equal activations"]
    ]
    assert "Set apart as trivially linked by near-equal activations: 1 pairs." in found.summary()
    assert found.pairs(1)["linked"].tolist() == ["near-equal activations"]
    assert found.to_frame(linked=True)["first"].tolist()[0] == 0


def test_pairs_at_the_same_or_the_next_token_are_set_apart():
    documents = draw()
    entries = documents.activations
    columns, rows = entries.indices, np.repeat(np.arange(400), np.diff(entries.indptr))
    peak = (columns * 10).astype(np.int32)
    peak[columns == 1] = 1 + 2 * (rows[columns == 1] % 5 == 0)

    def link(peak, share=0.5):
        limits = LinkLimits(activation_cosine=2, activation_jaccard=2, token_share=share)
        found = correlate_features(documents, near=Neighbours(peak=peak, limits=limits))
        return found.linked_frame()[["first", "second", "linked"]].values.tolist()

    assert link(peak) == [[0, 1, "same or adjacent token"]]
    assert link(peak, share=0.9) == []
    assert link(np.where(columns == 1, -1, peak).astype(np.int32)) == []
    documents = draw(cuts=np.full(30, 0.1, np.float32))
    assert link(peak) == [[0, 1, "same or adjacent token"]]


def test_near_equal_directions_and_labels_are_set_apart():
    dictionary = np.eye(30, dtype=np.float32)
    dictionary[1, :2] = [-1, 0.2]
    near = Neighbours(dictionary=dictionary, limits=no_links().limits)
    linked = correlate_features(draw(), near=near).linked_frame()
    assert linked[["first", "second", "linked"]].values.tolist() == [
        [0, 1, "near-equal directions"]
    ]

    labels = {0: 'mentions "Tea", "cake"', 1: 'Mentions "cake", "tea".', 2: "", 3: ""}
    linked = correlate_features(draw(labels=labels), near=no_links()).linked_frame()
    assert linked["linked"].tolist() == ["near-equal labels"]

    vectors = np.zeros((30, 2), np.float32)
    vectors[0], vectors[1] = [1, 0], [2, 1]
    near = Neighbours(label_vectors=vectors, dictionary=dictionary, limits=no_links().limits)
    linked = correlate_features(draw(), near=near).linked_frame()
    assert linked["linked"].tolist() == ["near-equal directions; near-equal labels"]


def test_labels_that_quote_the_same_words_are_set_apart():
    def linked(first, second, **limits):
        documents = draw(labels={0: first, 1: second})
        limits = LinkLimits(activation_cosine=2, activation_jaccard=2, **limits)
        found = correlate_features(documents, near=Neighbours(limits=limits))
        return found.linked_frame()["linked"].tolist()

    assert linked('mentions "east"', 'mentions "Middle East", "oil"') == ["words of their labels"]
    assert linked('mentions "soil", "dam"', 'mentions "river", "dam", "sea"') == [
        "words of their labels"
    ]
    assert linked('mentions "soil", "a", "b"', 'mentions "a", "river", "sea"') == []
    assert linked('mentions "soil", "dam"', 'mentions "dam", "sea"', label_words=0.6) == []
    assert linked("discusses tax policy", "discusses foreign policy") == []
    assert linked('mentions "soil"', "") == []


def test_directions_of_another_sae_are_compared_only_if_given():
    prompts, responses = draw(1, source={"sae": "a"}), draw(1, source={"sae": "b"})
    dictionary = np.eye(30, dtype=np.float32)

    def n_linked(**given):
        near = Neighbours(dictionary=dictionary, **given)
        return len(correlate_features(prompts, other=responses, near=near).linked_frame())

    assert n_linked() == 0
    assert n_linked(other_dictionary=dictionary) == 28
    with pytest.raises(InputError, match="lengths 30 and 4; give vectors of the same space"):
        n_linked(other_dictionary=np.ones((30, 4), np.float32))


def test_all_partners_of_one_feature_are_counted_from_its_documents():
    every = correlate_features(draw(), max_q=1.0, min_pairs=1)

    found = associate_feature(draw(), 1, max_q=1.0, min_pairs=1)

    assert found.pairs_kept.n_tests == 27
    assert (found.to_frame(linked=True)["first"] == 1).all()
    columns = ["second", "n_both", "npmi", "p"]
    one, other = (
        frame.sort_values("second")[columns].to_numpy()
        for frame in (found.to_frame(linked=True), every.pairs(1))
    )
    assert len(one) == 27
    assert np.isin(other[:, 0], one[:, 0]).all()
    np.testing.assert_allclose(one[np.isin(one[:, 0], other[:, 0])], other)
    assert associate_feature(draw(), 8).pairs_kept.n_tests == 0


def test_documents_are_aligned_by_key_in_the_order_of_the_first():
    first, second = encoded([[1], [2], [3]]), encoded([[10], [20], [30], [40]])

    both = align_documents(first, second, ["a", "b", "c"], ["c", "x", "a", "y"])

    assert both.first.activations.toarray().tolist() == [[1], [3]]
    assert both.second.activations.toarray().tolist() == [[30], [10]]
    assert (both.n_unmatched_first, both.n_unmatched_second) == (1, 2)


def test_keys_that_do_not_tell_documents_apart_are_refused():
    one, two = encoded([[1], [2]]), encoded([[1], [2]])
    with pytest.raises(InputError, match=r"1 of second_keys occur more than once: 'a'"):
        align_documents(one, two, ["a", "b"], ["a", "a"])
    with pytest.raises(InputError, match="1 of first_keys are missing, the first at document 1"):
        align_documents(one, two, ["a", None], ["a", "b"])
    with pytest.raises(InputError, match="first_keys has 1 entries for 2 documents"):
        align_documents(one, two, ["a"], ["a", "b"])
    with pytest.raises(InputError, match=r"no key is in both sets: .* 1, 2, the second .* 'a'"):
        align_documents(one, two, [1, 2], ["a", "b"])


def test_few_documents_need_less_support_than_many():
    supports = [default_support(n) for n in (2, 2_500, 5_000, 10_000, 40_000, 1_000_000)]

    assert supports == [5, 5, 10, 20, 20, 500]


def test_input_that_cannot_be_used_is_refused():
    with pytest.raises(InputError, match="there is 1; give at least two"):
        correlate_features(encoded([[1, 1]]))
    with pytest.raises(InputError, match="400 and 399 documents.*use align_documents"):
        correlate_features(draw(), other=draw(n=399))
    with pytest.raises(InputError, match="min_support must be at least 1, got 0"):
        correlate_features(draw(), min_support=0)
    for max_q in (0, 1.5):
        with pytest.raises(InputError, match="max_q must lie above 0"):
            correlate_features(draw(), max_q=max_q)
        with pytest.raises(InputError, match="max_q must lie above 0"):
            associate_feature(draw(), 0, max_q=max_q)
    with pytest.raises(InputError, match="level must lie between 0 and 1"):
        correlate_features(draw(), level=1)
    with pytest.raises(InputError, match="feature 30 is out of range: there are 30"):
        associate_feature(draw(), 30)
    with pytest.raises(InputError, match="feature -1 is out of range"):
        correlate_features(draw()).pairs(-1)
    with pytest.raises(InputError, match='side must be "first" or "second"'):
        correlate_features(draw()).pairs(1, side="other")
    with pytest.raises(InputError, match="dictionary has shape .* a row for each of 30"):
        correlate_features(draw(), near=Neighbours(dictionary=np.ones((3, 2), np.float32)))
    wrong = np.full((30, 2), np.nan, np.float32)
    with pytest.raises(InputError, match="dictionary holds NaN"):
        correlate_features(draw(), near=Neighbours(dictionary=wrong))
    with pytest.raises(InputError, match="peak has shape .* one for each"):
        correlate_features(draw(), near=Neighbours(peak=np.zeros(3, np.int32)))


def test_where_nothing_fires_nothing_is_found():
    found = correlate_features(encoded(np.zeros((40, 6))))

    assert found.pairs_kept.n_tests == 0
    assert found.to_frame().empty
    assert found.linked_frame().empty
    assert "0 pairs of features" in found.summary()
    assert "6 features that fire in fewer than 5 documents" in found.summary()
    with pytest.raises(InputError, match="nothing to draw"):
        found.plot()


def test_features_fire_above_their_cut_only():
    cuts = np.zeros(30, np.float32)
    cuts[1] = 2.0

    found = correlate_features(draw(cuts=cuts))

    assert 1 not in found.to_frame(linked=True)[["first", "second"]].values
    assert found.pairs_kept.n_rare == 2


def test_the_result_is_shown_escaped_and_as_plain_values():
    found = correlate_features(draw(labels={2: "<b>rain</b>"}), progress=False)

    assert "<b>" not in found._repr_html_()
    assert "&lt;b&gt;rain" in found._repr_html_()
    said = json.loads(json.dumps(found.to_json()))
    assert said["n_findings"] == len(found.to_frame())
    assert said["pairs"][0]["npmi"] == found.to_frame()["npmi"][0]
    assert said["linked"][0]["linked"] == "near-equal activations"
    assert found.plot() is not None
    again = correlate_features(draw(labels={2: "<b>rain</b>"}))
    assert json.dumps(again.to_json()) == json.dumps(found.to_json())


def by_authors(seed=0, n_authors=25, n_features=40) -> tuple[EncodedDocuments, np.ndarray]:
    """30 documents an author, who lean to features; 0-1 together in a tenth of all documents."""
    rng = np.random.default_rng(seed)
    authors = np.repeat(np.arange(n_authors), 30)
    rates = 1 / (1 + np.exp(1.6 - 1.2 * rng.standard_normal((n_authors, n_features))))
    fires = rng.random((authors.size, n_features)) < rates[authors]
    fires[:, :2] |= (rng.random(authors.size) < 0.2)[:, None]
    return encoded(fires), authors


def test_what_authors_lean_to_is_no_finding_where_they_are_named():
    documents, authors = by_authors()
    names = [f"author {author}" for author in authors]

    plain = correlate_features(documents, near=no_links())
    found = correlate_features(documents, groups=names, near=no_links())

    assert len(plain.to_frame()) > 10
    row = found.to_frame().iloc[0]
    assert found.to_frame()[["first", "second"]].values.tolist() == [[0, 1]]
    assert row["design_effect"] > 1.5
    before = plain.to_frame().set_index(["first", "second"]).loc[(0, 1)]
    assert row["npmi"] == before["npmi"]
    assert row["low"] < before["low"] < before["high"] < row["high"]
    assert row["q"] >= before["q"]
    assert "design_effect" not in plain.to_frame()
    assert found.pairs_kept.n_tests == plain.pairs_kept.n_tests
    assert "in 25 groups, within which they are not independent" in found.summary()
    assert (found.to_json()["n_groups"], plain.to_json()["n_groups"]) == (25, None)
    one = associate_feature(documents, 0, groups=names, near=no_links())
    assert one.pairs_kept.second.tolist() == [1]
    assert one.pairs_kept.p[0] == pytest.approx(row["p"])


def test_prompts_and_answers_of_one_author_are_not_independent():
    prompts, authors = by_authors(1)
    answers = by_authors(1)[0]

    plain = correlate_features(prompts, other=answers, near=no_links())
    found = correlate_features(prompts, other=answers, groups=authors, near=no_links())

    crossed = [frame[frame["first"] > 1] for frame in (plain.to_frame(), found.to_frame())]
    assert len(crossed[0]) > 30
    assert len(crossed[1]) <= 1
    assert len(found.linked_frame()) == 40  # each feature with itself


def test_few_groups_show_little_and_it_is_said():
    documents, authors = by_authors(n_authors=5)

    found = correlate_features(documents, groups=authors)

    assert found.to_frame().empty
    assert "So few groups can show only what nearly all of them have in common" in found.summary()


def test_groups_that_cannot_be_used_are_refused():
    documents, authors = by_authors()
    with pytest.raises(InputError, match="all 750 documents are in one group"):
        correlate_features(documents, groups=np.zeros(750))
    missing = authors.astype(float)
    missing[4] = np.nan
    for search in (
        correlate_features,
        lambda given, **options: associate_feature(given, 0, **options),
    ):
        with pytest.raises(InputError, match="groups is missing in 1 of 750 documents, such as"):
            search(documents, groups=missing)
    with pytest.raises(InputError, match="groups has 749 values for 750 documents"):
        correlate_features(documents, groups=authors[1:])
