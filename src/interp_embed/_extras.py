"""Guard for optional packages: a missing one is named with the command that installs it."""

import importlib
from types import ModuleType

from interp_embed.errors import MissingExtraError


def require_extra(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Return an optional module, or say which command installs it.

    Args:
        module: Import name, such as ``"anndata"``.
        extra: The extra of this package that brings it.
        purpose: What it is needed for, to complete "… is needed for".

    Raises:
        MissingExtraError: The module cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"{module} is needed for {purpose}, and is not installed; "
            f"run: pip install 'interp-embed[{extra}]'"
        ) from error
