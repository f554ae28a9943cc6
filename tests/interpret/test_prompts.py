import pytest

from interp_embed.errors import InputError
from interp_embed.interpret import Prompt

MINE = "[system]\nBe brief.\n\n[user]\n{concepts}\nTEXT:\n{text}\nEND OF TEXT\n"


def write(tmp_path, content):
    path = tmp_path / "mine.txt"
    path.write_text(content, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["annotate", "label", "refine", "propose", "summarise"])
def test_the_shipped_prompts_can_be_used(name):
    prompt = Prompt.load(name)

    assert prompt.kind == f"{name}-{prompt.version}"
    assert len(prompt.version) == 8
    assert [m.role for m in prompt.fill(**dict.fromkeys(
        ("concepts", "text", "positive", "negative", "label", "instructions",
         "first", "second", "n", "labels"), "x"))] == [
        "system", "user"]  # fmt: skip


def test_values_are_put_in_literally_and_once():
    prompt = Prompt.load("annotate")
    text = 'a {concepts} {text} \\1 {"c1": true} {nothing}'

    *_, user = prompt.fill(concepts="c1: {text}", text=text)

    assert f"TEXT:\n{text}\nEND OF TEXT" in user.content
    assert "c1: {text}\n" in user.content


def test_the_version_is_that_of_the_content(tmp_path):
    one = Prompt.load(write(tmp_path, MINE), purpose="annotate")
    other = Prompt.load(write(tmp_path, MINE.replace("brief", "kind")), purpose="annotate")
    windows = tmp_path / "mine.txt"
    windows.write_bytes(b"\xef\xbb\xbf" + MINE.replace("\n", "\r\n").encode())

    assert one.name == other.name == "mine"
    assert one.version != other.version
    assert Prompt.load(windows, purpose="annotate") == one


def test_the_system_section_may_be_left_out(tmp_path):
    prompt = Prompt.load(write(tmp_path, MINE[MINE.index("[user]") :]), purpose="annotate")

    assert [m.role for m in prompt.fill(concepts="c1: a", text="b")] == ["user"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (MINE.replace("{text}", "{txt}"), r"mine.txt has the unknown placeholder \{txt\}"),
        (MINE + "{label}", r"has the unknown placeholder \{label\}; to annotate, there are \{con"),
        (MINE.replace("{text}", ""), r"mine.txt lacks the placeholder \{text\}"),
        (MINE.replace("[user]", ""), r"has nothing in a section \[user\]"),
        ("[user]\n \n", r"has nothing in a section \[user\]"),
        ("Be brief.\n" + MINE, r"must begin with a line \[system\] or \[user\], but begins 'Be b"),
        (MINE + MINE, r"has two sections \[system\]"),
    ],
)
def test_a_prompt_that_cannot_work_is_refused(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        Prompt.load(write(tmp_path, content), purpose="annotate")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="'anotate' cannot be read .* annotate, label, refine"):
        Prompt.load("anotate")
    with pytest.raises(InputError, match="cannot be read"):
        Prompt.load(tmp_path)


def test_a_gap_without_a_value_is_an_error():
    with pytest.raises(InputError, match=r"placeholder \{text\}, for which there is no value"):
        Prompt.load("annotate").fill(concepts="c1: a")
