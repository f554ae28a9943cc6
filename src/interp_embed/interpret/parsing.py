"""What a model's answer says, and nothing it does not say: what is unclear is missing."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

_MAX_CHARACTERS = 20_000
"""Only the end of a longer answer is read."""
_MAX_LABEL = 300
_YES = frozenset(("yes", "true"))
_NO = frozenset(("no", "false"))
_THOUGHT_ENDS = re.compile(r"</think(?:ing)?>", re.IGNORECASE)
_THOUGHT_BEGINS = re.compile(r"<think(?:ing)?>", re.IGNORECASE)
_PAIR = re.compile(
    r'\s*"(?P<key>[^"\\]*)"\s*:\s*(?P<value>"(?:[^"\\]|\\.)*"|[^\s,{}\[\]"]+)\s*(?P<end>[,}])'
)
_CUT_PAIR = re.compile(
    r'\s*+(?:"(?P<key>[^"\\]*+)(?P<closed>"\s*+(?::\s*+(?:"[^"]*+"?+|[\w.+-]*+)\s*+)?)?)?'
)
_OPENS = re.compile(r"[\[{]")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+"')
_CUT_LIST = re.compile(
    rf'(?:\{{\s*"concepts"\s*:\s*)?\[(?P<items>\s*(?:{_STRING.pattern}\s*,\s*)*'
    rf'(?:{_STRING.pattern}\s*)?)(?:"[^"]*+)?'
)
"""A list of strings that the end of the text cuts off."""
_FENCE = re.compile(r"```\w*")
_REFUSAL = re.compile(
    r"\W*(?:unfortunately\W+|sorry\W+(?:but )?)?(?:i(?:'m| am) sorry(?:[,.;:]| but| that i| i )"
    r"|i(?:'m| am) (?:unable|not able) to|i apologi[sz]e|as an ai\b"
    r"|i (?:can(?:not|'t)|won't|will not) (?:\w+ )?"
    r"(?:help|assist|comply|answer|provide|do that|fulfil|engage|analy[sz]e|label|classify|judge))",
    re.IGNORECASE,
)
_QUOTES = {'"': '"', "'": "'", "`": "`", "*": "*", "\u201c": "\u201d"}


@dataclass(frozen=True, slots=True)
class _Object:
    """A JSON object with its pairs as written, repeated keys included."""

    pairs: tuple[tuple[str, Any], ...]
    end: int = 0
    """Where it ends in the text."""

    def values(self, key: str) -> list[Any]:
        return [value for name, value in self.pairs if name == key]


_DECODER = json.JSONDecoder(object_pairs_hook=lambda pairs: _Object(tuple(pairs)))


def read_verdicts(text: str, ids: Sequence[str]) -> dict[str, bool]:
    """Return the verdicts of an answer, by id; what is not clearly one is left out.

    ``{"c1": true, "c2": "maybe"}`` -> {"c1": True}

    Of several JSON objects that answer an id the last one counts. True, false, the words yes, no,
    true and false, and the integers 1 and 0 are verdicts. A key given twice counts if both agree.
    Of an object that is cut off, the pairs count that a comma or brace ends.

    Args:
        text: As the model wrote it: thoughts, fences and prose around the object are passed over.
        ids: The keys asked for; others are ignored.
    """
    answer = _after_thoughts(text)
    if answer is None:
        return {}
    last = _Object(())
    for found in _iter_objects(answer, frozenset(ids)):
        last = found
    verdicts: dict[str, bool] = {}
    for name in ids:
        said = {_verdict(value) for value in last.values(name)}
        verdict = said.pop() if len(said) == 1 else None
        if verdict is not None:
            verdicts[name] = verdict
    return verdicts


def read_label(text: str) -> str | None:
    """Return the label an answer gives, on one line; None where it gives none.

    ``{"label": "mentions the sea"}`` and ``"mentions the sea"`` -> mentions the sea

    Args:
        text: As the model wrote it. A refusal, more than one line of prose, and more than 300
            characters are no label.
    """
    answer = _after_thoughts(text)
    if answer is None:
        return None
    labels: set[str] = set()
    for found in _iter_objects(answer, frozenset(("label",))):
        said = {value for value in found.values("label") if isinstance(value, str)}
        labels = said or labels
    if labels:
        return _clean_label(labels.pop()) if len(labels) == 1 else None
    lines = [line for line in _FENCE.sub("", answer).splitlines() if line.strip()]
    if len(lines) != 1 or "{" in lines[0]:
        return None
    return _clean_label(re.sub(r"^\s*label\s*:", "", lines[0], flags=re.IGNORECASE))


def read_concepts(text: str) -> tuple[str, ...] | None:
    """Return the concepts an answer lists, none twice; None where it holds no list.

    ``{"concepts": ["mentions the sea", 7]}`` -> ("mentions the sea",)

    Args:
        text: As the model wrote it. ``{"concepts": [...]}`` and a bare list of strings are read,
            the last of several; of a list that is cut off, the strings that are complete. What
            is no label (see ``read_label``) is left out.
    """
    answer = _after_thoughts(text)
    if answer is None:
        return None
    found: list[Any] | None = None
    position = 0
    while match := _OPENS.search(answer, position):
        try:
            listed, position = _read_list(answer, match.start())
        except RecursionError:
            break  # nested a thousand deep: no answer
        found = found if listed is None else listed
    if found is None:
        return None
    concepts: dict[str, str] = {}
    for item in found:
        label = _clean_label(item) if isinstance(item, str) else None
        if label is not None:
            concepts.setdefault(label.casefold(), label)
    return tuple(concepts.values())


def _read_list(text: str, start: int) -> tuple[list[Any] | None, int]:
    """Return the list of concepts that begins here, if one does, and where to look on."""
    try:
        value, end = _DECODER.raw_decode(text, start)
    except ValueError:  # not JSON, or cut off
        cut = _CUT_LIST.fullmatch(text, start)
        items = [] if cut is None else [json.loads(item) for item in _STRING.findall(cut["items"])]
        return (items, len(text)) if items else (None, start + 1)
    if isinstance(value, _Object):
        lists = [v for v in value.values("concepts") if isinstance(v, list)]
        return (lists[-1], end) if lists else (None, start + 1)
    usable = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return (value, end) if usable else (None, start + 1)


def reads_as_refusal(text: str) -> bool:
    """Whether an answer without a verdict declines to give one.

    >>> reads_as_refusal("I'm sorry, but I can't help with that.")
    True
    """
    return _REFUSAL.match(text[:_MAX_LABEL].replace("\u2019", "'")) is not None


def _after_thoughts(text: str) -> str | None:
    """Return what follows the last thought; None if a thought was not finished."""
    answer = _THOUGHT_ENDS.split(text)[-1]
    return None if _THOUGHT_BEGINS.search(answer) else answer[-_MAX_CHARACTERS:]


def _iter_objects(text: str, keys: frozenset[str]) -> Iterator[_Object]:
    """Yield the JSON objects in order that have a plain value for one of the keys.

    What is inside such an object, or inside a schema, is passed over. A last object that is cut
    off has the pairs that are complete.
    """
    position = text.find("{")
    while position >= 0:
        after = position + 1
        try:
            found = _decode(text, position)
        except RecursionError:
            return  # nested a thousand deep: no answer
        if found is None:
            found = _cut_object(text, position)
        if found is not None and _answers(found, keys):
            yield found
            after = found.end
        elif found is not None and _is_schema(found):
            after = found.end
        position = text.find("{", after)


def _decode(text: str, position: int) -> _Object | None:
    try:
        value, end = _DECODER.raw_decode(text, position)
    except ValueError:  # not JSON, or a number too long to read
        return None
    return _Object(value.pairs, end) if isinstance(value, _Object) else None


def _cut_object(text: str, position: int) -> _Object | None:
    """Return the complete pairs of an object that the end of the text cuts off."""
    pairs: list[tuple[str, Any]] = []
    after = position + 1
    while (pair := _PAIR.match(text, after)) is not None:
        if pair["end"] == "}":
            return None  # it was closed, and yet is no JSON
        pairs.append((pair["key"], _scalar(pair["value"])))
        after = pair.end()
    rest = _CUT_PAIR.fullmatch(text, after)
    if rest is None:
        return None
    if rest["closed"] is not None:  # "c1 may be the beginning of "c11"
        pairs.append((rest["key"], None))  # a cut value is none, also of a key given before
    return _Object(tuple(pairs), len(text))


def _scalar(written: str) -> Any:  # noqa: ANN401 - any JSON scalar
    try:
        return json.loads(written)
    except ValueError:
        return None


def _is_schema(found: _Object) -> bool:
    return any(isinstance(value, _Object) for value in found.values("properties"))


def _answers(found: _Object, keys: frozenset[str]) -> bool:
    """Whether an object gives any key a plain value; the properties of a schema do not."""
    return any(
        name in keys and not isinstance(value, _Object | list) for name, value in found.pairs
    )


def _verdict(value: Any) -> bool | None:  # noqa: ANN401 - any JSON value
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return {0: False, 1: True}.get(value)
    if isinstance(value, str):
        word = value.strip().casefold()
        return True if word in _YES else False if word in _NO else None
    return None


def _clean_label(text: str) -> str | None:
    label = " ".join(text.split())
    while len(label) > 1 and _QUOTES.get(label[0]) == label[-1]:
        inner = label[1:-1].strip()
        if label[0] != "*" and (label[0] in inner or label[-1] in inner):
            break  # quotes that belong to the words, as in: "cold", "raw"
        label = inner
    usable = any(character.isalnum() for character in label) and len(label) <= _MAX_LABEL
    return label if usable and not reads_as_refusal(label) else None
