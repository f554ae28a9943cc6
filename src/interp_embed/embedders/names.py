"""What a model's card says to put before a document."""

import json
from functools import cache
from importlib.resources import files


@cache
def _prompts() -> dict[str, str]:
    text = files("interp_embed.embedders").joinpath("prompts.json").read_text(encoding="utf-8")
    return {key.lower(): prompt for key, prompt in json.loads(text).items()}


def document_prompt(name: str) -> str:
    """Return what the model's card puts before a document; empty where it says nothing."""
    return _prompts().get(name.lower(), "")
