"""Sparse autoencoders: train, encode, decode, save, compare with a random dictionary."""

from interp_embed.sae.checkpoint import Origin, SavedSAE, load_sae, save_sae
from interp_embed.sae.control import random_dictionary
from interp_embed.sae.estimator import EmbeddingSAE
from interp_embed.sae.settings import TrainingSettings
from interp_embed.sae.train import TrainedSAE, train_sae
from interp_embed.sae.weights import SAEWeights, reconstruction_nmse

__all__ = [
    "EmbeddingSAE",
    "Origin",
    "SAEWeights",
    "SavedSAE",
    "TrainedSAE",
    "TrainingSettings",
    "load_sae",
    "random_dictionary",
    "reconstruction_nmse",
    "save_sae",
    "train_sae",
]
