"""Data sets: documents with the activations of their features, on disk, sliced, labelled."""

from interp_embed.dataset.convert import convert_predecessor
from interp_embed.dataset.dataset import Dataset
from interp_embed.dataset.document import DatasetRow
from interp_embed.dataset.health import DatasetHealth
from interp_embed.dataset.labelling import LabelOutcome
from interp_embed.dataset.startup import readable_bytes

__all__ = [
    "Dataset",
    "DatasetHealth",
    "DatasetRow",
    "LabelOutcome",
    "convert_predecessor",
    "readable_bytes",
]
