"""The page of the analyses shows what the records say, and nothing that text could do."""

import json
import re
from html.parser import HTMLParser

import fake_analyses as fake
import pandas as pd
import pytest

from interp_embed.analysis import Searcher, find_duplicates
from interp_embed.report import Evidence, analysis_record, render_analyses
from interp_embed.report.analysis_columns import TABLES, Column, cell, interval, points
from interp_embed.report.analysis_evidence import own_evidence
from interp_embed.report.analysis_record import run_stem
from interp_embed.report.analysis_wording import sentences

HOSTILE = "<script>alert(1)</script>\x07 \"&' {{ 7 * 7 }}"


class _Page(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


def page_of(*results, **more):
    names = [next(name for name, make in fake.EVERY.items() if make is one) for one in results]
    return render_analyses(
        [analysis_record(one(), name, **more) for one, name in zip(results, names, strict=True)]
    )


def test_every_analysis_has_its_section():
    page = _Page(page_of(*fake.EVERY.values()))

    for title in ("What differs", "What changes", "What occurs together", "Clusters", "Search"):
        assert title in page.text


def test_the_table_shows_labels_rates_and_differences_with_intervals():
    text = " ".join(_Page(page_of(fake.diff)).text.split())

    frame = fake.diff().to_frame()
    row = frame.iloc[0]
    assert 'mentions "shall", "must"' in text
    assert points(row.difference) in text
    assert f"[{points(row.low)}, {points(row.high)}]" in text
    assert "president" in text
    assert "Documents of the first group are longer" in text


def test_a_feature_without_a_label_is_named_by_its_number():
    assert "feature 14" in _Page(page_of(fake.diff)).text
    assert "feature 3" in _Page(page_of(fake.correlations)).text


def test_members_of_a_family_stand_with_the_one_that_leads():
    text = " ".join(_Page(page_of(fake.diff)).text.split())

    assert "fires in the same documents as: asks a question" in text
    assert text.count("feature 7") == 0


def test_pairs_that_are_trivial_are_shown_apart():
    text = _Page(page_of(fake.correlations)).text

    assert "Set apart: pairs that are linked trivially" in text
    assert "the same token" in text


def test_verified_differences_are_all_shown_and_only_those_that_hold_are_filled():
    html = page_of(fake.diff)

    assert "mentions a price" in html
    verified = html[html.index("Verified on held-out") : html.index("mentions a price")]
    assert verified.count('<tbody class="row holds">') == 1


def test_documents_behind_a_row_have_their_places_marked():
    evidence = {"0": [Evidence(3, "We shall see.", ((3, 8),))]}

    html = page_of(fake.diff, evidence=evidence)

    assert "We <mark>shall</mark> see." in html
    assert "row 3" in html


def test_hits_of_a_search_have_their_places_marked():
    evidence = {"2": [Evidence(3, "", ((0, 4),))]}

    assert "<mark>What</mark> would you like?" in page_of(fake.search, evidence=evidence)


def test_a_hit_is_marked_where_it_is_one_also_far_into_a_long_text():
    text = "Nothing to see here. " * 60 + "Many thanks to all of you."
    found = Searcher([text, "Soup."]).search("thanks")

    html = render_analyses([analysis_record(found, "search")])

    assert "Many <mark>thanks</mark> to all" in html


def test_a_rank_shared_by_two_documents_is_not_rounded():
    ranked = fake.search()
    ranked.frame["rank_features"] = [2.5, 1234.0]

    text = " ".join(_Page(render_analyses([analysis_record(ranked, "search")])).text.split())

    assert " 2.5 " in text
    assert " 1,234 " in text


def test_columns_without_any_value_are_left_out():
    found = Searcher(["Many thanks.", "Soup."]).search("thanks")

    text = _Page(render_analyses([analysis_record(found, "search")])).text

    assert "Rank by words" in text
    assert "Rank by meaning" not in text
    assert "Features that match" not in text


def test_long_texts_that_head_a_row_are_cut_to_an_excerpt():
    copies = find_duplicates(["A long text. " * 100] * 2 + [""] * 3)

    html = render_analyses([analysis_record(copies, "duplicates")])

    shown = html[html.index('<th scope="row" class="document">') :]
    assert 2 * 300 < shown.index("More") < 2 * 600
    assert "the largest of 3: (empty)" in html


def test_associations_with_columns_are_explained_as_such():
    rows = {"feature": [3], "label": [""], "column": ["year"], "category": [None], "value": [0.4]}
    rows |= {"low": [0.3], "high": [0.5], "q": [0.001], "n_both": [None], "n_feature": [1234]}
    links = fake.FakeAnalysis(pd.DataFrame(rows), "One association holds up.")

    text = _Page(render_analyses([analysis_record(links, "correlate")])).text

    assert "correlation of firing with it" in text
    assert "Trivial pairs" not in text
    assert "1,234" in text
    assert not {"Both", "Category", "Expected"} & set(text.split())


def test_a_text_that_was_cut_ends_in_a_sign():
    rows = analysis_record(fake.search("x" * 5_000), "search")["rows"]

    assert rows[0]["text"] == "x" * 4_000 + "…"
    assert rows[1]["text"] == "What would you like?"


def test_a_full_stop_in_a_label_or_query_ends_no_sentence():
    summary = (
        "3 of 9 documents for 'Mr. Smith, don\\'t', by words (3). It has 'a. b' and \"c. d\". End."
    )

    first, rest = sentences(summary, ())

    assert first == "3 of 9 documents for 'Mr. Smith, don\\'t', by words (3)."
    assert rest == "It has 'a. b' and \"c. d\". End."
    assert sentences("One. Two.\nThree.", ()) == ("One. Two.", "Three.")
    assert sentences("Only one.", ()) == ("Only one.",)


def test_examples_that_a_result_brings_itself_are_shown():
    record = analysis_record(fake.diff(examples={0: ["A text of its own."]}), "diff")

    assert "A text of its own." in render_analyses([record])


def test_hostile_text_stays_text():
    record = analysis_record(
        fake.diff(names=(HOSTILE, "b"), labels=[HOSTILE], warnings=[HOSTILE]),
        "diff",
        about=HOSTILE,
        command=HOSTILE,
        evidence={"0": [Evidence(0, HOSTILE * 60, ((0, 8),), HOSTILE)]},
    )
    records = [record, analysis_record(fake.search(HOSTILE), "search")]

    html = render_analyses(records, {run_stem("diff", HOSTILE): b"<svg onload='alert(1)'/>"})
    page = _Page(html)

    assert "script" not in page.tags
    assert "<script>alert(1)</script>" in page.text
    assert "{{ 7 * 7 }}" in page.text
    assert html.count("data:image/svg+xml") == 1
    assert "\x07" not in html
    assert not [name for name, _ in page.attributes if name.startswith("on")]


def test_the_page_loads_nothing():
    html = render_analyses(
        [analysis_record(fake.diff(), "diff")],
        {"diff": b"<svg xmlns='http://www.w3.org/2000/svg'/>"},
    )

    assert "default-src 'none'" in html
    links = [v for name, v in _Page(html).attributes if name in ("src", "href")]
    assert all(link.startswith(("#", "data:image/svg+xml;base64,")) for link in links)


def test_nothing_found_is_said():
    text = _Page(render_analyses([analysis_record(fake.diff(0), "diff")])).text

    assert "There is none to show." in text
    assert "no analyses in this folder" in _Page(render_analyses([])).text


def test_where_none_holds_up_the_page_says_so():
    result = fake.diff()
    result.frame["significant"] = False
    result.frame["family"] = -1

    text = " ".join(_Page(render_analyses([analysis_record(result, "diff")])).text.split())

    assert "None holds up after correction." in text
    assert "filled: holds up after correction" in text
    assert (
        '"row holds"'
        not in render_analyses([analysis_record(result, "diff")])[: -len("</html>")].split(
            "Verified"
        )[0]
    )


@pytest.mark.parametrize("name", fake.EVERY)
def test_a_record_is_plain_json_without_nan(name):
    record = analysis_record(fake.EVERY[name](), name)

    assert json.loads(json.dumps(record, allow_nan=False)) == record


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("points", 0.034, "+3.4"),
        ("points", -0.034, "\u22123.4"),
        ("points", 0.0001, "0.0"),
        ("share", 0.4, "40 %"),
        ("probability", 1e-9, "< 0.001"),
        ("number", -1.0, "\u22121.00"),
        ("count", 1234, "1,234"),
        ("number", None, "\u2013"),
        ("yes", True, "yes"),
    ],
)
def test_cells_are_written_as_people_read_them(kind, value, text):
    assert cell(Column("x", "X", kind), {"x": value}) == text


def test_an_interval_with_an_unknown_end_is_not_written():
    column = Column("x", "X", "points", "low", "high")

    assert interval(column, {"x": 0.1, "low": None, "high": 0.2}) == ""
    assert interval(column, {"x": 0.1, "low": 0.05, "high": 0.2}) == "[+5.0, +20.0]"


def test_the_names_of_columns_are_those_that_the_analyses_promise():
    for name, make in fake.EVERY.items():
        needed = {column.key for column in TABLES[name].columns if not column.optional}
        assert needed <= set(make().to_frame().columns)
    assert not re.search("latent|neuron", str(TABLES))


def test_documents_of_pairs_clusters_and_hits_are_found_by_their_row():
    pair = {"examples": [{"first": 3, "second": 14, "texts": ["Both are in here."]}]}
    central = [{"position": 1, "text": "shown above"}, {"position": 9, "text": "Another."}]
    hit = {"rank": 2, "document": 8, "text": "a b c", "words": [[0, 1]], "matches": []}

    assert own_evidence(pair)["3-14"][0]["text"] == "Both are in here."
    found = own_evidence({"clusters": [{"number": 0, "central": central}]})
    assert [(one["row"], one["text"]) for one in found["0"]] == [(9, "Another.")]
    assert own_evidence({"hits": [hit]})["2"][0]["spans"] == [[0, 1]]
    assert own_evidence({}) == {}
