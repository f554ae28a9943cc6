import pytest
from click.testing import CliRunner

from interp_embed.cli import main

COMMANDS = ["demo", "hypotheses", "table", "encode", "label", "top", "info", "convert"]


def run(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


def test_the_help_names_every_command():
    shown = run("--help").output
    for command in COMMANDS:
        assert f"\n  {command} " in shown


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command):
    result = run(command, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_a_typo_is_answered_with_the_command_that_was_meant():
    result = run("enocde")
    assert result.exit_code == 2
    assert "Did you mean 'encode'?" in result.output


def test_info_tells_what_is_installed_and_no_key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    result = run("info")
    assert "torch" in result.output
    assert "OPENAI_API_KEY" in result.output
    assert "sk-secret" not in result.output


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("text,stars\na,1\n", ("--text", "txt", "--target", "stars"), "did you mean 'text'"),
        ("text,stars\na,1\n", ("--text", "text", "--target", "star"), "did you mean 'stars'"),
        ("", ("--text", "text", "--target", "stars"), "is empty"),
        ("text,stars\na,x\nb,y\nc,z\n", ("--text", "text", "--target", "stars"), "stars"),
        ("text,stars\na,1\nb,2\n", ("--text", "text", "--target", "stars"), "document"),
    ],
)
def test_a_study_that_cannot_be_run_says_why_without_a_traceback(
    tmp_path, content, options, message
):
    file = tmp_path / "t.csv"
    file.write_text(content)
    result = run("hypotheses", file, *options, "--embedder", "tfidf", "--out", tmp_path / "o")
    assert result.exit_code != 0
    assert message in result.output
    assert "Traceback" not in result.output
