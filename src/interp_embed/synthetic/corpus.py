"""Planted corpora: readable texts whose concepts, effects and copies are known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from interp_embed.errors import InputError
from interp_embed.synthetic._checks import check_count, check_names, stream
from interp_embed.synthetic.domains import Domain, load_domain
from interp_embed.synthetic.habits import Style, draw_style
from interp_embed.synthetic.plan import CorpusPlan, Effect, check_plan
from interp_embed.synthetic.truth import Rows, draw_effects, draw_outcome, draw_rows
from interp_embed.synthetic.writing import (
    Piece,
    Span,
    edit_lightly,
    find_spans,
    render,
    write_document,
)

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class PlantedCorpus:
    """Documents with all that was planted in them."""

    texts: tuple[str, ...]
    """The documents, shape (n_documents,)."""
    metadata: Mapping[str, NDArray[np.generic]]
    """Columns the plan asked for, each of shape (n_documents,): ``author``, ``group`` ("A" or
    "B"), ``period`` (from 0), the confounder under its name, ``outcome``."""
    concepts: tuple[str, ...]
    """Names of the concepts, in the order of the columns of ``truth``."""
    descriptions: tuple[str, ...]
    """The concepts in words, such as ``complains about a long wait``."""
    truth: NDArray[np.bool_]
    """Which document expresses which concept, shape (n_documents, n_concepts)."""
    spans: tuple[tuple[Span, ...], ...]
    """Where each document expresses its concepts, by character."""
    effects: Mapping[str, Effect]
    """Effects on the outcome: the plan's own, or the default ones that were drawn."""
    outcome: NDArray[np.float64] | NDArray[np.int64] | None
    """The outcome of each document, shape (n_documents,); None if none was planned."""
    duplicate_of: NDArray[np.int64]
    """Row that a document copies, or -1 for an original, shape (n_documents,)."""
    domain: str
    plan: CorpusPlan
    seed: int

    def has(self, concept: str) -> NDArray[np.bool_]:
        """Return which documents express a concept, shape (n_documents,).

        Raises:
            InputError: There is no such concept.
        """
        check_names([concept], self.concepts, where="has")
        return self.truth[:, self.concepts.index(concept)]

    def to_frame(self) -> "pd.DataFrame":
        """Return texts and metadata as a table, one row a document (the truth is left out)."""
        import pandas as pd  # keeps the package light for those who want arrays only

        return pd.DataFrame({"text": list(self.texts), **self.metadata})


def plant_corpus(
    n_documents: int = 2000,
    *,
    domain: str = "reviews",
    plan: CorpusPlan | None = None,
    seed: int = 0,
) -> PlantedCorpus:
    """Return readable texts with planted concepts, metadata, outcome and the truth about them.

    Each document expresses each of its concepts by one of that concept's paraphrases, and no
    other concept. The same arguments give the same corpus on every machine.

    Args:
        n_documents: Number of documents, >= 1.
        domain: What the texts are; see ``domain_names``.
        plan: The knobs; None plants independent concepts, about three in a document.
        seed: Seed of everything that is drawn, >= 0.

    Raises:
        InputError: The domain or a concept is unknown, or a knob cannot be met.
    """
    check_count(n_documents, least=1, what="n_documents")
    check_count(seed, least=0, what="seed")
    material = load_domain(domain)
    plan = CorpusPlan() if plan is None else plan
    check_plan(plan, material.concept_names)
    if plan.effects and plan.outcome is None:
        raise InputError("the plan has effects but no outcome; set outcome, such as 'numeric'")
    rows = draw_rows(n_documents, plan, material.concept_names, seed)
    return assemble_corpus(rows, material, plan, seed)


def assemble_corpus(rows: Rows, domain: Domain, plan: CorpusPlan, seed: int) -> PlantedCorpus:
    """Return the corpus of drawn rows: its outcome drawn, its documents written."""
    effects = draw_effects(plan, domain, seed)
    outcome = draw_outcome(rows, plan, domain.concept_names, effects, seed)
    pieces = _write_documents(rows, domain, plan, seed)
    return PlantedCorpus(
        texts=tuple(render(document) for document in pieces),
        metadata=_metadata(rows, plan, outcome),
        concepts=domain.concept_names,
        descriptions=tuple(concept.description for concept in domain.concepts),
        truth=rows.truth,
        spans=tuple(find_spans(document) for document in pieces),
        effects=effects,
        outcome=outcome,
        duplicate_of=rows.duplicate_of,
        domain=domain.name,
        plan=plan,
        seed=seed,
    )


def _write_documents(
    rows: Rows, domain: Domain, plan: CorpusPlan, seed: int
) -> list[tuple[Piece, ...]]:
    styles = _author_styles(domain, plan, seed)
    documents: list[tuple[Piece, ...]] = []
    for row, present in enumerate(rows.truth):
        random = stream(seed, "document", row)
        origin = int(rows.duplicate_of[row])
        if origin >= 0:
            copied = documents[origin]
            documents.append(copied if rows.is_exact[row] else edit_lightly(copied, domain, random))
            continue
        style = draw_style(domain, plan, random)
        if rows.author is not None:
            own = styles[rows.author[row]]
            style = own if domain.cast_by_author else replace(own, cast=style.cast)
        concepts = np.flatnonzero(present).tolist()
        documents.append(write_document(domain, concepts, style, random))
    return documents


def _author_styles(domain: Domain, plan: CorpusPlan, seed: int) -> Sequence[Style]:
    n_authors = plan.n_authors or 0
    return [draw_style(domain, plan, stream(seed, "author style", a)) for a in range(n_authors)]


def _metadata(
    rows: Rows, plan: CorpusPlan, outcome: NDArray[np.float64] | NDArray[np.int64] | None
) -> dict[str, NDArray[np.generic]]:
    columns: dict[str, NDArray[np.generic]] = {}
    if rows.author is not None and plan.n_authors is not None:
        width = len(str(plan.n_authors - 1))
        columns["author"] = np.array([f"author_{number:0{width}d}" for number in rows.author])
    if rows.group is not None:
        columns["group"] = np.array(["A", "B"])[rows.group]
    if rows.period is not None:
        columns["period"] = rows.period
    if rows.confounder is not None and plan.confounder is not None:
        columns[plan.confounder.name] = rows.confounder
    if outcome is not None:
        columns["outcome"] = outcome
    return columns
