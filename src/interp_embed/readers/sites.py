"""Where in a layer the hidden state is taken."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import torch
from torch import nn

from interp_embed.errors import InputError

Site = Literal["resid_post", "resid_pre", "mlp_out", "attn_out", "attn_z"]
"""Output of the layer; its input; what the MLP adds; what attention adds; the heads' outputs side
by side (the input of the output projection)."""


@dataclass(slots=True)
class Tap:
    """Keeps the last value that passed one place of a model."""

    value: torch.Tensor | None = None

    def take(self) -> torch.Tensor:
        """Return the value and forget it."""
        value, self.value = self.value, None
        if value is None:
            raise InputError("the model did not run its last layer; it is of an unknown kind")
        return value


def n_layers_needed(layer: int, site: Site) -> int:
    """Return how many layers have to run: ``resid_pre`` of layer 3 is what layer 2 gives."""
    return max(1, layer) if site == "resid_pre" else layer + 1


def attach_tap(layers: nn.ModuleList, *, layer: int, site: Site, model_type: str) -> Tap:
    """Return a tap on a site of the last layer that runs.

    Raises:
        InputError: It is not known where this kind of model has the site.
    """
    tap = Tap()
    if site == "resid_pre" and layer == 0:
        layers[0].register_forward_pre_hook(_keep_input(tap), with_kwargs=True)
    elif site in ("resid_pre", "resid_post"):
        layers[n_layers_needed(layer, site) - 1].register_forward_hook(_keep_output(tap))
    else:
        module = layers[layer].get_submodule(_module_name(site, model_type))
        if site == "attn_z":
            module.register_forward_pre_hook(_keep_input(tap), with_kwargs=True)
        else:
            module.register_forward_hook(_keep_output(tap))
    return tap


def usual_skip_first(model_type: str, *, is_causal: bool) -> int:
    """Return how many positions at the start do not count; see ``families.json``."""
    known = _families().get(model_type, {}).get("skip_first")
    return int(is_causal) if known is None else int(known)


def _module_name(site: Site, model_type: str) -> str:
    family = _families().get(model_type)
    if family is None:
        raise InputError(
            f"it is not known where {site} is in models of type {model_type!r} "
            f"(known: {', '.join(sorted(_families()))}); use site='resid_post' or 'resid_pre'"
        )
    return str(family[site])


@cache
def _families() -> Mapping[str, Mapping[str, Any]]:
    text = files("interp_embed.readers").joinpath("families.json").read_text(encoding="utf-8")
    return {k: v for k, v in json.loads(text).items() if not k.startswith("_")}


def _keep_output(tap: Tap) -> Callable[..., None]:
    def hook(_module: nn.Module, _inputs: object, output: Any) -> None:  # noqa: ANN401 - a model's
        tap.value = output if isinstance(output, torch.Tensor) else output[0]

    return hook


def _keep_input(tap: Tap) -> Callable[..., None]:
    def hook(
        _module: nn.Module, inputs: tuple[torch.Tensor, ...], named: dict[str, torch.Tensor]
    ) -> None:
        tap.value = inputs[0] if inputs else named["hidden_states"]

    return hook
