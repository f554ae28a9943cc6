"""Text data sets as interpretable embeddings, and findings from them that hold up."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from interp_embed.dataset import Dataset

__all__ = ["Dataset"]

_HOMES = {"Dataset": "interp_embed.dataset"}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - by name
    # Loaded on first use, so that importing the package loads no model library.
    if name not in _HOMES:
        raise AttributeError(f"module 'interp_embed' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
