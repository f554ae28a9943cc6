"""Sparse autoencoders: train, encode, decode, save; load and run pretrained ones.

What needs torch is imported when it is first asked for.
"""

import importlib
from typing import TYPE_CHECKING, Any

from interp_embed.sae.checkpoint import Origin, SavedSAE, load_sae, save_sae
from interp_embed.sae.control import random_dictionary
from interp_embed.sae.estimator import EmbeddingSAE
from interp_embed.sae.settings import TrainingSettings
from interp_embed.sae.site import ReaderSite
from interp_embed.sae.train import TrainedSAE, train_sae
from interp_embed.sae.weights import SAEWeights, reconstruction_nmse

if TYPE_CHECKING:
    from interp_embed.sae.bound import BoundSAE, GoodfireSAE, LocalSAE
    from interp_embed.sae.fit_check import SAEFit, check_fit
    from interp_embed.sae.formats import (
        ReaderSAECard,
        from_saelens,
        load_pretrained_sae,
        save_reader_sae,
    )
    from interp_embed.sae.pretrained import Declared, PretrainedSAE

__all__ = [
    "BoundSAE",
    "Declared",
    "EmbeddingSAE",
    "GoodfireSAE",
    "LocalSAE",
    "Origin",
    "PretrainedSAE",
    "ReaderSAECard",
    "ReaderSite",
    "SAEFit",
    "SAEWeights",
    "SavedSAE",
    "TrainedSAE",
    "TrainingSettings",
    "check_fit",
    "from_saelens",
    "load_pretrained_sae",
    "load_sae",
    "random_dictionary",
    "reconstruction_nmse",
    "save_reader_sae",
    "save_sae",
    "train_sae",
]

_WITH_TORCH = {
    "BoundSAE": "bound",
    "Declared": "pretrained",
    "GoodfireSAE": "bound",
    "LocalSAE": "bound",
    "PretrainedSAE": "pretrained",
    "ReaderSAECard": "formats",
    "SAEFit": "fit_check",
    "check_fit": "fit_check",
    "from_saelens": "formats",
    "load_pretrained_sae": "formats",
    "save_reader_sae": "formats",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module's attribute
    if name in _WITH_TORCH:
        return getattr(importlib.import_module(f"interp_embed.sae.{_WITH_TORCH[name]}"), name)
    raise AttributeError(f"module 'interp_embed.sae' has no attribute {name!r}")
