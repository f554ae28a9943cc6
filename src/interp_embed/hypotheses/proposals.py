"""Hypotheses a language model proposes from samples of documents, without an SAE: a rival.

Only where concepts come from differs: what is proposed is chosen among by verdicts on discover
documents and tested on confirm documents like a label of a feature.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed.errors import InputError, Interrupted
from interp_embed.hypotheses.choose import (
    ChoosingRows,
    NothingToTestError,
    choose_labels,
    choosing_rows,
)
from interp_embed.hypotheses.corpus import Corpus
from interp_embed.hypotheses.generate import (
    LLM_CANDIDATES_PER_HYPOTHESIS,
    Candidate,
    Candidates,
)
from interp_embed.hypotheses.screening import screening_columns
from interp_embed.hypotheses.select import select_features
from interp_embed.interpret import Annotator, LLMLike, LLMRoles, Prompt, as_roles, choose_examples
from interp_embed.interpret.proposal_inquiry import (
    ProposalForm,
    ProposalInquiry,
    ProposedConcepts,
)
from interp_embed.interpret.shown_text import as_texts, cut_text
from interp_embed.llm import CostEstimate, Plan, add_estimates
from interp_embed.records import NO_FEATURE, Attempt, Label, TargetKind

_TYPICAL_CONCEPT = "mentions how something was done or described by the one who wrote it"
_THIRD = (1 / 3, 2 / 3)


@dataclass(frozen=True, slots=True)
class ProposalSettings:
    """How concepts are asked for."""

    n_per_prompt: int = 5
    """Concepts asked for at once, >= 1."""
    n_prompts: int | None = None
    """Samples of documents shown, one a prompt, >= 1; None: as many as bring twice the hypotheses
    wanted."""
    n_examples: int = 20
    """Documents shown in a prompt, half of each group, >= 2."""
    max_words: int | None = 128
    """Longer documents are cut, with a mark that says so; None to show all."""
    temperature: float | None = 0.7
    """None for the server's own."""
    prompt: str | Path = "propose"
    """``propose``, or a file like it."""
    instructions: str = ""
    """Added to the prompt, such as what the concepts are for."""

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            InputError: One is out of range.
        """
        for name, value, least in (
            ("n_per_prompt", self.n_per_prompt, 1),
            ("n_prompts", 1 if self.n_prompts is None else self.n_prompts, 1),
            ("n_examples", self.n_examples, 2),
            ("max_words", 1 if self.max_words is None else self.max_words, 1),
        ):
            if value < least:
                raise InputError(f"{name} must be at least {least}, but is {value}")

    def count_prompts(self, n: int) -> int:
        """Return how many prompts n hypotheses take."""
        if self.n_prompts is not None:
            return self.n_prompts
        return -(-n * LLM_CANDIDATES_PER_HYPOTHESIS // self.n_per_prompt)


@dataclass(frozen=True, slots=True)
class Proposals:
    """Concepts a model proposes, before any choice."""

    labels: tuple[Label, ...]
    """In the order proposed, no text twice; of ``NO_FEATURE``."""
    n_asked: int
    """Concepts asked for."""
    why_not: str = ""
    """Why the first prompt without concepts has none."""


@dataclass(frozen=True, slots=True)
class _Contrast:
    """Two groups of documents to be told apart, by position."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    partner: NDArray[np.int64] | None = field(default=None)
    """Position of the other text of each document's pair, shape (n_documents,)."""


def propose_hypotheses(
    discover: Corpus,
    *,
    n: int,
    llm: LLMLike,
    kind: TargetKind = "numeric",
    control_length: bool = True,
    settings: ProposalSettings | None = None,
    seed: int = 0,
) -> Candidates:
    """Return up to n hypotheses about the target that a language model reads off samples.

    The model is shown documents in which the target is high beside such in which it is low (the
    upper and lower third; with two classes one and the other; with several each against the rest;
    of pairs the preferred text and the other one), in turn the one and the other first, and asked
    what the first have more often. Of what it proposes, those concepts are kept whose annotations
    on a sample of the discover documents together predict the target best (lasso), no two saying
    nearly the same, as ``generate_candidates`` does. They are tested by ``evaluate_candidates``,
    with activations of no feature: ``csr_matrix((len(confirm), 0))``.

    Args:
        discover: The documents; no other may be used.
        n: Hypotheses wanted.
        llm: A language model or its name, or two: the labelling one proposes, the annotating one
            reads what is proposed.
        kind: Of the target.
        control_length: Whether the length of documents is held fixed in the choice.
        settings: How concepts are asked for.
        seed: Of the samples.

    Returns:
        Candidates of the feature -1: ``n_screened`` counts different concepts proposed,
        ``n_labelled`` concepts asked for; ``selection_score`` is the correlation of a concept's
        annotations with the target.

    Raises:
        InputError: The target does not vary, or the model proposes nothing that can be used.
        LLMError: The server cannot be used; what was answered before is stored.
        Interrupted: Ctrl-C; ``partial`` holds the ``Proposals`` so far. Answers are stored: a
            second run asks only the rest.

    Source: the baseline of Movva et al. 2025 (arXiv 2502.04382) and of arXiv 2602.10371; Zhong et
    al. 2023 (arXiv 2302.14233, D5) for contrasting two samples. There all that was proposed is
    tested; here the choice is made on discover documents, as for features.
    """
    if n < 1:
        raise InputError(f"n must be at least 1, but got {n}")
    roles = _roles(llm)
    settings = settings or ProposalSettings()
    found = _ask(_inquiries(discover, n, settings, seed), settings, roles)
    choosing = ChoosingRows(
        corpus=discover,
        activations=csr_matrix((len(discover), 0)),
        side="discover",
        sampled=True,
        kind=kind,
        control_length=control_length,
    )
    try:
        return _choose(found, roles.annotator, choosing, n=n, seed=seed)
    except Interrupted as error:
        raise Interrupted(str(error), partial=found) from error


def estimate_proposals(
    discover: Corpus,
    *,
    n: int,
    llm: LLMLike,
    settings: ProposalSettings | None = None,
    seed: int = 0,
    n_confirm: int = 0,
) -> CostEstimate:
    """Return calls, tokens, money and minutes of ``propose_hypotheses``; nothing is sent.

    Concepts are not known yet: ones of typical length stand for them, as many as are asked for.

    Args:
        discover: As there, also n, llm, settings and seed.
        n: Hypotheses wanted.
        llm: Who would propose and read.
        settings: How concepts are asked for.
        seed: Of the samples.
        n_confirm: Confirm documents that will be read to test n hypotheses, taken for as long as
            the discover documents.
    """
    roles = _roles(llm)
    settings = settings or ProposalSettings()
    inquiries = _inquiries(discover, n, settings, seed)
    requests = tuple(inquiry.first_request() for inquiry in inquiries)
    read = choosing_rows(len(discover), sampled=True, seed=seed, pairs=discover.pairs)
    texts = [discover.documents[row] for row in read]
    concepts = [f"{_TYPICAL_CONCEPT} ({number})" for number in range(_n_asked(inquiries))]
    parts = [
        roles.labeller.llm.estimate(Plan("Proposing", requests)),
        roles.annotator.estimate(texts, concepts),
    ]
    if n_confirm:
        # The number keeps texts apart: equal ones would be asked once.
        confirm = [f"{discover.documents[i % len(discover)]} ({i})" for i in range(n_confirm)]
        parts.append(roles.annotator.estimate(confirm, concepts[:n]))
    return add_estimates(parts)


def _roles(llm: LLMLike) -> LLMRoles:
    roles = as_roles(llm)
    if roles is None:
        raise InputError("concepts are proposed by a language model; give llm=")
    return roles


def _n_asked(inquiries: Sequence[ProposalInquiry]) -> int:
    return sum(inquiry.form.n for inquiry in inquiries)


def _ask(
    inquiries: Sequence[ProposalInquiry], settings: ProposalSettings, roles: LLMRoles
) -> Proposals:
    model = roles.labeller.llm
    requests = tuple(inquiry.first_request() for inquiry in inquiries)
    try:
        outcomes = model.run(inquiries, Plan("Proposing", requests))
    except Interrupted as error:
        left = error.partial if isinstance(error.partial, Sequence) else []
        raise Interrupted(str(error), partial=_collect(left, inquiries, model.model)) from error
    found = _collect(outcomes, inquiries, model.model)
    if not found.labels:
        raise NothingToTestError(
            f"{model.model} proposed no concept in {len(inquiries)} prompts of "
            f"{settings.n_examples} documents: {found.why_not}"
        )
    return found


def _collect(
    outcomes: Sequence[Any], inquiries: Sequence[ProposalInquiry], model: str
) -> Proposals:
    labels: dict[str, Label] = {}
    why_not = ""
    for outcome in outcomes:
        if isinstance(outcome, ProposedConcepts):
            for text in outcome.concepts:
                label = Label(NO_FEATURE, text, f"proposed:{model}", outcome.n_examples)
                labels.setdefault(_same_words(text), label)
        elif isinstance(outcome, str):
            why_not = why_not or outcome
    return Proposals(tuple(labels.values()), _n_asked(inquiries), why_not)


def _same_words(text: str) -> str:
    """Return what two texts have in common that differ in letter case or a final stop only."""
    return text.casefold().rstrip(" .")


def _choose(
    found: Proposals, reader: Annotator, choosing: ChoosingRows, *, n: int, seed: int
) -> Candidates:
    choice = choose_labels(list(found.labels), reader, choosing, n=n, seed=seed)
    sample = choosing.corpus.take(choice.read)
    answers = csr_matrix(choice.verdicts[:, choice.kept])
    columns = screening_columns(sample, kind=choosing.kind, control_length=choosing.control_length)
    ranked = select_features(answers, columns, n=len(choice.kept), method="correlation")
    scores = dict(zip(ranked.features.tolist(), ranked.scores.tolist(), strict=True))
    candidates = tuple(
        Candidate(
            label=found.labels[column],
            selection_score=scores[place],
            examples=choose_examples(sample.documents, sample.rows, answers, place),
        )
        for place, column in enumerate(choice.kept)
    )
    asked = Attempt("propose concepts", "discover", found.n_asked, len(found.labels))
    return Candidates(
        candidates=candidates,
        n_screened=len(found.labels),
        n_labelled=found.n_asked,
        n_without_label=found.n_asked - len(found.labels),
        n_same_concept=choice.distinct.n_merged,
        why_without_label=found.why_not,
        n_missing=choice.n_missing,
        why_missing=choice.why_missing,
        attempts=(asked, *choice.attempts),
    )


def _inquiries(
    discover: Corpus, n: int, settings: ProposalSettings, seed: int
) -> list[ProposalInquiry]:
    """Return one inquiry a prompt, each of documents drawn anew."""
    prompt = Prompt.load(settings.prompt, purpose="propose")
    if settings.instructions and not prompt.has("instructions"):
        raise InputError(
            f"the prompt {prompt.source} has no placeholder {{instructions}}, so that the "
            "instructions given would not reach the model; add it"
        )
    texts = as_texts(discover.documents)
    contrasts = _contrasts(discover)
    inquiries = []
    for number in range(settings.count_prompts(n)):
        contrast = contrasts[number % len(contrasts)]
        rng = np.random.default_rng([seed, number])
        shown = [
            tuple(cut_text(texts[i], settings.max_words) for i in rows)
            for rows in _draw(contrast, settings.n_examples, rng)
        ]
        form = ProposalForm(
            prompt=prompt,
            first=shown[0],
            second=shown[1],
            n=settings.n_per_prompt,
            instructions=settings.instructions,
            temperature=settings.temperature,
        )
        inquiries.append(ProposalInquiry(form))
    return inquiries


def _draw(contrast: _Contrast, n: int, rng: np.random.Generator) -> list[list[int]]:
    """Return positions of both groups; of pairs, the texts of the same ones."""
    size = min(n // 2, len(contrast.first))
    first = rng.choice(contrast.first, size, replace=False)
    if contrast.partner is not None:
        return [first.tolist(), contrast.partner[first].tolist()]
    second = rng.choice(contrast.second, min(n - n // 2, len(contrast.second)), replace=False)
    return [first.tolist(), second.tolist()]


def _contrasts(discover: Corpus) -> list[_Contrast]:
    """Return the groups to be told apart: for each column of the target, both ways round."""
    columns = discover.target.reshape(len(discover), -1)
    partner = None if discover.pairs is None else _partners(discover.pairs)
    found = []
    for column in columns.T:
        if np.ptp(column) == 0:
            continue
        low, high = np.quantile(column, _THIRD)
        if low < high:
            above, below = column >= high, column <= low
        else:  # most documents share a value: those beyond it against the others
            more, less = column > low, column < low
            above, below = (more, ~more) if more.sum() >= less.sum() else (~less, less)
        groups = np.flatnonzero(above), np.flatnonzero(below)
        found += [_Contrast(*groups, partner), _Contrast(*groups[::-1], partner)]
    if not found:
        raise InputError(
            f"the target is the same on all {len(discover)} discover documents; no documents can "
            "be told apart by it"
        )
    return found


def _partners(pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the position of the other text of each document's pair."""
    order = np.argsort(pairs, kind="stable")
    partner = np.empty_like(order)
    partner[order[0::2]], partner[order[1::2]] = order[1::2], order[0::2]
    return partner
