"""HypotheSAEs' functions under their own names: train, interpret, generate, evaluate.

They take the same arguments and return the same columns, so that a notebook runs with its import
lines changed; the work is done by the packages below. What differs is told in each docstring, and
in one place in ``docs/from-hypothesaes.md``.
"""

from interp_embed.quickstart.autoencoder import SparseAutoencoder, load_model
from interp_embed.quickstart.evaluate import evaluate_hypotheses
from interp_embed.quickstart.generate import generate_hypotheses
from interp_embed.quickstart.interpret import interpret_sae
from interp_embed.quickstart.train import train_sae

__all__ = [
    "SparseAutoencoder",
    "evaluate_hypotheses",
    "generate_hypotheses",
    "interpret_sae",
    "load_model",
    "train_sae",
]
