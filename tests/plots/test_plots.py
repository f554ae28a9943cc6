"""Plots show the numbers they are given, and no text is read as a formula."""

import math
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

from interp_embed.errors import InputError
from interp_embed.plots import (
    cluster_map,
    forest,
    matrix,
    stacked_shares,
    trend_lines,
    volcano,
)

HOSTILE = "costs $\\frac{$ <script> bell\x07"


@pytest.fixture
def ax():
    return Figure().subplots()


def _texts(ax):
    return [child.get_text() for child in ax.findobj() if hasattr(child, "get_text")]


DRAWN = {
    "volcano": lambda ax: volcano(
        [0.3, -0.2, 0.0], [1e-9, 0.01, 0.9], labels=[HOSTILE] * 3, xlabel=HOSTILE, ax=ax
    ),
    "forest": lambda ax: forest(
        [1.0], [0.5], [1.5], labels=[HOSTILE], filled=[True], xlabel=HOSTILE, ax=ax
    ),
    "matrix": lambda ax: matrix(
        [[0.5, -0.5]],
        row_labels=[HOSTILE],
        column_labels=[HOSTILE, "b"],
        title_of_values=HOSTILE,
        ax=ax,
    ),
    "cluster_map": lambda ax: cluster_map([[0, 1], [2, 3]], [0, -1], names=[HOSTILE], ax=ax),
    "trend_lines": lambda ax: trend_lines(
        ["a", HOSTILE],
        [[0.1, 0.2]],
        [[0.0, 0.1]],
        [[0.2, 0.3]],
        labels=[HOSTILE],
        xlabel=HOSTILE,
        ax=ax,
    ),
    "stacked_shares": lambda ax: stacked_shares(
        [[0.5, 0.5]], bar_labels=[HOSTILE], part_labels=[HOSTILE, "b"], xlabel=HOSTILE, ax=ax
    ),
}


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
def test_text_stands_for_itself(draw, ax, tmp_path):
    draw(ax)
    ax.figure.savefig(tmp_path / "plot.svg")

    texts = [text for text in _texts(ax) if "costs" in text]
    assert texts
    assert all("$\\frac{$" in text.replace("\n", " ") for text in texts)
    assert not any("\x07" in text for text in texts)


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
def test_without_axes_a_figure_is_made(draw):
    import matplotlib.pyplot as plt

    assert draw(None).figure is not None
    plt.close("all")


EMPTY = {
    "volcano": lambda ax: volcano([], [], labels=[], xlabel="x", ax=ax),
    "forest": lambda ax: forest([], [], [], labels=[], filled=[], xlabel="x", ax=ax),
    "matrix": lambda ax: matrix(
        np.empty((0, 0)), row_labels=[], column_labels=[], title_of_values="x", ax=ax
    ),
    "cluster_map": lambda ax: cluster_map(np.empty((0, 2)), [], names=[], ax=ax),
    "trend_lines": lambda ax: trend_lines(
        [], *[np.empty((0, 0))] * 3, labels=[], xlabel="x", ax=ax
    ),
    "stacked_shares": lambda ax: stacked_shares(
        np.empty((0, 0)), bar_labels=[], part_labels=[], xlabel="x", ax=ax
    ),
}


@pytest.mark.parametrize("draw", EMPTY.values(), ids=EMPTY)
def test_nothing_found_is_an_empty_plot(draw, ax, tmp_path):
    draw(ax).figure.savefig(tmp_path / "plot.svg")


def test_importing_the_package_does_not_load_matplotlib():
    code = "import sys, interp_embed.plots; sys.exit('matplotlib' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_largest_differences_that_hold_up_are_named(ax):
    difference = np.linspace(-0.4, 0.4, 41)
    q = np.where(np.abs(difference) > 0.31, 1e-4, 0.8)

    volcano(difference, q, labels=[f"f{i}" for i in range(41)], xlabel="difference", ax=ax)

    named = {text.get_text() for text in ax.texts}
    assert named == {*(f"f{i}" for i in range(5)), *(f"f{i}" for i in range(36, 41))}


def test_no_line_to_a_name_crosses_the_numbers_of_the_axis(ax):
    volcano([-0.2, 0.3], [1e-9, 1e-4], labels=["left", "right"], xlabel="x", ax=ax)
    ax.figure.canvas.draw()

    numbers = [label.get_window_extent() for label in ax.get_yticklabels() if label.get_text()]
    left, right = ax.transData.transform([(-0.2, 0.0), (0.3, 0.0)])[:, 0]
    assert numbers
    assert all(left < box.x0 < box.x1 < right for box in numbers)


def test_a_q_of_zero_has_a_place(ax):
    volcano([0.1, 0.2], [0.0, math.nan], labels=["a", "b"], xlabel="x", ax=ax)

    assert math.isfinite(ax.get_ylim()[1])
    assert [text.get_text() for text in ax.texts] == ["a"]


def test_an_interval_far_wider_than_the_others_ends_in_an_arrow(ax):
    forest(
        [1.0, 1.0, 1.0, 1.0],
        [0.8, 0.7, 0.9, -90.0],
        [1.2, 1.3, 1.1, 90.0],
        labels=list("abcd"),
        filled=[True] * 4,
        xlabel="x",
        ax=ax,
    )

    assert ax.get_xlim()[1] < 5
    assert [line.get_marker() for line in ax.lines if line.get_marker() in "<>"] == ["<", ">"]


def test_no_effect_may_lie_elsewhere_than_at_zero(ax):
    forest(
        [1.5, 0.5], [1.2, 0.2], [1.8, 0.8], labels=["a", "b"], filled=[True, True],
        xlabel="odds", zero=1.0, ax=ax,
    )  # fmt: skip

    above, below = (line.get_markeredgecolor() for line in ax.lines if line.get_marker() == "o")
    assert above != below


def test_what_is_not_known_is_blank_in_the_matrix(ax):
    matrix(
        [[0.8, math.nan], [-0.8, 0.1]],
        row_labels=["a", "b"],
        column_labels=["c", "d"],
        title_of_values="NPMI",
        ax=ax,
    )

    assert [text.get_text() for text in ax.texts] == ["0.80", "\u22120.80", "0.10"]
    assert ax.images[0].get_clim() == (-0.8, 0.8)


def test_documents_in_no_cluster_are_grey_and_not_in_the_legend(ax):
    cluster_map([[0, 0], [1, 1], [2, 2]], [0, 1, -1], names=["first", "second"], ax=ax)

    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == ["first (1)", "second (1)"]


@pytest.mark.parametrize("name", ["_private", "", "  "])
def test_every_part_and_cluster_is_in_the_legend_whatever_it_is_called(ax, name):
    stacked_shares([[0.5, 0.5]], bar_labels=["a"], part_labels=[name, "b"], xlabel="s", ax=ax)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [name.strip(), "b"]

    other = Figure().subplots()
    cluster_map([[0, 0], [1, 1]], [0, 1], names=[name, "b"], ax=other)
    shown = [text.get_text() for text in other.get_legend().get_texts()]
    assert shown == [f"{name.strip()} (1)", "b (1)"]


def test_a_group_without_documents_is_a_gap_in_its_line(ax):
    rates = np.array([[0.1, math.nan, 0.3]])

    trend_lines([1.0, 2.3333333333, 3], rates, rates, rates, labels=["a"], xlabel="year", ax=ax)

    assert np.isnan(ax.lines[0].get_ydata()[1])
    assert [text.get_text() for text in ax.get_xticklabels()] == ["1", "2.33333", "3"]
    assert [text.get_text() for text in ax.texts] == ["a"]


def test_parts_lie_end_to_end(ax):
    stacked_shares(
        [[0.2, 0.3], [0.1, 0.0]], bar_labels=["a", "b"], part_labels=["x", "y"], xlabel="s", ax=ax
    )

    assert [patch.get_x() for patch in ax.patches] == pytest.approx([0.0, 0.0, 0.2, 0.1])


def test_counts_have_whole_numbers_below_them(ax):
    stacked_shares([[1, 1]], bar_labels=["a"], part_labels=["x", "y"], xlabel="documents", ax=ax)

    assert all(float(tick).is_integer() for tick in ax.get_xticks())


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: volcano([1.0], [0.1, 0.2], labels=["a"], xlabel="x"), "q has 2 entries for 1"),
        (
            lambda: forest([1.0], [0.1], [2.0], labels=[], filled=[True], xlabel="x"),
            "labels has 0 entries for 1",
        ),
        (
            lambda: matrix([1.0], row_labels=[], column_labels=[], title_of_values=""),
            "values must have 2 dimension",
        ),
        (lambda: cluster_map([[0, 0]], [3], names=["a"]), "numbered 3 to 3, but there are 1 names"),
        (lambda: cluster_map([[0, 0, 0]], [0], names=["a"]), "must have 2 columns"),
        (
            lambda: trend_lines([1, 2], [[0.1]], [[0.1]], [[0.1]], labels=["a"], xlabel="x"),
            r"must have shape \(1, 2\)",
        ),
        (
            lambda: stacked_shares([[-0.1]], bar_labels=["a"], part_labels=["b"], xlabel="x"),
            "must be >= 0 to be stacked, got -0.1",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(draw, message):
    with pytest.raises(InputError, match=message):
        draw()
