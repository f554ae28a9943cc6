import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interp_embed.interpret.parsing import (
    read_concepts,
    read_label,
    read_verdicts,
    reads_as_refusal,
)

IDS = ("c1", "c2")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"c1": true, "c2": false}', {"c1": True, "c2": False}),
        ('Sure!\n```json\n{"c1": "Yes", "c2": 0}\n```\nDone.', {"c1": True, "c2": False}),
        ('{"c1": " TRUE ", "c2": "no"}', {"c1": True, "c2": False}),
        ('{"answers": {"c1": true, "c2": false}}', {"c1": True, "c2": False}),
        ('{"c1": true, "why": {"c2": true}, "c3": false}', {"c1": True}),
        ('<think>{"c1": true}</think>{\'c1\': 1} {"c1": false}', {"c1": False}),
        ('so far {"c1": true}</think> {"c2": true}', {"c2": True}),
    ],
)
def test_the_answer_is_found_in_what_surrounds_it(text, expected):
    assert read_verdicts(text, IDS) == expected


@pytest.mark.parametrize(
    "value", ['"maybe"', "2", "null", "1.0", '"1"', "[true]", '""', '"yes, but"']
)
def test_what_is_not_clearly_yes_or_no_is_missing_for_its_key_only(value):
    assert read_verdicts(f'{{"c1": {value}, "c2": true}}', IDS) == {"c2": True}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "No.",
        "None of these apply.",
        '<think>{"c1": true, "c2": true}',
        '{"c1": true} <think> wait',
        '{"c7": true, "x": false}',
        '{"c1": true or false, "c2": true or false}',
        '{"c1": true, "c2": false',
        "{c1: true}",
    ],
)
def test_nothing_is_guessed(text):
    assert "c2" not in read_verdicts(text, IDS)
    if text.startswith(("<", "N", "{c", '{"c7')):
        assert read_verdicts(text, IDS) == {}


def test_an_echo_of_the_schema_is_no_answer_wherever_it_stands():
    properties = {"c1": {"type": "boolean"}, "c2": {"type": "boolean", "example": True}}
    schema = json.dumps({"type": "object", "properties": properties, "required": list(IDS)})

    assert read_verdicts(schema, IDS) == {}
    assert read_verdicts(f'{schema} {{"c1": true, "c2": false}}', IDS) == {"c1": True, "c2": False}
    assert read_verdicts(f'{{"c1": true, "c2": false}} {schema}', IDS) == {"c1": True, "c2": False}


def test_of_two_answers_the_last_one_counts():
    assert read_verdicts('{"c1": true, "c2": true} No: {"c1": false}', IDS) == {"c1": False}
    assert read_verdicts('{"c1": false} (of the form {"c1": true, ...})', IDS) == {"c1": False}


def test_a_key_given_twice_counts_if_both_agree():
    assert read_verdicts('{"c1": true, "c1": "yes", "c2": false}', IDS) == {"c1": True, "c2": False}
    assert read_verdicts('{"c1": true, "c1": false, "c2": false}', IDS) == {"c2": False}
    assert read_verdicts('{"c1": true, "c1": "hm", "c2": false}', IDS) == {"c2": False}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"c1": true, "c2": fal', {"c1": True}),
        ('{"c1": true, "c2": true', {"c1": True}),
        ('{"c1": true, "c2": true,', {"c1": True, "c2": True}),
        ('{"c1": true, "c2"', {"c1": True}),
        ('{"c1": true, "c', {"c1": True}),
        ('{"c1": true, "c1": fal', {}),
        ('{"a": {"c1": 0, "c2": "ye', {"c1": False}),
        ('{"c1": true, "c2": maybe so', {}),
    ],
)
def test_of_a_cut_object_the_pairs_count_that_are_ended(text, expected):
    assert read_verdicts(text, IDS) == expected


@given(
    st.dictionaries(st.sampled_from([f"c{i}" for i in range(1, 13)]), st.booleans(), min_size=1),
    st.text(st.characters(exclude_characters="{}<")),
    st.text(st.characters(exclude_characters="{}<")),
    st.sampled_from([None, 0, 2]),
)
def test_what_is_written_is_read(verdicts, before, after, indent):
    text = f"{before}{json.dumps(verdicts, indent=indent)}{after}"

    assert read_verdicts(text, list(verdicts)) == verdicts


@given(
    st.dictionaries(st.sampled_from([f"c{i}" for i in range(1, 13)]), st.booleans(), min_size=1),
    st.data(),
    st.sampled_from([None, 0, 2]),
)
def test_a_cut_answer_never_says_anything_else(verdicts, data, indent):
    whole = json.dumps(verdicts, indent=indent)
    cut = whole[: data.draw(st.integers(0, len(whole)))]

    found = read_verdicts(cut, list(verdicts))

    assert found.items() <= verdicts.items()
    ended = [name for name in verdicts if f'"{name}": {json.dumps(verdicts[name])},' in cut]
    assert set(ended) <= set(found)


def test_a_key_that_is_cut_off_is_not_taken_for_a_shorter_one():
    cut = '{"c1": false, "c2": true, "c1'  # of "c11"

    assert read_verdicts(cut, ["c1", "c2", "c11"]) == {"c1": False, "c2": True}
    assert read_verdicts(cut + '"', ["c1", "c2", "c11"]) == {"c2": True}


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from('{}[]",:c12 truefalsn<think>/\\\n')) | st.text())
def test_any_text_gives_verdicts_of_asked_keys_or_none(text):
    found = read_verdicts(text, IDS)

    assert set(found) <= set(IDS)
    assert all(isinstance(verdict, bool) for verdict in found.values())
    label = read_label(text)
    assert label is None or (label.strip() == label != "" and len(label) <= 300)


@pytest.mark.parametrize(
    "text",
    [
        "{" * 100_000,
        '{"a":' * 30_000,
        "[{" * 30_000,
        '{"c1":' + " " * 90_000 + "x",
        '{"a": ' + "9" * 9_000,
    ],
    ids=["braces", "nested", "lists", "spaces", "digits"],
)
def test_hostile_answers_are_read_in_time(text):
    assert read_verdicts(text, IDS) == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"label": "mentions \\"cold\\", \\"raw\\""}', 'mentions "cold", "raw"'),
        ('```json\n{"label": "the\\n sea"}\n```', "the sea"),
        ('{"label": "old"} Better: {"label": "new"}', "new"),
        ('{"label": "the sea", "why": "it is bl', "the sea"),
        ('"mentions the sea"', "mentions the sea"),
        ("<think>hm</think>\nLabel: **the sea**\n", "the sea"),
        ('"cold", "raw"', '"cold", "raw"'),
        ('{"label": "says sorry"}', "says sorry"),
        ("", None),
        ("...", None),
        ('{"label": "..."}', None),
        ('{"label": ""}', None),
        ('{"label": null}', None),
        ('{"label": "a", "label": "b"}', None),
        ('{"label": "the s', None),
        ("<think>the sea", None),
        ("First line.\nSecond line.", None),
        ("I'm sorry, but I can't help with that.", None),
        ('{"label": "I cannot assist with this."}', None),
        ("long " * 100, None),
        ('{"type": "object", "properties": {"label": {"type": "string"}}}', None),
    ],
)
def test_a_label_is_read_or_there_is_none(text, expected):
    assert read_label(text) == expected


def test_refusals_are_told_from_answers():
    assert reads_as_refusal("I\u2019m unable to judge this text.")
    assert reads_as_refusal("Unfortunately, I cannot assist with that.")
    assert not reads_as_refusal('{"c1": false}')
    assert not reads_as_refusal("The text says: I am sorry.")


@pytest.mark.parametrize(
    ("text", "concepts"),
    [
        ('{"concepts": ["mentions the sea", 7, null, ""]}', ("mentions the sea",)),
        ('["one thing", "Another", "ONE THING"]', ("one thing", "Another")),
        ('```json\n{"concepts": ["a \\"cold\\" soup"]}\n```', ('a "cold" soup',)),
        ('<think>["draft"]</think> {"concepts": ["final"]}', ("final",)),
        ('["draft"] no: ["final"]', ("final",)),
        ('{"concepts": ["whole one", "cut of', ("whole one",)),
        ('{"concepts": ["kept"]} and then [', ("kept",)),
        ('{"concepts": []}', ()),
        ('{"concepts": ["' + "x" * 5_000 + '"]}', ()),
        ('{"concepts": ["I cannot help with that."]}', ()),
        ("mentions the sea", None),
        ("", None),
        ("[" * 20_000, None),
    ],
)
def test_concepts_are_read_from_what_a_model_lists(text, concepts):
    assert read_concepts(text) == concepts
