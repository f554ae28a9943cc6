"""Habits of style: contractions, lower case, missing periods, exclamations, typing errors."""

import re
from dataclasses import dataclass

import numpy as np

from interp_embed.synthetic.domains import Domain
from interp_embed.synthetic.plan import CorpusPlan

_EXPANSIONS = {
    "won't": "will not", "can't": "cannot", "shan't": "shall not",
    "I'm": "I am", "let's": "let us", "Let's": "Let us", "it's": "it is", "It's": "It is",
    "there's": "there is", "There's": "There is", "that's": "that is", "That's": "That is",
}  # fmt: skip
_EXPANSION = re.compile(r"\b(" + "|".join(_EXPANSIONS) + r")\b(?! been)|(\w)(n't|'ve|'re|'ll)\b")
_ENDINGS = {"n't": " not", "'ve": " have", "'re": " are", "'ll": " will"}
_ABBREVIATIONS = {
    "minutes": "mins", "with": "w/", "without": "w/o", "people": "ppl", "because": "bc",
    "you": "u", "and": "&", "though": "tho", "probably": "prob", "Saturday": "Sat",
    "Friday": "Fri", "Sunday": "Sun", "Monday": "Mon", "Tuesday": "Tues", "Thursday": "Thurs",
    "Wednesday": "Wed", "really": "rly", "please": "pls", "before": "b4",
}  # fmt: skip
_ABBREVIATION = re.compile(r"\b(" + "|".join(_ABBREVIATIONS) + r")\b")
_ABBREVIATION_RATE = 0.5
_EXCLAIM_RATE = 0.35
_WORD = re.compile(r"[a-z]{4,}")
_DRAWN_WORD = re.compile(r"\b[a-z]{5,}\b")


@dataclass(frozen=True, slots=True)
class Style:
    """The habits of one writer."""

    cast: int
    """Index of the cast whose slot values are used."""
    noise: float
    """The plan's ``style_noise``, in [0, 1]."""
    filler: float
    """Mean number of filler sentences."""
    opener: float
    """Chance of an opening line."""
    closer: float
    """Chance of a closing line."""
    join: float
    """Chance that two short sentences are joined."""
    lead_in: float
    """Chance that a sentence gets a word such as ``Also,`` before it."""
    paragraphs: float
    """Chance that a long text is cut in two paragraphs."""
    lowercase: bool
    no_apostrophes: bool
    abbreviations: bool
    no_contractions: bool
    no_final_period: bool
    exclaims: bool
    typo_rate: float
    """Share of words with a typing error."""


def draw_style(domain: Domain, plan: CorpusPlan, random: np.random.Generator) -> Style:
    """Return the habits of a new writer."""
    noise = plan.style_noise
    rates = domain.style

    def has(habit: str) -> bool:
        return bool(random.random() < noise * rates[habit])

    return Style(
        cast=int(random.random() * len(domain.casts)),
        noise=noise,
        filler=rates["mean_filler"] if plan.filler is None else plan.filler,
        opener=rates["opener"],
        closer=rates["closer"],
        join=noise * rates["join"],
        lead_in=noise * rates["lead_in"],
        paragraphs=rates["paragraphs"],
        lowercase=has("lowercase"),
        no_apostrophes=has("no_apostrophes"),
        abbreviations=has("abbreviations"),
        no_contractions=has("no_contractions"),
        no_final_period=has("no_final_period"),
        exclaims=has("exclaims"),
        typo_rate=plan.typo_rate * noise * float(random.gamma(1.0)),
    )


def apply_style(
    text: str, style: Style, random: np.random.Generator, *, is_last: bool, is_felt: bool
) -> str:
    """Return a sentence with the writer's habits; one that praises or complains may exclaim."""
    if style.no_contractions:
        text = _EXPANSION.sub(_expand, text)
    elif style.no_apostrophes:
        text = re.sub(r"(?<=\w)'(?=\w)", "", text)
    if style.abbreviations:
        text = _ABBREVIATION.sub(
            lambda m: _ABBREVIATIONS[m[0]] if random.random() < _ABBREVIATION_RATE else m[0], text
        )
    if (
        style.exclaims
        and text.endswith(".")
        and random.random() < (_EXCLAIM_RATE if is_felt else _EXCLAIM_RATE / 4)
    ):
        text = text[:-1] + ("!!" if random.random() < 0.2 else "!")
    if style.no_final_period and is_last and text.endswith("."):
        text = text[:-1]
    return text.lower() if style.lowercase else text


def add_typos(text: str, rate: float, random: np.random.Generator) -> str:
    """Return the text with a share of its words of four letters and more misspelt."""
    if rate <= 0:
        return text

    def maybe(match: re.Match[str]) -> str:
        return _misspell(match[0], random) if random.random() < rate else match[0]

    return _WORD.sub(maybe, text)


def drop_letter(text: str, random: np.random.Generator) -> str:
    """Return the text with one inner letter of one word left out, where a word is long enough."""
    words = list(_DRAWN_WORD.finditer(text))
    if not words:
        return text
    match = words[int(random.random() * len(words))]
    place = match.start() + 1 + int(random.random() * (len(match[0]) - 2))
    return text[:place] + text[place + 1 :]


def _misspell(word: str, random: np.random.Generator) -> str:
    """Swap two inner letters, leave one out, or type one twice."""
    place = 1 + int(random.random() * (len(word) - 2))
    kind = int(random.random() * 3)
    if kind == 0:
        return word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    return word[:place] + word[place + 1 :] if kind == 1 else word[: place + 1] + word[place:]


def _expand(match: re.Match[str]) -> str:
    return _EXPANSIONS[match[1]] if match[1] else match[2] + _ENDINGS[match[3]]
