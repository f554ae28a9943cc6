"""What searching and clustering by a language model will cost, before anything is asked."""

from collections.abc import Mapping, Sequence

import numpy as np

from interp_embed.analysis.clusters.description import JUDGED_A_CLUSTER
from interp_embed.analysis.clusters.naming import ClusterPortrait, NamesQuestion
from interp_embed.analysis.differences.cost import TYPICAL_LABEL
from interp_embed.analysis.retrieval.feature_query import N_RANKED_LABELS
from interp_embed.analysis.retrieval.hits import N_RERANKED
from interp_embed.analysis.retrieval.questions import (
    Question,
    keyphrases_question,
    labels_question,
    texts_question,
)
from interp_embed.errors import InputError
from interp_embed.interpret import LLMLike, LLMRoles, Prompt, as_roles
from interp_embed.llm import CostEstimate, Plan, add_estimates

_MOST_CLUSTERS = 15
_SHOWN_A_CLUSTER = 5
"""Features, and texts."""


def estimate_search(
    texts: Sequence[str], labels: Mapping[int, str], query: str, *, llm: LLMLike
) -> CostEstimate:
    """Return what a search by a language model will take at most; nothing is sent.

    It is asked for phrases, which labels are relevant, and for the order of the first hits, for
    which documents drawn at random stand here.

    Args:
        texts: The documents.
        labels: Text by feature; without any the model orders hits only.
        query: A property in words.
        llm: Who would be asked.
    """
    roles = _roles(llm)
    questions = _feature_questions(query, labels)
    if len(texts) > 1:
        questions.append(texts_question(query, _drawn(texts, N_RERANKED)))
    requests = tuple(question.request() for question in questions)
    return roles.labeller.llm.estimate(Plan("Searching", requests))


def estimate_clusters(
    texts: Sequence[str],
    labels: Mapping[int, str],
    query: str | None = None,
    *,
    k: int | None = None,
    llm: LLMLike,
) -> CostEstimate:
    """Return what clustering with a language model will take at most; nothing is sent.

    It is asked for the features of the query, for names, and which of at most 50 documents of each
    cluster have what a name says.

    Args:
        texts: The documents.
        labels: Text by feature.
        query: What to cluster by; None for all features.
        k: Clusters; None: 15, the most that are tried.
        llm: Who would be asked.
    """
    roles = _roles(llm)
    n_clusters = _MOST_CLUSTERS if k is None else k
    distinct = list(dict.fromkeys(texts))
    portrait = ClusterPortrait(
        (TYPICAL_LABEL,) * _SHOWN_A_CLUSTER,
        (0.5,) * _SHOWN_A_CLUSTER,
        (0.5,) * _SHOWN_A_CLUSTER,
        tuple(_drawn(distinct, _SHOWN_A_CLUSTER)),
    )
    naming = NamesQuestion(Prompt.load("name_clusters"), (portrait,) * n_clusters, query or "")
    questions = [] if query is None else _feature_questions(query, labels)
    requests = (*(question.request() for question in questions), naming.request())
    names = [f"{TYPICAL_LABEL} (cluster {number})" for number in range(n_clusters)]
    judged = _drawn(distinct, min(JUDGED_A_CLUSTER * n_clusters, len(distinct) // 2))
    return add_estimates(
        [
            roles.labeller.llm.estimate(Plan("Clustering", requests)),
            roles.annotator.estimate(judged, names),
        ]
    )


def _roles(llm: LLMLike) -> LLMRoles:
    roles = as_roles(llm)
    if roles is None:
        raise InputError("without a language model nothing is paid for; give llm=")
    return roles


def _feature_questions(query: str, labels: Mapping[int, str]) -> list[Question]:
    if not labels:
        return []
    shown = list(labels.values())[:N_RANKED_LABELS]
    return [keyphrases_question(query), labels_question(query, shown)]


def _drawn(texts: Sequence[str], n: int) -> list[str]:
    """Return at most n texts, drawn at random."""
    rows = np.random.default_rng(0).permutation(len(texts))[:n]
    return [texts[row] for row in np.sort(rows).tolist()]
