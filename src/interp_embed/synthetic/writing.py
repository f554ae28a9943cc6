"""Writes a document from the concepts it must express: one paraphrase each, filler, and habits.

A document is a list of pieces, each one sentence with what stands before it, so that the place of
every concept in the final text is known.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from interp_embed.synthetic.domains import Domain
from interp_embed.synthetic.habits import Style, add_typos, apply_style, drop_letter

_SLOT = re.compile(r"\{(\w+)\}")
_CLAUSE = re.compile(r"(?:I|We|The|They|It|It's|Our|My|There|There's|\{person\}) ")
"""How a sentence starts that can follow a conjunction or a lead-in."""
_JOINABLE_LENGTH = 65
_ORDER_NOISE = 0.14
_LEAST_WORDS = 8


@dataclass(frozen=True, slots=True)
class Piece:
    """One sentence of a document."""

    concept: int
    """Index of the concept it expresses, or -1 for filler."""
    paraphrase: int
    """Which of the concept's paraphrases it is, or -1 for filler."""
    before: str
    """What separates it from the sentence before, such as a space or ``, and ``."""
    text: str


@dataclass(frozen=True, slots=True)
class Span:
    """Where a document expresses a concept."""

    concept: int
    """Column of the truth."""
    paraphrase: int
    """Which of the concept's paraphrases it is, in the order of the domain."""
    start: int
    """First character."""
    end: int
    """One past the last character."""


@dataclass(frozen=True, slots=True)
class _Draft:
    """A sentence before it is placed: a template, and what decides how it can be placed."""

    template: str
    position: float
    concept: int = -1
    paraphrase: int = -1
    valence: int = 0


def write_document(
    domain: Domain, concepts: Sequence[int], style: Style, random: np.random.Generator
) -> tuple[Piece, ...]:
    """Return a new document that expresses exactly these concepts (columns of the truth)."""
    drafts = sorted(_draft_sentences(domain, concepts, style, random), key=lambda d: d.position)
    return _place(domain, drafts, style, random)


def render(pieces: Sequence[Piece]) -> str:
    """Return the text of a document."""
    return "".join(piece.before + piece.text for piece in pieces)


def find_spans(pieces: Sequence[Piece]) -> tuple[Span, ...]:
    """Return where the concepts stand in the rendered text, in order."""
    spans = []
    start = 0
    for piece in pieces:
        start += len(piece.before)
        end = start + len(piece.text)
        if piece.concept >= 0:
            spans.append(Span(piece.concept, piece.paraphrase, start, end))
        start = end
    return tuple(spans)


def edit_lightly(
    pieces: Sequence[Piece], domain: Domain, random: np.random.Generator
) -> tuple[Piece, ...]:
    """Return a near copy: a word in twenty misspelt, and now and then a closing line more.

    The text always differs, and expresses the same concepts.
    """
    edited = list(pieces)
    n_edits = max(1, round(len(render(pieces).split()) / 20))
    for _ in range(n_edits):
        number = int(random.random() * len(edited))
        text = drop_letter(edited[number].text, random)
        edited[number] = replace(edited[number], text=text)
    gap = " " if edited[-1].text.endswith((".", "!", "?")) else ". "
    if len(pieces) >= 4 and random.random() < 0.5:
        edited.append(Piece(-1, -1, gap, _pick(domain.closers, random)))
    if render(edited) == render(pieces):  # no word long enough to misspell
        edited.append(Piece(-1, -1, gap, domain.closers[0]))
    return tuple(edited)


def _draft_sentences(
    domain: Domain, concepts: Sequence[int], style: Style, random: np.random.Generator
) -> list[_Draft]:
    drafts = []
    for index in concepts:
        concept = domain.concepts[index]
        position = concept.stage + _ORDER_NOISE * random.standard_normal()
        number = int(random.random() * len(concept.paraphrases))
        template = concept.paraphrases[number]
        drafts.append(_Draft(template, position, index, number, concept.valence))
    if random.random() < style.opener:
        drafts.append(_Draft(_pick(domain.openers, random), -np.inf))
    if random.random() < style.closer:
        drafts.append(_Draft(_pick(domain.closers, random), np.inf))
    n_filler = int(random.poisson(style.filler * random.gamma(2.0, 0.5)))
    n_words = sum(len(draft.template.split()) for draft in drafts)
    for index in random.permutation(len(domain.filler)):
        if n_filler <= 0 and n_words >= _LEAST_WORDS:
            break
        topic = domain.filler[index]
        position = topic.stage + _ORDER_NOISE * random.standard_normal()
        drafts.append(_Draft(_pick(topic.sentences, random), position))
        n_filler -= 1
        n_words += len(drafts[-1].template.split())
    return drafts


def _place(
    domain: Domain, drafts: Sequence[_Draft], style: Style, random: np.random.Generator
) -> tuple[Piece, ...]:
    """Turn drafts into pieces: slots, conjunctions, lead-ins, capitals and habits."""
    fill = _SlotFiller(domain, style.cast, random)
    pieces: list[Piece] = []
    split_at = _choose_paragraph(len(drafts), style, random)
    has_lead = joined = False
    for number, draft in enumerate(drafts):
        before = drafts[number - 1] if number else None
        text = add_typos(fill(draft.template), style.typo_rate, random)
        gap = "" if before is None else "\n\n" if number == split_at else " "
        link = ""
        if before is not None and not joined and number != split_at:
            link = _choose_link(domain, before, draft, style, random)
        joined = bool(link)
        lead = ""
        if before is not None and not joined and (number > 2 or before.valence * draft.valence < 0):
            lead = "" if has_lead else _choose_lead(domain, before, draft, style, random)
        has_lead = has_lead or bool(lead)
        if joined:
            pieces[-1] = replace(pieces[-1], text=pieces[-1].text.rstrip(".!"))
            gap, text = f"{link} ", _lower_first(text, draft, domain)
        elif lead:
            text = f"{lead} {_lower_first(text, draft, domain)}"
        else:
            text = text[0].upper() + text[1:]
        is_last = number == len(drafts) - 1
        text = apply_style(text, style, random, is_last=is_last, is_felt=draft.valence != 0)
        pieces.append(Piece(draft.concept, draft.paraphrase, gap, text))
    return tuple(pieces)


def _choose_paragraph(n_sentences: int, style: Style, random: np.random.Generator) -> int:
    """Return the sentence that starts a second paragraph, or -1."""
    if n_sentences < 7 or random.random() >= style.paragraphs:
        return -1
    return int(random.integers(3, n_sentences - 2))


def _choose_link(
    domain: Domain, before: _Draft, draft: _Draft, style: Style, random: np.random.Generator
) -> str:
    """Return what joins two short sentences that both praise or complain, mostly nothing."""
    agreement = before.valence * draft.valence
    if agreement == 0 or random.random() >= style.join:
        return ""
    if not (_is_joinable(before) and _is_joinable(draft)):
        return ""
    return _pick(domain.conjunctions if agreement > 0 else domain.oppositions, random)


def _choose_lead(
    domain: Domain, before: _Draft, draft: _Draft, style: Style, random: np.random.Generator
) -> str:
    """Return words to put before a sentence, mostly none."""
    if draft.concept < 0 or not _CLAUSE.match(draft.template):
        return ""
    if before.valence * draft.valence < 0 and random.random() < style.join:
        return _pick(domain.contrasts, random)
    return _pick(domain.lead_ins, random) if random.random() < style.lead_in else ""


def _is_joinable(draft: _Draft) -> bool:
    template = draft.template
    return (
        _CLAUSE.match(template) is not None
        and template.endswith(".")
        and len(template) <= _JOINABLE_LENGTH
        and " but " not in template
    )


def _lower_first(text: str, draft: _Draft, domain: Domain) -> str:
    first = draft.template.split(" ", 1)[0].strip(",.!")
    keeps_capital = first in domain.proper or re.match(r"I\b|\{", first) is not None
    return text if keeps_capital else text[0].lower() + text[1:]


def _pick(choices: Sequence[str], random: np.random.Generator) -> str:
    return choices[int(random.random() * len(choices))]


class _SlotFiller:
    """Fills the slots of one document: some keep their value, others never repeat one."""

    def __init__(self, domain: Domain, cast: int, random: np.random.Generator) -> None:
        self._choices = {**domain.slots, **domain.casts[cast]}
        self._once = domain.once
        self._pronouns = domain.pronouns
        self._random = random
        self._queues: dict[str, list[str]] = {}
        self._named: set[str] = set()

    def __call__(self, template: str) -> str:
        if "{" not in template:
            self._named = set()
            return template
        named: set[str] = set()
        text = _SLOT.sub(lambda match: self._draw(match, named), template)
        self._named = named
        return text

    def _draw(self, match: re.Match[str], named: set[str]) -> str:
        slot = match[1]
        queue = self._queues.get(slot)
        if not queue:
            choices = self._choices[slot]
            queue = [choices[i] for i in self._random.permutation(len(choices))]
            self._queues[slot] = queue
        value = queue[-1] if slot in self._once else queue.pop()
        named.add(value)
        is_subject = match.start() == 0 and match.string[match.end() : match.end() + 1] == " "
        if is_subject and value in self._named and " and I " not in match.string:
            return self._pronouns.get(value, value)
        return value
