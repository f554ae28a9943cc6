"""Who worded the hypotheses stands in the report."""

from dataclasses import replace

from interp_embed.report import wording


def test_who_worded_and_who_judged_is_said(make_study):
    model = {"model": {"provider": "openai", "model": "gpt-5-mini"}}
    other = {"model": {"provider": "openai", "model": "gpt-5-nano"}}

    def said(labels):
        return wording.who_worded(replace(make_study(), settings={"labels": labels}))

    assert "a rule of words reads them" in said("keywords")
    assert said({"labeller": model, "annotator": model}).startswith("gpt-5-mini worded the")
    assert "gpt-5-nano judged" in said({"labeller": model, "annotator": other})
