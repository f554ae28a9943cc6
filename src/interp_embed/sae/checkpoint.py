"""A trained SAE on disk: weights as safetensors, everything about them as JSON beside it.

The checkpoint remembers the digest of the embeddings, the embedder and the settings that made it.
Loading can demand them, so that it is never silently reused for other data.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from interp_embed._files import read_json, write_atomically, write_json
from interp_embed._fingerprint import digest_array, digest_settings
from interp_embed.errors import StoredFileError
from interp_embed.records import Json, TrainingReport
from interp_embed.sae.settings import TrainingSettings
from interp_embed.sae.train import TrainedSAE
from interp_embed.sae.weights import SAEWeights

FORMAT = "interp-embed-sae"
FORMAT_VERSION = 1
_WEIGHTS, _RECORD = "sae.safetensors", "sae.json"
_ARRAYS = ("encoder", "encoder_bias", "decoder", "decoder_bias")


@dataclass(frozen=True, slots=True)
class Origin:
    """What a checkpoint was made from: two of them are equal only if all that mattered was."""

    embeddings: str
    """Digest of the training embeddings (``_fingerprint.digest_array``)."""
    settings: Mapping[str, Json]
    """The training settings."""
    embedder: Mapping[str, Json] | None = None
    """Identity of the embedder, where it is known."""
    validation: str | None = None
    """Digest of the validation embeddings, where some were given."""

    @classmethod
    def of(
        cls,
        embeddings: np.ndarray[Any, Any],
        settings: TrainingSettings,
        embedder: Mapping[str, Json] | None = None,
        *,
        validation: np.ndarray[Any, Any] | None = None,
    ) -> "Origin":
        """Return the origin of a training on these embeddings."""
        record = asdict(settings) | {"prefixes": list(settings.prefixes)}
        held_out = None if validation is None else digest_array(validation)
        return cls(digest_array(embeddings), record, embedder, held_out)

    def require_embeddings(self, embeddings: np.ndarray[Any, Any], directory: Path) -> None:
        """Raise unless the SAE in ``directory`` was trained on exactly these embeddings.

        Raises:
            StoredFileError: It was trained on others.
        """
        if self.embeddings != digest_array(embeddings):
            raise StoredFileError(_other_origin(directory, ["embeddings"]))


def save_sae(directory: Path, trained: TrainedSAE, origin: Origin) -> None:
    """Write ``sae.safetensors`` and ``sae.json`` into a folder, which is made if need be.

    The same SAE gives the same bytes.
    """
    directory.mkdir(parents=True, exist_ok=True)
    weights = trained.weights
    arrays = {name: np.ascontiguousarray(getattr(weights, name)) for name in _ARRAYS}
    write_atomically(directory / _WEIGHTS, lambda path: save_file(arrays, path))
    record = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "k": weights.k,
        "prefixes": list(weights.prefixes),
        "threshold": weights.threshold,
        "shapes": {name: list(array.shape) for name, array in arrays.items()},
        "digests": {name: digest_array(array) for name, array in arrays.items()},
        "origin": asdict(origin),
        "training": asdict(trained.report),
    }
    write_json(directory / _RECORD, record | {"record_digest": digest_settings(record)})


@dataclass(frozen=True, slots=True)
class SavedSAE:
    """A trained SAE read from disk, and what it was made from."""

    trained: TrainedSAE
    origin: Origin


def load_sae(directory: Path, *, origin: Origin | None = None) -> SavedSAE:
    """Return a saved SAE, checked against its own record and against what it should be for.

    Args:
        directory: The folder ``save_sae`` wrote.
        origin: If given, the checkpoint must have been made from exactly this.

    Raises:
        StoredFileError: It is missing, damaged, of a later format, or made from something else.
    """
    record = read_json(directory / _RECORD)
    _check_format(record, directory)
    try:
        saved_from = Origin(**record["origin"])
        if origin is not None:
            _check_origin(saved_from, origin, directory)
        return SavedSAE(_read_trained(record, directory), saved_from)
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # signed, but senseless
        raise StoredFileError(
            f"{directory / _RECORD} does not describe an SAE ({error}); train again"
        ) from error


def _read_trained(record: dict[str, Any], directory: Path) -> TrainedSAE:
    arrays = _load_arrays(record, directory)
    threshold = record["threshold"]
    weights = SAEWeights(
        **arrays,
        k=int(record["k"]),
        prefixes=tuple(int(prefix) for prefix in record["prefixes"]),
        threshold=None if threshold is None else float(threshold),
    )
    n_features = weights.n_features
    if not 1 <= weights.k <= n_features or weights.prefixes[-1:] != (n_features,):
        raise StoredFileError(
            f"{directory / _RECORD} has k={weights.k} and prefixes {list(weights.prefixes)}, "
            f"which do not fit its {n_features} features; train again"
        )
    training = dict(record["training"])
    training["validation_history"] = tuple(training["validation_history"])
    return TrainedSAE(weights, TrainingReport(**training))


def _check_format(record: Any, directory: Path) -> None:  # noqa: ANN401 - JSON is any
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise StoredFileError(f"{directory / _RECORD} is not the record of a saved SAE")
    if record.get("format_version") != FORMAT_VERSION:
        raise StoredFileError(
            f"{directory / _RECORD} has format version {record.get('format_version')!r}, but this "
            f"version of interp_embed reads {FORMAT_VERSION}; update interp_embed or train again"
        )
    needed = {"k", "prefixes", "threshold", "shapes", "digests", "origin", "training"}
    if missing := sorted(needed - record.keys()):
        raise StoredFileError(
            f"{directory / _RECORD} lacks {', '.join(missing)}; it is damaged: train again"
        )
    content = {name: value for name, value in record.items() if name != "record_digest"}
    try:
        intact = digest_settings(content) == record.get("record_digest")
    except ValueError:  # NaN, which is never written
        intact = False
    if not intact:
        raise StoredFileError(
            f"{directory / _RECORD} was changed since it was written; "
            "delete the folder and train again"
        )


def _check_origin(saved: Origin, wanted: Origin, directory: Path) -> None:
    differing = [name for name, value in asdict(wanted).items() if getattr(saved, name) != value]
    if differing:
        raise StoredFileError(_other_origin(directory, differing))


def _other_origin(directory: Path, differing: list[str]) -> str:
    return (
        f"the SAE in {directory} was made from other {' and '.join(differing)}; "
        "use another folder, or delete this one to train again"
    )


def _load_arrays(record: dict[str, Any], directory: Path) -> dict[str, np.ndarray[Any, Any]]:
    path = directory / _WEIGHTS
    try:
        arrays = load_file(path)
    except FileNotFoundError as error:
        raise StoredFileError(f"{path} does not exist; train again") from error
    except SafetensorError as error:
        raise StoredFileError(
            f"{path} is damaged or cut off ({error}); delete the folder and train again"
        ) from error
    for name in _ARRAYS:
        if name not in arrays or digest_array(arrays[name]) != record["digests"].get(name):
            raise StoredFileError(
                f"{path} does not match its record in {_RECORD} ({name} differs); "
                "delete the folder and train again"
            )
    n_features, d_in = arrays["encoder"].shape
    expected = {
        "encoder": (n_features, d_in),
        "encoder_bias": (n_features,),
        "decoder": (n_features, d_in),
        "decoder_bias": (d_in,),
    }
    for name, shape in expected.items():
        if arrays[name].shape != shape or arrays[name].dtype != np.float32:
            raise StoredFileError(
                f"{path}: {name} should be float32 of shape {shape}, but is "
                f"{arrays[name].dtype} of shape {arrays[name].shape}"
            )
    return {name: arrays[name] for name in _ARRAYS}
