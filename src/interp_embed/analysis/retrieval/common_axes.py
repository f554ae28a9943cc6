"""Everyday phrases for axes that people often ask for, such as sentiment or tense.

A question such as ``sentiment`` names what documents differ in; labels name what they say, such as
``mentions "dreadful"``, and the two have few words in common. The phrases below lie between them.
They were written from general knowledge of English and of category schemes such as LIWC
(Pennebaker et al. 2015), for no data set in particular. They stop at English and at what is common
to many kinds of text: ``topic`` is not among the axes, since its phrases would differ in every data
set, and words of a trade are missing everywhere. Phrases of one's own, or a language model's, know
the data and are better.
"""

from dataclasses import dataclass

from interp_embed.analysis.retrieval.words import stem
from interp_embed.interpret.words import iter_words


@dataclass(frozen=True, slots=True)
class CommonAxis:
    """Something documents differ in, with phrases from all its sides."""

    names: tuple[str, ...]
    """What it is called, the usual name first."""
    phrases: tuple[str, ...]
    """What documents say that differ in it, 10 to 25."""

    @property
    def name(self) -> str:
        """The usual name."""
        return self.names[0]


def find_axis(query: str) -> CommonAxis | None:
    """Return the common axis that a question names, None where it names none.

    A question names an axis where nothing is left beside one of its names but words such as *the*,
    *of* or *text*: ``mood``, ``by sentiment`` and ``the tone of the text``, not ``complains about
    the tone``.

    >>> find_axis("mood of the writer").name
    'emotion'
    """
    return _BY_NAME.get(_name_key(query))


def _name_key(text: str) -> tuple[str, ...]:
    return tuple(stem(word) for word in iter_words(text) if word not in _AROUND)


def _axis(names: str, phrases: str) -> CommonAxis:
    return CommonAxis(
        tuple(map(str.strip, names.split(","))), tuple(map(str.strip, phrases.split(",")))
    )


_AROUND = frozenset(
    """
    a an and answer answers author author's by comment comments degree document documents general
    how in is it its kind level message messages of or overall post posts response responses review
    reviews text texts the their these to type used user user's what which writer writer's
    """.split()  # noqa: SIM905 - a list of words reads better
)
"""Words that may stand around the name of an axis."""

COMMON_AXES = (
    _axis(
        "sentiment, polarity, valence, positivity, negativity, positive negative, evaluation, "
        "satisfaction, dissatisfaction",
        "good, great, excellent, wonderful, delightful, enjoyed, loved, recommend, pleased, "
        "perfect, happy with, bad, terrible, awful, poor, disappointing, hated, worst, horrible, "
        "unpleasant, boring, waste",
    ),
    _axis(
        "emotion, emotional tone, emotional state, feeling, mood, affect",
        "happy, joy, excited, proud, grateful, love, amused, hope, relieved, curious, sad, grief, "
        "lonely, angry, annoyed, afraid, nervous, worried, disgusted, embarrassed, ashamed, "
        "surprised, disappointed, confused",
    ),
    _axis(
        "tone, tone voice, attitude, manner",
        "friendly, warm, kind, cheerful, enthusiastic, encouraging, polite, calm, neutral, "
        "serious, formal, cold, rude, sarcastic, angry, aggressive, harsh, critical, sad, "
        "humorous, playful",
    ),
    _axis(
        "tense, time, time reference, temporality, past present future, past present, "
        "past future, verb tense",
        "was, were, had, did, went, used to, yesterday, last week, last year, ago, is, are, does, "
        "now, today, currently, these days, will, shall, going to, tomorrow, next week, next year, "
        "soon",
    ),
    _axis(
        "style, writing style, style writing, register, formality, formal informal, informality, "
        "formal, informal, diction",
        "therefore, moreover, furthermore, hence, thus, regarding, in accordance with, "
        "I would like to, sincerely, Dear Sir or Madam, hereby, gonna, wanna, yeah, hey, hi guys, "
        "lol, omg, dude, cool, kinda, stuff, awesome, slang",
    ),
    _axis(
        "politeness, impoliteness, courtesy, polite, polite rude, rudeness, civility",
        "please, thank you, thanks, excuse me, would you mind, could you, kindly, sorry, "
        "apologies, appreciate, my pleasure, dear, rude, shut up, stupid, insult, nonsense, "
        "whatever, do it now",
    ),
    _axis(
        "certainty, uncertainty, confidence, hedging, modality, doubt, assertiveness",
        "definitely, certainly, of course, clearly, obviously, always, never, must, undoubtedly, "
        "sure, proven, maybe, perhaps, might, could, possibly, probably, I think, I guess, seems, "
        "apparently, not sure, doubt, it depends",
    ),
    _axis(
        "person, point view, perspective, narrator, narration, grammatical person, pronoun, "
        "viewpoint",
        "I, me, my, myself, we, us, our, you, your, yourself, he, him, his, she, her, they, them, "
        "their, one, everyone",
    ),
    _axis(
        "stance, agreement, disagreement, opinion, position, support opposition, viewpoint issue",
        "agree, support, in favor, approve, exactly, absolutely right, endorse, good point, "
        "disagree, oppose, against, reject, wrong, no way, objection, I believe, in my opinion, "
        "undecided, on the other hand, but",
    ),
    _axis(
        "length, detail, amount detail, depth, verbosity, thoroughness, elaboration, conciseness, "
        "brevity, long short",
        "step by step, in detail, for example, such as, including, firstly, secondly, finally, "
        "in addition, furthermore, in conclusion, explanation, overview, in other words, briefly, "
        "in short, summary, short answer",
    ),
    _axis(
        "audience, readership, target group, target audience, age group, addressee",
        "children, kids, students, teachers, parents, beginners, experts, professionals, "
        "scientists, customers, employees, patients, voters, citizens, ladies and gentlemen, "
        "colleagues, friends",
    ),
    _axis(
        "intent, intention, speech act, dialogue act, purpose, communicative function, user intent",
        "question, what is, how do I, can you, tell me, request, I need, I want, order, book, "
        "cancel, complain, thank you, apologize, hello, goodbye, suggest, recommend, advise, warn, "
        "promise, explain, yes, no",
    ),
    _axis(
        "language, natural language, foreign language, mother tongue",
        "English, Spanish, French, German, Italian, Portuguese, Dutch, Russian, Chinese, Japanese, "
        "Korean, Arabic, Hindi, Turkish, el la los que, le la les des, der die das und, il che di, "
        "translation",
    ),
    _axis(
        "format, formatting, structure, layout, text format, markup",
        "list, bullet points, numbered steps, table, heading, paragraph, code, function, variable, "
        "equation, formula, number, link, URL, quotation, dialogue, poem, verse, email, letter, "
        "recipe, JSON",
    ),
    _axis(
        "humor, humour, funniness, funny, seriousness, funny serious, irony, sarcasm",
        "funny, joke, laugh, haha, lol, hilarious, pun, punchline, comedy, silly, ridiculous, "
        "sarcasm, irony, just kidding, witty, serious, solemn, grave, tragic",
    ),
    _axis(
        "urgency, priority, hurry, time pressure, urgent",
        "urgent, immediately, as soon as possible, asap, right away, emergency, deadline, hurry, "
        "quickly, at once, critical, need it today, waiting, no rush, whenever, later, eventually, "
        "take your time, at your convenience",
    ),
    _axis(
        "safety, harm, harmfulness, danger, refusal, compliance, risk",
        "I cannot help, I'm sorry, unable to, as an AI, not appropriate, against the law, illegal, "
        "dangerous, harmful, weapon, violence, poison, suicide, hack, steal, drugs, warning, "
        "consult a professional, unethical, here is how, sure",
    ),
    _axis(
        "toxicity, hate, hate speech, abuse, offensiveness, profanity, hostility, insult",
        "idiot, stupid, moron, hate, racist, sexist, disgusting, shut up, damn, hell, fuck, shit, "
        "kill, loser, trash, ugly, threat, respect, kindness",
    ),
    _axis(
        "complaint, subject complaint, complaint subject, aspect, quality aspect, issue, problem, "
        "product aspect, quality",
        "price, expensive, service, staff, rude, waiting time, delivery, late, quality, broken, "
        "defective, size, taste, dirty, noise, location, refund, customer support, battery, "
        "easy to use, instructions, packaging",
    ),
    _axis(
        "gender, sex, gendered words",
        "he, she, him, her, man, woman, men, women, boy, girl, husband, wife, mother, father, "
        "brother, sister, son, daughter, lady, gentleman",
    ),
    _axis(
        "relationship, social relation, family relationship, social role",
        "mother, father, parents, son, daughter, brother, sister, family, husband, wife, "
        "boyfriend, girlfriend, friend, neighbor, colleague, boss, teacher, stranger, marriage, "
        "divorce",
    ),
    _axis(
        "place, location, country, region, geography, setting",
        "city, town, village, country, street, home, school, office, hospital, beach, mountain, "
        "north, south, America, Europe, Africa, Asia, London, New York, abroad",
    ),
    _axis(
        "ideology, political ideology, political leaning, politics, left right, partisanship",
        "liberal, conservative, progressive, socialist, Democrat, Republican, taxes, welfare, "
        "immigration, abortion, guns, climate, freedom, equality, law and order, free market, "
        "trade union, government",
    ),
    _axis(
        "morality, moral, moral foundation, ethics",
        "fair, unfair, justice, cheating, care, cruelty, harm, suffering, loyalty, betrayal, "
        "authority, duty, obedience, sacred, pure, disgusting, right, wrong, honest, freedom",
    ),
    _axis(
        "reasoning, argumentation, argument, logic, causality, explanation",
        "because, therefore, since, so that, reason, result, cause, leads to, if, then, suppose, "
        "evidence, proof, thus, consequently, however, although, conclude",
    ),
    _axis(
        "quantity, number, amount, quantification",
        "one, two, three, ten, hundred, thousand, million, percent, half, dozen, few, several, "
        "many, most, all, some, none, more, less",
    ),
    _axis(
        "perception, sense, sensory detail, sensory words",
        "see, look, watch, bright, color, hear, listen, loud, quiet, touch, feel, soft, hard, "
        "cold, hot, smell, scent, taste, sweet, bitter",
    ),
)
"""The built-in list."""


def _by_name() -> dict[tuple[str, ...], CommonAxis]:
    return {_name_key(name): axis for axis in COMMON_AXES for name in axis.names}


_BY_NAME = _by_name()
