"""Embedders by one word: what a command line or a settings file holds."""

import difflib
from pathlib import Path
from typing import Any

from interp_embed._model_files import MINILM, is_minilm
from interp_embed.embedders.protocol import Embedder
from interp_embed.embedders.tfidf import TfidfEmbedder
from interp_embed.errors import InputError

_NAMES = ("minilm", MINILM, "tfidf", "openai:MODEL")


def load_embedder(spec: str, **options: Any) -> Embedder:  # noqa: ANN401 - passed on
    """Return the embedder that a word names.

    Args:
        spec: ``minilm``; ``tfidf``; ``openai:MODEL``; a hub name with an owner, such as
            ``nomic-ai/modernbert-embed-base``; or the path of a folder.
        options: Arguments of the embedder, such as ``prompt=`` or ``n_components=``.

    Raises:
        InputError: No embedder has this name, or it does not take one of the options.
        StoredFileError: The files of the model are damaged.
    """
    kind, _, rest = spec.partition(":")
    is_path = bool(spec) and Path(spec).expanduser().is_dir()
    try:
        if spec.lower() == "tfidf":
            return TfidfEmbedder(**options)
        # Both take seconds to import: only the one that is named, and only here.
        if kind.lower() == "openai" and rest:
            from interp_embed.embedders.openai_api import OpenAIEmbedder

            return OpenAIEmbedder(rest, **options)
        if is_minilm(spec) or "/" in spec or is_path:
            from interp_embed.embedders.sentence import SentenceEmbedder

            return SentenceEmbedder.load(spec, **options)
    except TypeError as error:
        if "unexpected keyword argument" not in str(error):
            raise
        raise InputError(f"the embedder {spec!r} does not take this option: {error}") from error
    close = difflib.get_close_matches(spec.lower(), [name.lower() for name in _NAMES], n=1)
    meant = f"; did you mean {close[0]!r}?" if close else ""
    raise InputError(
        f"there is no embedder {spec!r}{meant} Use one of {', '.join(_NAMES)}, a hub name with its "
        "owner (owner/model), or the path of a folder"
    )
