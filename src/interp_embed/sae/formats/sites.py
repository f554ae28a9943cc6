"""The site and declared figures of an SAE, from its config, its name and a table of releases."""

from collections.abc import Sequence

from interp_embed.records import Json
from interp_embed.sae.formats.files import Checkpoint
from interp_embed.sae.pretrained import Declared
from interp_embed.sae.rules import GroupMax, Rule, TopK
from interp_embed.sae.site import ReaderSite, parse_hook, resolve_model

# Places whose values TransformerLens' center_writing_weights centres.
_WRITTEN = {"resid_post", "resid_pre", "resid_mid", "mlp_out", "attn_out"}


def build_site(
    checkpoint: Checkpoint,
    *,
    hooks: Sequence[Json],
    model: Json,
    prepend_bos: Json = True,
    context_size: Json = None,
    center: bool = False,
) -> ReaderSite | None:
    """Return the site that the first hook name understood says, or None where none or no model is.

    What the table of releases says goes before what the file says, but for the model: there the
    file is more often right.
    """
    facts = checkpoint.facts
    named = model if isinstance(model, str) else facts.get("model")
    resolved = resolve_model(named, checkpoint.repository)
    candidates = [facts.get("hook_name"), *hooks]
    found = [parse_hook(hook) for hook in candidates if isinstance(hook, str)]
    hook = next((hook for hook in found if hook is not None), None)
    if hook is None or resolved is None:
        return None
    size = context_size if isinstance(context_size, int) and context_size > 0 else None
    return ReaderSite(
        model=resolved,
        layer=hook.layer,
        site=hook.site,
        prepend_bos=prepend_bos if isinstance(prepend_bos, bool) else None,
        context_size=size,
        center=(center or facts.get("center") is True) and hook.site in _WRITTEN,
    )


def build_declared(checkpoint: Checkpoint, rule: Rule, *, l0: float | None = None) -> Declared:
    """Return what is declared: by the table of releases, by the names, by a TopK rule itself."""
    variance, active = checkpoint.facts.get("variance_explained"), checkpoint.facts.get("l0")
    if active is None:
        active = float(rule.k) if isinstance(rule, TopK | GroupMax) else l0
    return Declared(variance, active)
