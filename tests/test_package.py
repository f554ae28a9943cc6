"""What importing the package and asking the command line for help costs."""

import importlib
import pkgutil
import subprocess
import sys

import pytest

import interp_embed

HEAVY = {"torch", "transformers", "openai", "sentence_transformers", "sklearn", "pandas"}


def modules_after(*codes):
    """Return what a process of its own has loaded after each of some pieces of code."""
    script = "\n".join(f"{code}\nprint(*sys.modules, file=sys.stderr)" for code in codes)
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{script}"],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    return [set(line.split()) for line in done.stderr.splitlines() if line.startswith("sys ")]


def calling(*arguments, code):
    return (
        f"sys.argv = {['interp-embed', *arguments]!r}\n"
        "from interp_embed.cli import main\n"
        "try: main()\n"
        f"except SystemExit as stop: assert stop.code == {code}"
    )


def test_importing_the_package_and_the_help_load_no_heavy_library():
    package, help_of_it = modules_after("import interp_embed", calling("--help", code=0))
    assert not package & HEAVY
    assert not help_of_it & HEAVY


def test_reports_saes_and_the_notebook_functions_load_only_what_they_need():
    names = ("sae", "quickstart", "embedders")
    report, after = modules_after(
        "import interp_embed.report", "import " + ", ".join(f"interp_embed.{n}" for n in names)
    )
    assert "matplotlib" not in report
    assert not after & {"torch", "transformers", "openai", "sentence_transformers"}


@pytest.mark.parametrize(
    "name",
    [
        "interp_embed",
        *(
            f"interp_embed.{module.name}"
            for module in pkgutil.iter_modules(interp_embed.__path__)
            if module.ispkg and module.name != "cli"
        ),
    ],
)
def test_every_public_name_exists(name):
    module = importlib.import_module(name)
    assert len(set(module.__all__)) == len(module.__all__)
    for public in module.__all__:
        assert getattr(module, public) is not None


def test_a_name_that_is_none_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'Datasets'"):
        interp_embed.Datasets  # noqa: B018


def test_a_mistyped_column_is_told_before_any_library_is_loaded(tmp_path):
    file = tmp_path / "t.csv"
    file.write_text("text,stars\na,1\n")
    study = ("hypotheses", str(file), "--text", "txt", "--target", "stars")
    encoding = ("encode", str(file), "--text", "txt")

    loaded = modules_after(calling(*study, code=1), calling(*encoding, code=1))

    assert len(loaded) == 2
    assert all(not modules & (HEAVY - {"pandas"}) for modules in loaded)
