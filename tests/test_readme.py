"""The README's code runs as it stands."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)


def test_the_readme_has_code():
    assert BLOCKS


@pytest.mark.parametrize("block", BLOCKS)
def test_the_readmes_code_runs_and_prints_hypotheses(block, capsys):
    exec(compile(block, "README.md", "exec"), {})  # noqa: S102 - our own README

    assert "mentions" in capsys.readouterr().out


def test_every_page_the_readme_links_to_exists():
    text = (ROOT / "README.md").read_text("utf-8")
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert (ROOT / link).exists(), link
