import logging

import pytest

from interp_embed.errors import InputError
from interp_embed.quickstart import models
from interp_embed.quickstart.models import Cache, CallOptions, Models, resolve_model


@pytest.mark.parametrize(
    ("given", "known"),
    [
        ("gpt4o", "gpt-4o"),
        ("gpt4.1-mini", "gpt-4.1-mini"),
        ("gpt5", "gpt-5"),
        ("gpt-5.2", "gpt-5.2"),
        ("gpt-oss-20b", "gpt-oss-20b"),
        ("meta/llama-3", "meta/llama-3"),
    ],
)
def test_short_names_of_models_are_resolved(given, known):
    assert resolve_model(given) == known


def test_parameters_of_the_responses_api_become_those_of_chat_completions(caplog):
    given = {
        "reasoning": {"effort": "low"}, "text": {"verbosity": "low"}, "top_p": 0.9,
        "timeout": 30, "temperature": 0.2, "max_output_tokens": 50, "tokenizer_kwargs": {},
    }  # fmt: skip

    with caplog.at_level(logging.WARNING):
        options = CallOptions.read(given, name="interpret_llm_kwargs")

    assert options.parameters == {"reasoning_effort": "low", "verbosity": "low", "top_p": 0.9}
    assert (options.timeout_s, options.temperature) == (30.0, 0.2)
    assert "max_output_tokens, tokenizer_kwargs not needed" in caplog.text
    assert given["timeout"] == 30


def test_parameters_that_are_none_are_refused():
    assert CallOptions.read(None, name="x") == CallOptions()
    with pytest.raises(InputError, match="must be a dict"):
        CallOptions.read("fast", name="interpret_llm_kwargs")
    with pytest.raises(InputError, match="seconds above 0, but got 0"):
        CallOptions.read({"timeout": 0}, name="x")


class _Store:
    def __init__(self):
        self.is_closed = False

    def close(self):
        self.is_closed = True


class _Opened:
    made = ()

    def __init__(self, model, **options):
        self.model, self.options, self.is_closed = model, options, False
        _Opened.made = (*_Opened.made, self)

    def close(self):
        self.is_closed = True


@pytest.fixture
def opened(monkeypatch):
    _Opened.made = ()
    monkeypatch.setattr(models, "OpenAILLM", _Opened)
    monkeypatch.setattr(Cache, "open", lambda self: _Store())
    return _Opened


def test_two_models_share_one_budget_and_one_file(opened):
    both = Models(None, None, None, 1.0, Cache("reviews"))
    first = both.open("gpt5", n_workers=3, timeout_s=9.0)
    second = both.open("gpt5-mini", n_workers=30, timeout_s=9.0)

    assert first.model == "gpt-5"
    assert first.options["max_cost"].limit == 1.0
    assert first.options["max_in_flight"] == 3
    assert second.options["max_cost"] is first.options["max_cost"]
    assert second.options["store"] is first.options["store"]
    both.close()
    assert first.is_closed
    assert first.options["store"].is_closed


def test_a_dry_run_needs_no_key_and_no_budget(opened):
    llm = Models(None, None, None, 1.0, Cache(), dry_run=True).open("m", n_workers=1, timeout_s=9)

    assert llm.options["api_key"] == "dry run"
    assert llm.options["max_cost"] is None


def test_a_model_of_ones_own_is_used_and_left_open(opened):
    own = _Opened("own")
    both = Models(own, None, None, None, Cache())

    assert both.open("gpt-5", n_workers=3, timeout_s=9.0) is own
    both.close()
    assert not own.is_closed
    assert len(opened.made) == 1


def test_answers_lie_in_a_file_of_the_name(monkeypatch, tmp_path):
    paths = []
    monkeypatch.setattr(models.AnswerStore, "open", lambda path=None: paths.append(path))
    monkeypatch.setenv("INTERP_EMBED_CACHE", str(tmp_path / "env"))

    Cache().open()
    Cache("reviews").open()
    Cache("../../etc/reviews", tmp_path / "here").open()
    Cache(None, str(tmp_path / "here")).open()

    none, in_env, escaped, unnamed = paths
    assert none is None
    assert in_env == tmp_path / "env" / "annotations" / "reviews.sqlite"
    assert escaped.parent == unnamed.parent == tmp_path / "here" / "annotations"
    assert unnamed.name == "answers.sqlite"
