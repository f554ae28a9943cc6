"""What a study by language models will cost, before anything is embedded, trained or asked."""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix

from interp_embed.hypotheses.choose import choosing_rows
from interp_embed.hypotheses.generate import LLM_CANDIDATES_PER_HYPOTHESIS
from interp_embed.hypotheses.settings import StudySettings
from interp_embed.interpret import LLMRoles
from interp_embed.llm import CostEstimate, add_estimates
from interp_embed.tables import collect_documents

_TYPICAL_LABEL = "mentions how something was done or described by the one who wrote it"
_SHARE_FIRING = 0.1


def estimate_study(
    documents: Sequence[object],
    *,
    roles: LLMRoles,
    settings: StudySettings | None = None,
    second: Sequence[object] | None = None,
) -> CostEstimate:
    """Return calls, tokens, money and minutes of a study; nothing is sent.

    Labels are not known yet: ones of typical length stand for them, and documents drawn at random
    for the examples.

    Args:
        documents: One text a row; those that cannot be used are left out, as in the study.
        roles: Who would put features into words, and who would read them.
        settings: Of the study.
        second: The other text of each pair.

    Raises:
        InputError: ``documents`` is no list of texts.
    """
    settings = settings or StudySettings()
    texts = list(collect_documents(documents).texts)
    texts += [] if second is None else collect_documents(second).texts
    n_confirm = round(len(texts) * settings.confirm_share)
    n_tune = round(len(texts) * settings.tune_share)
    confirm, tune = texts[:n_confirm], texts[n_confirm : n_confirm + n_tune]
    discover = texts[n_confirm + n_tune :]
    choosing = tune or discover
    n_labels = settings.n * LLM_CANDIDATES_PER_HYPOTHESIS
    random = np.random.default_rng(settings.seed)
    fires = random.random((len(discover), n_labels)) < _SHARE_FIRING
    labels = [f"{_TYPICAL_LABEL} ({number})" for number in range(n_labels)]
    read = choosing_rows(len(choosing), sampled=True, seed=settings.seed)
    return add_estimates(
        [
            roles.labeller.estimate(
                discover, csr_matrix(fires.astype(np.float32)), range(n_labels)
            ),
            roles.annotator.estimate([choosing[row] for row in read], labels),
            roles.annotator.estimate(confirm, labels[: settings.n]),
        ]
    )
