"""Where in a language model an SAE reads: the model, the layer and the place in the layer."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

from interp_embed.errors import InputError
from interp_embed.records import Json

Place = Literal["resid_post", "resid_pre", "resid_mid", "mlp_in", "mlp_out", "attn_out", "attn_z"]
"""The residual stream after, before or in the middle of the layer; input (normed) or output of the
MLP; output of the attention; the concatenated heads, which are the input of its last projection."""


@dataclass(frozen=True, slots=True)
class ReaderSite:
    """What an SAE was trained to read."""

    model: str
    """Name on the hub, or a local path."""
    layer: int
    """Decoder layer, from 0."""
    site: Place
    prepend_bos: bool | None = None
    """Whether documents begin with the model's BOS token; None: not declared."""
    context_size: int | None = None
    """Tokens of a training context; None: not declared."""
    center: bool = False
    """Whether each hidden state's mean over its coordinates is removed, as TransformerLens'
    ``center_writing_weights`` does. The SAE does it; where the reader did it too, nothing changes.
    """

    def __post_init__(self) -> None:
        if self.site not in get_args(Place):
            raise InputError(
                f"unknown site {self.site!r}; use one of: {', '.join(get_args(Place))}"
            )
        if self.layer < 0:
            raise InputError(f"a layer is 0 or more, but got {self.layer}")


@dataclass(frozen=True, slots=True)
class Hook:
    """A place in a model, as a hook name says it."""

    layer: int
    site: Place


# TransformerLens' names, then those of modules in transformers. Order matters: the first that
# matches the whole name holds. Gemma norms the outputs of its blocks once more, and its SAEs read
# the normed ones.
_LENS: Mapping[str, Place] = {
    r"blocks\.(\d+)\.hook_resid_post": "resid_post",
    r"blocks\.(\d+)\.hook_resid_pre": "resid_pre",
    r"blocks\.(\d+)\.hook_resid_mid": "resid_mid",
    r"blocks\.(\d+)\.hook_mlp_out": "mlp_out",
    r"blocks\.(\d+)\.hook_attn_out": "attn_out",
    r"blocks\.(\d+)\.attn\.hook_z": "attn_z",
    r"blocks\.(\d+)\.(?:hook_mlp_in|ln2\.hook_normalized)": "mlp_in",
}
_STEM = r"(?:[a-z_]+\.)*(?:layers|h|blocks)\.(\d+)"
_MODULES: Mapping[str, Place] = {
    _STEM + r"(?:\.output)?": "resid_post",
    _STEM + r"\.input": "resid_pre",
    _STEM + r"\.self_attn\.o_proj\.input": "attn_z",
    _STEM + r"\.(?:self_attn|attn|attention|post_attention_layernorm)(?:\.output)?": "attn_out",
    _STEM + r"\.(?:mlp|post_feedforward_layernorm)(?:\.output)?": "mlp_out",
    _STEM + r"\.(?:pre_feedforward_layernorm(?:\.output)?|mlp\.input)": "mlp_in",
}


def parse_hook(name: str | None) -> Hook | None:
    """Return the place a hook name means, or None where it is missing or not known.

    ``blocks.8.hook_resid_pre`` -> layer 8, resid_pre; ``model.layers.22.output`` -> layer 22,
    resid_post.
    """
    for pattern, site in {**_LENS, **_MODULES}.items():
        if name is not None and (match := re.fullmatch(pattern, name)):
            return Hook(int(match.group(1)), site)
    return None


def resolve_model(name: str | None, repository: str | None = None) -> str | None:
    """Return a model's name on the hub from what a config calls it, or None where neither says.

    Args:
        name: As a config has it; often an alias, sometimes wrong.
        repository: Where the SAE comes from; some repositories' configs are known to be wrong.
    """
    names = _model_names()
    if repository is not None and repository in names["by_repository"]:
        return names["by_repository"][repository]
    if name is None:
        return None
    return names["aliases"].get(name.lower(), name)


@cache
def _model_names() -> dict[str, dict[str, str]]:
    text = files("interp_embed.sae").joinpath("model_names.json").read_text(encoding="utf-8")
    names: dict[str, dict[str, str]] = json.loads(text)
    return names


def describe_site(site: ReaderSite) -> dict[str, Json]:
    """Return a site as JSON."""
    return {name: getattr(site, name) for name in ReaderSite.__dataclass_fields__}
