"""Words that carry four axes of a text: its topic, its sentiment, its tense and its style."""

from collections.abc import Mapping
from types import MappingProxyType

TENSES = ("past", "present", "future")
SUBJECTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "food": (
            "the soup", "the bakery", "the pasta", "the waiter", "the breakfast menu",
            "the roast chicken", "the kitchen", "the dessert",
        ),
        "travel": (
            "the hotel", "the flight", "the train to the coast", "the airport",
            "the guided tour", "the beach resort", "the ferry", "the tourist office",
        ),
        "sports": (
            "the striker", "the home team", "the referee", "the marathon", "the tennis final",
            "the goalkeeper", "the coach", "the swimming squad",
        ),
        "technology": (
            "the laptop", "the software update", "the phone", "the printer", "the browser",
            "the router", "the tablet", "the charging cable",
        ),
    }
)  # fmt: skip
DETAILS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "food": ("garlic and lemon", "fresh bread and butter", "spices and olive oil"),
        "travel": ("luggage and passports", "maps and sightseeing", "tickets and boarding gates"),
        "sports": ("goals and penalties", "training and stamina", "a stadium full of fans"),
        "technology": ("batteries and passwords", "cables and settings", "files and pixels"),
    }
)
VERBS: Mapping[str, tuple[tuple[str, str, str], ...]] = MappingProxyType(
    {
        "praise": (
            ("impressed", "impresses", "impress"), ("delighted", "delights", "delight"),
            ("charmed", "charms", "charm"), ("satisfied", "satisfies", "satisfy"),
            ("cheered", "cheers", "cheer"),
        ),
        "blame": (
            ("disappointed", "disappoints", "disappoint"), ("annoyed", "annoys", "annoy"),
            ("frustrated", "frustrates", "frustrate"), ("irritated", "irritates", "irritate"),
            ("bored", "bores", "bore"),
        ),
    }
)  # fmt: skip
"""Past form, present form, form after "will", by sentiment."""
DETAIL_VERBS = (("involved", "involves", "involve"), ("concerned", "concerns", "concern"))
OBJECTS = ("everyone", "us all", "the visitors", "most people", "the whole group")
ADJECTIVES: Mapping[tuple[str, str], tuple[str, ...]] = MappingProxyType(
    {
        ("praise", "formal"): ("exemplary", "commendable", "exquisite", "admirable"),
        ("praise", "informal"): ("awesome", "fab", "super nice", "brilliant"),
        ("blame", "formal"): ("deplorable", "unsatisfactory", "inadequate", "regrettable"),
        ("blame", "informal"): ("rubbish", "crappy", "lousy", "awful"),
    }
)
BE: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {"formal": ("was", "is", "will be"), "informal": ("was", "is", "is gonna be")}
)
WILL: Mapping[str, str] = MappingProxyType({"formal": "will", "informal": "is gonna"})
TIMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "past": ("yesterday", "last week", "two years ago", "back then"),
        "present": ("nowadays", "at the moment", "right now", "these days"),
        "future": ("tomorrow", "next month", "next year", "very soon"),
    }
)
OPENERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "formal": (
            "It must be noted that ", "Furthermore, ", "In our considered opinion, ",
            "It is hereby stated that ", "With due respect, ",
        ),
        "informal": ("Honestly, ", "Yeah, ", "Guess what, ", "Okay so ", "Man, "),
    }
)  # fmt: skip
CLOSERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "formal": (", in every respect.", ", as documented.", ", without exception.", "."),
        "informal": (", you know!", ", lol!", ", no kidding!", "!!"),
    }
)
LABELS: Mapping[str, Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "topic": {
            "food": (
                "topic of food: dishes and flavours", "topic of restaurants and cooking",
                "topic of meals and waiters", "topic of kitchens and menus",
            ),
            "travel": (
                "topic of travel: flights and trains", "topic of hotels and resorts",
                "topic of tourism and sightseeing", "topic of luggage and airports",
            ),
            "sports": (
                "topic of sports: matches and players", "topic of football teams and goals",
                "topic of athletes and competitions", "topic of referees and scores",
            ),
            "technology": (
                "topic of technology: computers", "topic of software and updates",
                "topic of phones and gadgets", "topic of networks and passwords",
            ),
        },
        "sentiment": {
            "praise": (
                "positive sentiment: praise", "positive sentiment of delight",
                "approving sentiment, compliments", "enthusiastic sentiment",
            ),
            "blame": (
                "negative sentiment: complaints", "negative sentiment of frustration",
                "disapproving sentiment, criticism", "disappointed sentiment",
            ),
        },
        "tense": {
            "past": (
                "past tense verbs", "past tense: finished events",
                "simple past tense of to be", "past tense beside words such as yesterday",
            ),
            "present": (
                "present tense verbs", "present tense: what goes on now",
                "simple present tense of to be", "present tense beside words such as nowadays",
            ),
            "future": (
                "future tense verbs", "future tense: what is to come",
                "future tense of to be", "future tense beside words such as tomorrow",
            ),
        },
        "style": {
            "formal": (
                "formal style, elevated wording", "formal style of official reports",
                "formal style with impersonal phrases", "stiff and ceremonial style",
            ),
            "informal": (
                "informal style, slang", "informal style of chats",
                "informal style with exclamations", "colloquial, casual style",
            ),
        },
    }
)  # fmt: skip
"""What features of a value respond to, in words, by axis and value."""
_THINGS = (
    "rivers", "colours", "months", "numerals", "animals", "trees", "metals", "islands", "planets",
    "birds", "flowers", "kings", "bridges", "clouds", "coins", "clocks", "ladders", "mountains",
    "painters", "bones", "lamps", "doors", "candles", "gloves", "carpets",
)  # fmt: skip
NUISANCE = tuple(
    form.format(things)
    for form in ("mentions of {}", "names of {}", "the number of {}", "lists of {}")
    for things in _THINGS
)
"""What features that belong to no axis respond to, in words."""
