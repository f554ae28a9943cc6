"""train_sae: an SAE from embeddings, kept in a folder and found there again for the same data."""

import logging
from dataclasses import asdict
from pathlib import Path

import click
import numpy as np
from numpy.typing import ArrayLike, NDArray

from interp_embed._fingerprint import digest_settings
from interp_embed.errors import StoredFileError
from interp_embed.quickstart.autoencoder import SparseAutoencoder
from interp_embed.quickstart.inputs import as_matrix
from interp_embed.sae import Origin, TrainingSettings, load_sae, save_sae
from interp_embed.sae import train_sae as train

_log = logging.getLogger(__name__)


def train_sae(  # noqa: PLR0913 - HypotheSAEs' arguments
    embeddings: ArrayLike,
    M: int,
    K: int,
    *,
    matryoshka_prefix_lengths: list[int] | None = None,
    batch_topk: bool = False,
    checkpoint_dir: str | Path | None = None,
    overwrite_checkpoint: bool = False,
    val_embeddings: ArrayLike | None = None,
    aux_k: int | None = None,
    multi_k: int | None = None,
    dead_neuron_threshold_steps: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    n_epochs: int | None = None,
    aux_coef: float | None = None,
    multi_coef: float | None = None,
    patience: int | None = None,
    clip_grad: float | None = None,
    show_progress: bool = True,
    seed: int = 0,
) -> SparseAutoencoder:
    """Return a sparse autoencoder of embeddings, trained now or found in ``checkpoint_dir``.

    A checkpoint is a folder whose name says M, K, the prefixes and a digest of data and settings:
    only an SAE made from exactly these embeddings with exactly these settings is loaded. The same
    input and seed give the same weights.

    Args:
        embeddings: Of the training texts, shape (n_texts, d_in): list, array or tensor.
        M: Number of features, at most as many as texts.
        K: Active features a text.
        matryoshka_prefix_lengths: Prefix lengths, increasing; M is appended if it is missing.
        batch_topk: K active features on average instead of K at most.
        checkpoint_dir: Folder to keep SAEs in; None to keep none.
        overwrite_checkpoint: Train even if this SAE is there.
        val_embeddings: Of other texts, for early stopping; without them a tenth is held out.
        aux_k: Not needed: the trainer revives dead features by itself. Ignored, and said so.
        multi_k: As ``aux_k``.
        dead_neuron_threshold_steps: As ``aux_k``.
        batch_size: Texts a step; None suits the number of texts.
        learning_rate: At the start, on embeddings scaled to length 1; None suits M.
        n_epochs: Most passes over the texts; None makes about 1,000 steps.
        aux_coef: As ``aux_k``.
        multi_coef: As ``aux_k``.
        patience: Epochs without improvement before it stops; None is a quarter of the most.
        clip_grad: As ``aux_k``.
        show_progress: Show a bar on the standard error stream.
        seed: Of the start, the order of the texts and the texts held out.

    Raises:
        InputError: The embeddings cannot be learned from, or do not fit the settings.
    """
    _say_ignored(
        aux_k=aux_k,
        multi_k=multi_k,
        dead_neuron_threshold_steps=dead_neuron_threshold_steps,
        aux_coef=aux_coef,
        multi_coef=multi_coef,
        clip_grad=clip_grad,
    )
    settings = TrainingSettings(
        n_features=M,
        k=K,
        prefixes=tuple(matryoshka_prefix_lengths or ()),
        rule="batch_topk" if batch_topk else "topk",
        max_epochs=n_epochs,
        patience=patience,
        batch_size=batch_size,
        learning_rate=learning_rate,
        seed=seed,
    )
    matrix = as_matrix(embeddings)
    held_out = None if val_embeddings is None else as_matrix(val_embeddings, name="val_embeddings")
    origin = Origin.of(matrix, settings, validation=held_out)
    place = None
    if checkpoint_dir is not None:
        place = Path(checkpoint_dir).expanduser() / checkpoint_name(settings, origin)
        if not overwrite_checkpoint:
            found = _load_checkpoint(place, origin)
            if found is not None:
                return found
    return _train(matrix, held_out, settings, origin, place, show_progress=show_progress)


def checkpoint_name(settings: TrainingSettings, origin: Origin) -> str:
    """Return the folder's name: sizes to be read, and a digest of data and settings."""
    digest = digest_settings(asdict(origin))[:12]
    sizes = f"M={settings.n_features}_K={settings.k}"
    if not settings.prefixes:
        return f"SAE_{sizes}_{digest}"
    prefixes = "-".join(str(length) for length in settings.prefixes)
    return f"SAE_matryoshka_{sizes}_prefixes={prefixes}_{digest}"


def _train(
    matrix: NDArray[np.float32],
    held_out: NDArray[np.float32] | None,
    settings: TrainingSettings,
    origin: Origin,
    place: Path | None,
    *,
    show_progress: bool,
) -> SparseAutoencoder:
    trained = train(matrix, settings, validation=held_out, progress=show_progress)
    if trained.report.stopped == "patience":
        click.echo(f"Early stopping triggered after {trained.report.epochs} epochs")
    if place is not None:
        save_sae(place, trained, origin)
        click.echo(f"Saved model to {place}")
    return SparseAutoencoder(trained.weights, trained.report, origin)


def _load_checkpoint(place: Path, origin: Origin) -> SparseAutoencoder | None:
    """Return the SAE of a folder; None, with a word, where there is none that can be used."""
    if not place.exists():
        sizes = place.name.rpartition("_")[0]
        others = sorted(path.name for path in place.parent.glob(f"{sizes}*"))
        if others:
            _log.warning(
                "%s holds %s, made from other embeddings or settings (or by HypotheSAEs, which "
                "does not say from what): training anew beside it; load_model reads it as it is",
                place.parent,
                ", ".join(others[:3]),
            )
        return None
    try:
        saved = load_sae(place, origin=origin)
    except StoredFileError as error:
        _log.warning("training anew: %s", error)
        return None
    click.echo(f"Loaded model from {place}")
    return SparseAutoencoder(saved.trained.weights, saved.trained.report, saved.origin)


def _say_ignored(**arguments: float | None) -> None:
    given = [name for name, value in arguments.items() if value is not None]
    if given:
        _log.warning(
            "train_sae ignores %s: the trainer revives dead features and bounds its steps itself",
            ", ".join(given),
        )
