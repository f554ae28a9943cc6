"""``interp-embed table`` and the files and lines of a finished study."""

import json
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from interp_embed.cli import main
from interp_embed.cli.output import prepare_folder


def run(*arguments, **environment):
    return CliRunner().invoke(main, [str(a) for a in arguments], env=environment)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a small study, and what the command printed."""
    folder = tmp_path_factory.mktemp("study")
    with (folder / "t.jsonl").open("w") as out:
        for i in range(160):
            word = "violin" if i % 3 == 0 else "pepper"
            out.write(
                json.dumps({"text": f"{word} w{i % 7} w{i % 11} n{i}", "y": i % 3 == 0}) + "\n"
            )
    result = run(
        "hypotheses", folder / "t.jsonl", "--text", "text", "--target", "y", "--embedder", "tfidf",
        "--features", 8, "--active", 2, "--n", 3, "--out", folder / "out", "--quiet",
        INTERP_EMBED_CACHE=str(folder / "cache"),
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    return folder / "out", result.output


def test_a_study_leaves_its_regression_table_in_three_forms(finished):
    folder, output = finished

    assert (folder / "regression.tex").read_text().count(r"\toprule") == 1
    assert "regression.tex" in output
    assert "hold up on" in output
    assert "features were screened" in output


@pytest.mark.parametrize(
    ("form", "file"),
    [("markdown", "regression.md"), ("latex", "regression.tex"), ("csv", "regression.csv")],
)
def test_the_table_of_a_folder_is_the_one_that_was_written(finished, form, file):
    folder, _ = finished

    result = run("table", folder, "--format", form)

    assert result.exit_code == 0, result.output
    assert result.output == (folder / file).read_text(encoding="utf-8")


def test_a_folder_without_a_study_is_told(tmp_path):
    result = run("table", tmp_path)
    assert result.exit_code == 1
    assert "name the folder of a finished run" in result.output


def test_results_of_other_kinds_of_studies_may_be_replaced(tmp_path):
    for name in ("classes.csv", "strata.csv", "regression.tex", "regression.md"):
        (tmp_path / name).touch()
    assert prepare_folder(tmp_path, overwrite=True) == tmp_path


def test_a_typo_in_a_column_is_answered_without_loading_the_library(tmp_path):
    (tmp_path / "t.csv").write_text("text,stars,city\na,1,x\n")
    code = (
        "import sys\nfrom interp_embed.cli import main\n"
        f"sys.argv = ['x', 'hypotheses', {str(tmp_path / 't.csv')!r}, '--text', 'text', "
        "'--target', 'stars', '--strata', 'cty']\n"
        "try: main()\nexcept SystemExit as stop: print('code', stop.code)\n"
        "print(*sorted(sys.modules))"
    )
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "did you mean 'city'" in done.stderr
    assert "code 1" in done.stdout
    loaded = set(done.stdout.split())
    assert not loaded & {"torch", "sklearn", "scipy", "statsmodels", "openai", "numba"}
    assert time.monotonic() - started < 30
