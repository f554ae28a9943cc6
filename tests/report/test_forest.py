import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from interp_embed.records import Estimate
from interp_embed.report import forest_plot


@pytest.fixture
def ax():
    return Figure().subplots()


def _markers(ax):
    return [line for line in ax.lines if line.get_marker() == "o"]


def test_the_plot_shows_each_separation_where_it_is(make_study, ax):
    study = make_study()

    drawn = _markers(forest_plot(study, ax=ax))

    assert [line.get_xdata()[0] for line in drawn] == [
        hypothesis.separation.value for hypothesis in study.hypotheses
    ]
    assert ax.get_yticklabels()[0].get_text() == 'mentions "waited", "host"'


def test_filled_markers_are_those_that_hold_up(make_study, ax):
    study = make_study()

    drawn = _markers(forest_plot(study, ax=ax))

    filled = [line.get_markerfacecolor() == line.get_markeredgecolor() for line in drawn]
    assert filled == [hypothesis.significant for hypothesis in study.hypotheses]


def test_a_binary_target_is_drawn_in_percentage_points(make_hypothesis, make_study, ax):
    hypothesis = make_hypothesis(separation=Estimate(0.12, 0.05, 0.19, 0.001, 400))

    forest_plot(make_study(hypotheses=(hypothesis,), target_kind="binary"), ax=ax)

    assert _markers(ax)[0].get_xdata()[0] == pytest.approx(12.0)
    assert "percentage points" in ax.get_xlabel()


def test_an_estimate_that_is_missing_keeps_its_line(untested, make_hypothesis, make_study, ax):
    forest_plot(make_study(hypotheses=(make_hypothesis(), untested)), ax=ax)

    assert len(_markers(ax)) == 1
    assert len(ax.get_yticks()) == 2


def test_dollars_in_a_concept_are_no_formula(make_hypothesis, make_study, tmp_path, ax):
    forest_plot(make_study(hypotheses=(make_hypothesis(hypothesis="costs $\\frac{$"),)), ax=ax)

    ax.figure.savefig(tmp_path / "plot.png")


def test_without_axes_a_figure_is_made(make_study):
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    drawn = forest_plot(make_study(hypotheses=()))

    assert drawn.figure is not None
    plt.close(drawn.figure)
