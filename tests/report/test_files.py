import pytest

from interp_embed.errors import InputError
from interp_embed.report import StudyFiles, render_html, write_regression_table, write_study


def test_three_files_are_written_and_nothing_else(make_study, tmp_path):
    directory = tmp_path / "new" / "folder"

    files = write_study(make_study(), directory)

    assert files == StudyFiles(
        hypotheses=directory / "hypotheses.csv",
        run=directory / "run.json",
        report=directory / "report.html",
    )
    assert sorted(path.name for path in directory.iterdir()) == [
        "hypotheses.csv",
        "report.html",
        "run.json",
    ]
    assert files.report.read_bytes() == render_html(make_study()).encode("utf-8")


def test_the_same_study_gives_the_same_bytes(make_study, tmp_path):
    first, second = (write_study(make_study(), tmp_path / name) for name in ("a", "b"))

    for name in ("hypotheses", "run", "report"):
        assert getattr(first, name).read_bytes() == getattr(second, name).read_bytes()


def test_a_study_that_cannot_be_written_leaves_the_old_files(make_study, tmp_path):
    files = write_study(make_study(), tmp_path)
    before = files.hypotheses.read_bytes()

    with pytest.raises(InputError, match=r"settings\.model is a object"):
        write_study(make_study(hypotheses=(), settings={"model": object()}), tmp_path)

    assert files.hypotheses.read_bytes() == before


def test_classes_and_strata_are_written_where_there_are_any_and_do_not_outlive_them(
    class_study, rich_study, make_study, tmp_path
):
    assert write_study(class_study, tmp_path).classes == tmp_path / "classes.csv"
    rich = write_study(rich_study, tmp_path)

    assert (rich.classes, rich.strata) == (None, tmp_path / "strata.csv")
    assert not (tmp_path / "classes.csv").exists()
    write_study(make_study(), tmp_path)
    assert not (tmp_path / "strata.csv").exists()


def test_the_regression_table_is_written_in_three_forms(rich_study, tmp_path):
    paths = write_regression_table(rich_study, tmp_path)

    assert [path.name for path in paths] == ["regression.tex", "regression.md", "regression.csv"]
    assert all(path.read_text(encoding="utf-8") for path in paths)
