import dataclasses
import math
import re
from html.parser import HTMLParser

import pytest

from interp_embed.records import (
    Attempt,
    ClassEffect,
    ConceptGroup,
    ControlledEffect,
    DroppedDocument,
    Estimate,
    ModelSummary,
    NamedEffect,
    Scores,
    Signal,
    StrataEffects,
    TrainingReport,
)
from interp_embed.report import render_html, write_study

_NAN = math.nan
_HOSTILE = (
    "</script><script>alert(1)</script><img src=x onerror=\"alert('2')\"></td></table>"
    "<a href='https://evil.example/'>&lt;b&gt; ' \" ` {{ 7 * 7 }} <!-- ]]> <style>*{}</style>"
)
_VOID = {"meta", "line", "circle", "path", "rect"}
_EFFECT = Estimate(0.2, 0.1, 0.3, 0.01, 9)


class _Page(HTMLParser):
    """Elements, attributes, and text of a page; refuses one whose elements do not nest."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.text, self.open = [], [], "", []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        self.text += " " if tag in {"td", "dd"} else ""
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]

    def handle_endtag(self, tag):
        assert self.open, tag
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data


def _words(html):
    return re.sub(r"\s+", " ", _Page(html).text)


def _hostile_study(make_study, make_hypothesis, make_example):
    example = make_example(_HOSTILE, spans=((0, 20), (10, 30), (60, 10_000), (-5, 1)))
    hypothesis = make_hypothesis(
        hypothesis=_HOSTILE,
        note=_HOSTILE,
        about=_HOSTILE,
        similar=(_HOSTILE,),
        by_class=(ClassEffect(_HOSTILE, _EFFECT, _EFFECT, 0.5),),
        controlled=ControlledEffect((_HOSTILE,), _EFFECT, 1.0, True, _HOSTILE),
        strata=StrataEffects(
            (NamedEffect(_HOSTILE, _EFFECT),), _EFFECT, 0.5, 0.5, True, True, _HOSTILE
        ),
        top_examples=(example,),
        contrast_examples=(example,),
    )
    plain = make_study()
    return make_study(
        hypotheses=(hypothesis,),
        target_name=_HOSTILE,
        target_note=_HOSTILE,
        settings={_HOSTILE: _HOSTILE, "embedder": {"name": _HOSTILE}},
        provenance={"command": _HOSTILE, "nested": {"list": [_HOSTILE]}},
        warnings=(_HOSTILE,),
        correction=_HOSTILE,
        classes=(_HOSTILE,),
        target_kind="multiclass",
        strata_name=_HOSTILE,
        model=ModelSummary(
            _HOSTILE, _HOSTILE, _HOSTILE, _HOSTILE, (_HOSTILE,), 9, 3, 0.1, 40.0, _HOSTILE
        ),
        groups=(ConceptGroup((_HOSTILE, _HOSTILE), 0.1, 0.1, True),),
        ledger=(Attempt(_HOSTILE, "discover", 3, 1, _HOSTILE),),
        signal=Signal(_HOSTILE, 0.1, 0.5, False, 10),
        rows=dataclasses.replace(plain.rows, dropped=(DroppedDocument(0, _HOSTILE),)),
        training=dataclasses.replace(plain.training, stopped=_HOSTILE),
        scores=dataclasses.replace(plain.scores, metric=_HOSTILE),
    )


def test_hostile_text_is_shown_and_never_run(make_study, make_hypothesis, make_example):
    page = _Page(render_html(_hostile_study(make_study, make_hypothesis, make_example)))

    assert not {"script", "img", "iframe", "object", "link", "base", "form"} & set(page.tags)
    assert page.tags.count("style") == 1
    assert [name for _, name, _ in page.attributes if name.startswith("on")] == []
    assert {value for _, name, value in page.attributes if name == "href"} <= {"#warnings"}
    assert page.text.count(_HOSTILE) >= 30
    assert "49" not in page.text


def test_the_page_loads_nothing(make_study, make_hypothesis, make_example):
    html = render_html(_hostile_study(make_study, make_hypothesis, make_example))

    page = _Page(html)

    assert not {"src", "srcset", "xlink:href", "data", "action"} & {
        name for _, name, _ in page.attributes
    }
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL).group(1)
    assert not re.search(r"url\(|@import|//|@font-face", style)
    policy = next(value for _, _, value in page.attributes if "default-src" in (value or ""))
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:")
    assert "http" not in render_html(make_study()).replace("http-equiv", "")


def test_the_answer_is_the_first_sentence(make_study):
    assert (
        "3 of 5 hypotheses about “stars” hold up on 800 documents that played no part in finding "
        "them; together they predict the target with R² = 0.25, where a ridge on the full "
        "embedding reaches 0.58."
    ) in _words(render_html(make_study()))


def test_highlights_are_marked(make_study, make_hypothesis, make_example):
    example = make_example("The host <waited>.", spans=((4, 8), (9, 17)))
    hypothesis = make_hypothesis(top_examples=(example,), contrast_examples=())

    html = render_html(make_study(hypotheses=(hypothesis,)))

    assert "The <mark>host</mark> <mark>&lt;waited&gt;</mark>." in html


def test_the_page_tells_what_a_careful_reader_asks(make_study):
    words = _words(render_html(make_study()))

    for fact in (
        "The hypotheses reach 43 % of what the full embedding gains over chance.",
        "numbers from 1 to 5, taken as they are",
        "all-MiniLM-L6-v2",
        "1,200 documents",
        "target is missing: 2 (row 90, 91)",
        "244 features were screened on discover documents, 5 hypotheses tested on confirm",
        "correct for all 5 tested",
        "precision 0.82 [0.70, 0.90], recall 0.61 [0.50, 0.71]",
        "patience, after 63 epochs; the weights of epoch 58 were kept",
        "0.412 on 120 validation documents",
        "12 fire on no training document",
        "10 annotations failed and were left out.",
        "Association, not cause.",
        "interp-embed hypotheses reviews.csv --text text --target stars",
        "versions.numpy 2.2.0",
        "53aa51172d142c89d9012cce15ae4d6c",
        "sae.k 8",
    ):
        assert fact in words, fact


def test_effects_of_a_binary_target_are_percentage_points(make_study, make_hypothesis):
    hypothesis = make_hypothesis(
        separation=Estimate(0.123, 0.081, 0.165, 0.001, 800),
        coefficient=Estimate(-0.051, -0.092, -0.01, 0.001, 800),
    )

    words = _words(
        render_html(
            make_study(
                hypotheses=(hypothesis,),
                target_kind="binary",
                target_mean=0.37,
                scores=Scores("auc", 0.81, 0.7, 0.66, 0.48, 800),
            )
        )
    )

    assert "Effects are in percentage points of stars" in words
    assert "+12.3" in words
    assert "[8.1, 16.5]" in words
    assert "\u22125.1" in words
    assert "AUC = 0.66" in words.replace("\xa0", " ")
    assert "37 %" in words


def test_what_could_not_be_tested_is_set_apart_with_its_reason(
    make_study, make_hypothesis, untested
):
    words = _words(render_html(make_study(hypotheses=(make_hypothesis(), untested), tested=1)))

    assert "Could not be tested" in words
    assert "no confirm document has the concept" in words
    assert "The one hypothesis about “stars” that was tested holds up" in words
    assert "nan" not in words


def test_significance_is_told_by_form_and_word_not_by_colour_alone(make_study):
    html = render_html(make_study())

    labels = [value for _, name, value in _Page(html).attributes if name == "aria-label"]
    assert sum("holds up" in label for label in labels) == 3
    assert sum("does not hold up" in label for label in labels) == 2
    assert html.count('<g class="separation down holds">') == 3  # two rows and the legend


@pytest.mark.parametrize("n", [0, 1, 200])
def test_a_study_of_any_size_is_rendered(n, make_study, make_hypothesis, tmp_path):
    study = make_study(hypotheses=tuple(make_hypothesis(index) for index in range(n)))

    html = write_study(study, tmp_path).report.read_text(encoding="utf-8")

    assert _Page(html).tags.count("blockquote") == 4 * n
    assert ("There is none to show." in html) == (n == 0)


def test_a_study_where_nothing_could_be_estimated_is_rendered(make_study, untested):
    study = make_study(
        hypotheses=(untested,),
        tested=0,
        scores=Scores("r2", _NAN, _NAN, _NAN, _NAN, 0),
        target_mean=_NAN,
        training=TrainingReport(0, 0, "cap", _NAN, _NAN, (), _NAN, 0, 0, 0, 0),
        settings={},
        provenance={},
        warnings=(),
    )

    words = _words(render_html(study))

    assert "No hypothesis about “stars” could be tested" in words
    assert "nan" not in words


@pytest.mark.parametrize("size", [0.0, 5e-324, 1e-12, 1.0, 1e12, 1e307, math.inf])
def test_effects_of_any_size_are_drawn(size, make_study, make_hypothesis):
    effect = Estimate(size, -size, size, 0.5, 10)
    study = make_study(hypotheses=(make_hypothesis(separation=effect, coefficient=effect),))

    html = render_html(study)

    assert not re.search(r'="-?(nan|inf)"', html)
    assert len(html) < 100_000


def test_one_wild_interval_does_not_squeeze_the_others(make_study, make_hypothesis):
    wild = make_hypothesis(coefficient=Estimate(0.1, -900.0, 900.0, 0.9, 10))
    study = make_study(hypotheses=(*(make_hypothesis(i) for i in range(9)), wild))

    html = render_html(study)

    assert html.count('class="arrow"') == 2
    zero = float(re.search(r'class="zero" x1="([\d.]+)"', html).group(1))
    point = float(re.search(r'<circle cx="([\d.]+)" cy="13"', html).group(1))
    assert abs(zero - point) > 15


def test_awkward_characters_are_shown_and_can_be_written(
    make_study, make_hypothesis, make_example, tmp_path
):
    text = "bell \x07 half \ud83d whole \U0001f621 \u0627\u0646 reversed \u202e."
    study = make_study(
        hypotheses=(make_hypothesis(hypothesis=text, top_examples=(make_example(text),)),)
    )

    html = write_study(study, tmp_path).report.read_bytes().decode("utf-8")

    assert "\u2407" in html
    assert "\U0001f621 \u0627\u0646" in html
    assert not re.search("[\x00-\x08\x0b-\x1f\ud800-\udfff\u202e]", html)
    assert '<blockquote dir="auto">' in html


def test_very_long_labels_are_cut_and_given_in_full_once(make_study, make_hypothesis):
    label = "x" * 5000

    text = _Page(render_html(make_study(hypotheses=(make_hypothesis(hypothesis=label),)))).text

    assert text.count(label) == 1
    assert "x" * 160 + "…" in text


def test_a_study_without_the_newer_facts_shows_no_empty_shell(make_study):
    words = _words(render_html(make_study()))

    for absent in (
        "The joint regression",
        "Everything that was tried",
        "Concepts that occur together",
        "held fixed: ",
        "Says the same",
        "By class",
        "80 % power",
        "Before anything was tested",
        "other set",
        "stability",
        "variance inflation",
        "Strata",
    ):
        assert absent not in words, absent


def test_the_page_tells_how_hypotheses_were_tested_and_what_to_mind(rich_study):
    words = _words(render_html(rich_study)).replace("\xa0", " ")

    for fact in (
        "2 other sets of hypotheses were tested on these confirm documents before",
        "out of sample with R² = 0.55 (p < 0.001): there is something to find.",
        "at least 0.12 in “stars”",
        "linear regression on all hypotheses together, by least squares",
        "792 in 301 groups",
        "34.2 (collinear: coefficients are hard to tell apart)",
        "price level 4 was left out",
        "coefficient: the same, with length, price and all other concepts held fixed",
        "sign turns between strata of venue",
        "Bars +0.31 [0.05, 0.57] 0.020 300",
        "within strata \u22120.33",
        "p < 0.001, q 0.002: the sign turns. 1 stratum has fewer than 20 documents: Trucks",
        "explained away by length and price",
        "\u22120.45 [\u22120.60, \u22120.30], p < 0.001: that accounts for 26 % of the separation",
        "overlaps with others",
        "unstable feature",
        "the two effects have opposite signs",
        "stability over seeds 0.91",
        'mentions "waiting", "hostess"',
        "As a group",
        "does not hold up",
        "choose among labels tune 51 5",
    ):
        assert fact in words, fact


def test_a_study_without_signal_says_so_before_anything_else(make_study):
    study = make_study(signal=Signal("r2", 0.01, 0.43, False, 1200))

    words = _words(render_html(study)).replace("\xa0", " ")

    place = words.index("R² = 0.01 (p = 0.430): no sign that there is anything to find.")
    assert place < words.index("Hold up at")


def test_classes_are_told_apart(class_study):
    words = _words(render_html(class_study))

    for fact in (
        "about sport",
        "percentage points of a class's share",
        "p and q are of all classes together",
        "All classes together p < 0.001, q 0.001",
        "trade \u221214 [\u221219, \u22129] \u22127 [\u221213, \u22121] 0.030",
        "sport, trade, =arts",
        "It is the mean over the classes",
    ):
        assert fact in words, fact
    assert "Mean on confirm documents" not in words


def test_a_coefficient_of_another_unit_is_not_drawn_beside_the_separation(
    make_study, make_hypothesis
):
    model = ModelSummary(
        "logit", "Firth", "profile", "log odds ratio", (), 800, None, 0.2, 3.0
    )  # fmt: skip
    hypothesis = make_hypothesis(
        separation=Estimate(0.12, 0.08, 0.16, 0.001, 800),
        coefficient=Estimate(1.52, 0.92, 2.12, 0.001, 800),
    )

    html = render_html(make_study(hypotheses=(hypothesis,), target_kind="binary", model=model))

    words = _words(html)
    assert "Coefficients are not drawn: their unit is another." in words
    assert "coefficient: log odds ratio, with all other concepts held fixed" in words
    assert "+12 [8, 16]" in words
    assert "+1.5 [0.9, 2.1]" in words
    assert 'class="diamond"' not in html


def test_a_remark_on_a_tested_hypothesis_does_not_make_it_untested(make_study, make_hypothesis):
    hypothesis = make_hypothesis(4, note="estimated by Firth's likelihood: separation")

    words = _words(render_html(make_study(hypotheses=(hypothesis,))))

    assert "Do not hold up" in words
    assert "Could not be tested" not in words
