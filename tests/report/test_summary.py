"""The lines that the command line prints."""

from dataclasses import replace

from interp_embed.records import Scores, Signal
from interp_embed.report import summarise_study
from interp_embed.report.wording import share_of_ceiling


def test_the_summary_says_what_was_found_and_what_to_mind(rich_study):
    lines = summarise_study(rich_study).splitlines()

    assert lines[0] == "3 of 5 hypotheses about stars hold up on 800 documents kept for the test."
    assert lines[1].startswith("244 features were screened")
    assert lines[2].startswith("2 other sets of hypotheses were tested")
    assert '   \u22120.61  mentions "waited", "host"' in "\n".join(lines)
    assert lines[lines.index('    \u22120.93  mentions "rude", "manager"') + 1].strip() == (
        "explained away by length and price; overlaps with others"
    )
    assert len(lines) <= 20


def test_at_most_ten_findings_are_printed(make_study, make_hypothesis):
    many = make_study(hypotheses=tuple(make_hypothesis(0) for _ in range(14)))

    text = summarise_study(many)

    assert text.count("waited") == 10
    assert "… and 4 more in the report" in text


def test_a_summary_is_plain_lines_whatever_a_label_holds(make_study, make_hypothesis):
    hypothesis = make_hypothesis(hypothesis="a\nb \x1b[31m" + "x" * 200)

    text = summarise_study(make_study(hypotheses=(hypothesis,)))

    assert "\x1b" not in text
    assert "  a b " in text
    assert max(map(len, text.splitlines())) < 220


def test_no_signal_is_said(make_study):
    study = replace(make_study(), signal=Signal("auc", 0.51, 0.3, False, 900))
    assert "no sign that there is anything to find" in summarise_study(study)


def test_the_share_of_the_ceiling_counts_from_chance():
    assert share_of_ceiling(Scores("r2", 0.5, 0.3, 0.2, 0.0, 9)) == 0.4
    assert round(share_of_ceiling(Scores("auc", 0.75, 0.7, 0.6, 0.5, 9)), 9) == 0.4
    assert str(share_of_ceiling(Scores("r2", 0.01, 0.3, 0.2, 0.0, 9))) == "nan"
