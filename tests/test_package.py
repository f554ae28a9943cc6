"""What importing the package and asking the command line for help costs."""

import importlib
import pkgutil
import subprocess
import sys

import pytest

import interp_embed

HEAVY = {"torch", "transformers", "openai", "sentence_transformers", "sklearn", "pandas"}


def modules_after(code):
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return set(done.stdout.split())


def test_importing_the_package_loads_no_heavy_library():
    assert not modules_after("import interp_embed") & HEAVY


def test_the_help_loads_no_heavy_library():
    code = (
        "import sys; sys.argv = ['interp-embed', '--help']\n"
        "from interp_embed.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass"
    )
    assert not modules_after(code) & HEAVY


def test_importing_saes_and_the_notebook_functions_loads_no_model_library():
    names = ("sae", "quickstart", "embedders")
    after = modules_after("import " + ", ".join(f"interp_embed.{name}" for name in names))
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


@pytest.mark.parametrize(
    "command",
    [
        "'hypotheses', FILE, '--text', 'txt', '--target', 'stars'",
        "'encode', FILE, '--text', 'txt'",
    ],
)
def test_a_mistyped_column_is_told_before_any_library_is_loaded(command, tmp_path):
    file = tmp_path / "t.csv"
    file.write_text("text,stars\na,1\n")
    code = (
        f"import sys; sys.argv = ['interp-embed', {command.replace('FILE', repr(str(file)))}]\n"
        "from interp_embed.cli import main\n"
        "try: main()\n"
        "except SystemExit as stop: assert stop.code == 1"
    )
    assert not modules_after(code) & (HEAVY - {"pandas"})
