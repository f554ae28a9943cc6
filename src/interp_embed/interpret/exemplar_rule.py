"""Labels by example: ``resembles "the waiter ignored us", "nobody took our order"``."""

import re
from dataclasses import dataclass

_SENTENCE = r'"[^"]*[^\s"][^"]*"'
_LABEL = re.compile(rf"resembles {_SENTENCE}(?:, {_SENTENCE})*")
_QUOTES = str.maketrans({'"': "'", "\u201c": "'", "\u201d": "'"})


@dataclass(frozen=True, slots=True)
class ExemplarRule:
    """A document has the concept if it is like these sentences, taken together."""

    sentences: tuple[str, ...]
    """In the form of :func:`quotable`, none blank."""

    @property
    def text(self) -> str:
        """The rule in words, as a label.

        >>> ExemplarRule(("The soup was cold.", "Raw inside!")).text
        'resembles "The soup was cold.", "Raw inside!"'
        """
        return "resembles " + ", ".join(f'"{sentence}"' for sentence in self.sentences)

    @classmethod
    def parse(cls, label: str) -> "ExemplarRule | None":
        """Return the rule a label states, or None where it states none.

        >>> ExemplarRule.parse('resembles "The soup was cold."')
        ExemplarRule(sentences=('The soup was cold.',))
        """
        if _LABEL.fullmatch(label.strip()) is None:
            return None
        return cls(tuple(quotable(quoted) for quoted in re.findall(r'"([^"]+)"', label)))


def quotable(sentence: str) -> str:
    """Return a sentence as a label can hold it: on one line, double quotes made single.

    >>> quotable('They  said "no".')
    "They said 'no'."
    """
    return " ".join(sentence.translate(_QUOTES).split())
