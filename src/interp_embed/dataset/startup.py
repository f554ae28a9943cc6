"""Before a long run: does the SAE fit these texts, and what will be stored?"""

import logging
from collections.abc import Sequence

import torch

from interp_embed.dataset.binding import Binding, ReaderBinding
from interp_embed.encode import estimate_tokens
from interp_embed.errors import InputError
from interp_embed.readers import TokenizedDocument
from interp_embed.sae import SAEFit, check_fit
from interp_embed.store import TokenDetail

logger = logging.getLogger(__name__)

_DOCUMENTS = 16
"""Documents the check runs, spread over the data set."""
_FEW_TOKENS = 256
"""Below so many, the one warning that there are few tokens is not worth showing."""


def check_reader(binding: Binding, documents: Sequence[object], tokens: TokenDetail) -> None:
    """Check a reader SAE on a few of the documents; warn where it reconstructs them badly.

    With ``tokens="all"`` the size of what will be stored is said too.
    """
    if not isinstance(binding, ReaderBinding):
        return
    fit = measure_reader(binding, documents)
    if fit is None:
        return
    is_small = fit.n_tokens < _FEW_TOKENS
    for warning in () if is_small and len(fit.warnings) == 1 else fit.warnings:
        logger.warning("%s", warning)
    if tokens == "all":
        source = binding.sae.source

        def count(document: object) -> int:
            try:
                return len(source.tokenize(document).token_ids)  # type: ignore[arg-type]
            except InputError:
                return 0

        estimate = estimate_tokens(documents, count, l0=fit.l0)
        logger.warning(
            "all token activations are kept: about %s tokens, %s on disk; "
            "tokens='peaks' keeps far less",
            f"{estimate.n_tokens:,}",
            readable_bytes(estimate.n_bytes),
        )


def measure_reader(binding: ReaderBinding, documents: Sequence[object]) -> SAEFit | None:
    """Return how well the SAE reconstructs a sample of the documents; None if none can be read."""
    source, weights = binding.sae.source, binding.sae.weights
    if weights.decoder is None:
        return None
    sample: list[TokenizedDocument] = []
    for document in documents[:: max(1, len(documents) // _DOCUMENTS)]:
        try:
            sample.append(source.tokenize(document))  # type: ignore[arg-type]
        except InputError:
            continue
    states = [
        batch.hidden[torch.from_numpy(batch.counted).to(batch.hidden.device)]
        for batch in source.iter_hidden(sample[:_DOCUMENTS])
    ]
    hidden = torch.cat(states) if states else torch.empty(0, weights.d_in)
    return check_fit(weights, hidden) if len(hidden) > 1 else None


def readable_bytes(n: float) -> str:
    """Return a size for people.

    >>> readable_bytes(3_200_000)
    '3.2 MB'
    """
    for unit in ("B", "KB", "MB", "GB"):
        if n < 1000:
            return f"{n:.0f} {unit}" if unit == "B" else f"{n:.1f} {unit}"
        n /= 1000
    return f"{n:.1f} TB"
