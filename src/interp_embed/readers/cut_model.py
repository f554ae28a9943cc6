"""A transformer of which only the first layers are built and loaded, with a tap at its end."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from transformers import MODEL_MAPPING, AutoConfig, PretrainedConfig, PreTrainedModel
from transformers.utils import logging as _untyped_logging

from interp_embed.errors import InputError, StoredFileError
from interp_embed.readers.sites import Site, Tap, attach_tap, n_layers_needed
from interp_embed.readers.weights import read_weights

DtypeName = Literal["auto", "float32", "bfloat16", "float16"]

_transformers_logging: Any = _untyped_logging
_NOISE = {torch.float32: 1e-4, torch.bfloat16: 0.02, torch.float16: 0.005}
"""Largest relative change that is rounding: experts of a mixture compute other tokens with it.
The other of two tokens changes the state in a bidirectional model many times more."""
_UNUSED = ("pooler.", "lm_head.", "cls.", "position_ids", "rotary_emb.")
"""Parts that hidden states do not pass, so that files may lack them."""


class CutModel:
    """Layers 0 to L of a model, giving the hidden state of every token at one site."""

    def __init__(self, model: PreTrainedModel, tap: Tap, *, max_tokens: int | None) -> None:
        self._model = model
        self._tap = tap
        self.max_tokens = max_tokens
        self.device: torch.device = model.device
        self.dtype: torch.dtype = model.dtype
        self.model_type: str = model.config.model_type
        embedding: Any = model.get_input_embeddings()
        self.n_tokens_known = int(embedding.weight.shape[0])
        pad = getattr(model.config, "pad_token_id", None)
        self._pad = pad if isinstance(pad, int) and 0 <= pad < self.n_tokens_known else 0
        self.is_causal = False
        first = self.run([np.array([0, 0], dtype=np.int32)])[0]
        other = self.run([np.array([0, self.n_tokens_known - 1], dtype=np.int32)])[0]
        self.d_in = int(first.shape[-1])
        # Not a table of families: in a causal model, the second token does not change the first.
        change = torch.linalg.vector_norm((first[0] - other[0]).float())
        size = torch.linalg.vector_norm(first[0].float())
        self.is_causal = bool(change <= _NOISE[self.dtype] * size)

    @classmethod
    def load(cls, folder: Path, *, layer: int, site: Site, device: str, dtype: torch.dtype) -> Self:
        """Load the layers up to ``layer`` from a folder; no code from it is run.

        Raises:
            InputError: There is no such layer or site, or the model is of an unknown kind.
            StoredFileError: Weights are missing or damaged.
        """
        config = _text_config(folder)
        n_layers = int(config.num_hidden_layers)
        if not 0 <= layer < n_layers:
            raise InputError(
                f"layer {layer} is out of range: {folder.name} has {n_layers} layers; use a layer "
                f"from 0 to {n_layers - 1}"
            )
        kept = cut_config(config, n_layers_needed(layer, site))
        model = _build(folder, kept, dtype).to(device)  # type: ignore[arg-type]
        model.eval().requires_grad_(requires_grad=False)
        _, layers = _find_layers(model, int(kept.num_hidden_layers))
        tap = attach_tap(layers, layer=layer, site=site, model_type=config.model_type)
        return cls(model, tap, max_tokens=_count_positions(model))

    @torch.inference_mode()
    def run(self, rows: list[NDArray[np.int32]]) -> torch.Tensor:
        """Return hidden states, shape (n_rows, longest row, d_in); those after a row are junk."""
        lengths = np.array([len(row) for row in rows])
        ids = np.full((len(rows), lengths.max()), self._pad, dtype=np.int64)
        real = np.arange(lengths.max()) < lengths[:, None]
        ids[real] = np.concatenate(rows)
        # Tokens of a causal model do not see the padding on their right, and without a mask
        # attention takes its fast path.
        needs_mask = not self.is_causal and not real.all()
        mask = torch.from_numpy(real.astype(np.int64)).to(self.device) if needs_mask else None
        options = {"use_cache": False} if hasattr(self._model.config, "use_cache") else {}
        self._model(torch.from_numpy(ids).to(self.device), attention_mask=mask, **options)
        return self._tap.take()


def cut_config(config: PretrainedConfig, n_layers: int) -> PretrainedConfig:
    """Return a copy of a config with only the first layers, lists with one entry each cut too."""
    cut = copy.deepcopy(config)
    before = int(config.num_hidden_layers)
    for key, value in config.to_dict().items():
        if isinstance(value, list) and len(value) == before and hasattr(cut, key):
            setattr(cut, key, value[:n_layers])
    shared = getattr(config, "num_kv_shared_layers", None)
    if shared:
        cut.num_kv_shared_layers = max(0, n_layers - (before - shared))
    cut.num_hidden_layers = n_layers
    return cut


def _text_config(folder: Path) -> PretrainedConfig:
    if not (folder / "config.json").is_file():
        raise InputError(
            f"{folder} holds no config.json; give the folder of a transformers model, as its "
            "save_pretrained writes it"
        )
    try:
        config = AutoConfig.from_pretrained(
            str(folder), trust_remote_code=False, local_files_only=True
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"the config of {folder} cannot be read by this version of transformers: {error}"
        ) from error
    if getattr(config, "is_encoder_decoder", False):
        raise InputError(
            f"{folder.name} is an encoder-decoder model ({config.model_type}); readers are "
            "decoders or encoders: use another model"
        )
    text: PretrainedConfig = config.get_text_config(decoder=True)
    return text


def _build(folder: Path, config: PretrainedConfig, dtype: torch.dtype) -> PreTrainedModel:
    if type(config) not in MODEL_MAPPING:
        raise InputError(f"models of type {config.model_type!r} cannot be readers; use another")
    model_class: Any = MODEL_MAPPING[type(config)]
    with torch.device("meta"):
        bare = model_class(copy.deepcopy(config))
    path, _ = _find_layers(bare, int(config.num_hidden_layers))
    names = set(bare.state_dict())
    weights = read_weights(folder, names, path=path, n_layers=int(config.num_hidden_layers))
    try:
        with _quiet():
            model, report = model_class.from_pretrained(
                None, config=config, state_dict=weights, dtype=dtype, output_loading_info=True
            )
    except (RuntimeError, ValueError, OSError, ImportError, KeyError) as error:
        raise StoredFileError(
            f"the weights of {folder} do not fit its config: {error}; fetch the model again"
        ) from error
    missing = [
        name
        for name in report["missing_keys"]
        if not any(name.startswith(part) or f".{part}" in name for part in _UNUSED)
        and name.rpartition(".")[0] not in _final_norms(bare, path)
    ]
    if missing or report.get("mismatched_keys"):
        raise StoredFileError(
            f"{folder} lacks weights that its config asks for, such as "
            f"{sorted(map(str, missing or report['mismatched_keys']))[0]}; fetch the model again"
        )
    cut: PreTrainedModel = model
    return cut


def _count_positions(model: PreTrainedModel) -> int | None:
    """Return how many tokens the model can see at once, None where it does not say."""
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            # RoBERTa and its kin count positions from the padding token's index on.
            unused = 0 if module.padding_idx is None else module.padding_idx + 1
            return module.num_embeddings - unused
    limit = getattr(model.config, "max_position_embeddings", None)
    return None if limit is None else int(limit)


def _find_layers(model: nn.Module, n_layers: int) -> tuple[str, nn.ModuleList]:
    """Return the list of layers and its name: the outermost list of that length."""
    lists = [
        (name.count("."), name, module)
        for name, module in model.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) == n_layers
    ]
    if not lists:
        raise InputError(f"{type(model).__name__} has no list of layers; use another model")
    _, name, layers = min(lists, key=lambda entry: entry[:2])
    return name, layers


def _final_norms(model: nn.Module, path: str) -> set[str]:
    """Return modules beside the layers that come after them; taps are before."""
    children = [name for name, _ in model.named_children()]
    top = path.partition(".")[0]
    return set(children[children.index(top) + 1 :])


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers from reporting the layers left out, and from drawing a bar."""
    verbosity = _transformers_logging.get_verbosity()
    had_bar = _transformers_logging.is_progress_bar_enabled()
    _transformers_logging.set_verbosity_error()
    _transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        _transformers_logging.set_verbosity(verbosity)
        if had_bar:
            _transformers_logging.enable_progress_bar()
