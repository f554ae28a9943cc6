import numpy as np
import pytest

from interp_embed.errors import InputError
from interp_embed.synthetic import Confounder, CorpusPlan, load_domain
from interp_embed.synthetic.plan import check_plan, prevalence_table

CONCEPTS = load_domain("reviews").concept_names


def test_the_default_plan_can_be_met():
    check_plan(CorpusPlan(), CONCEPTS)


def test_the_prevalence_table_crosses_groups_and_periods():
    plan = CorpusPlan(
        prevalence=0.5, group_differences={"noisy": 0.2}, trend={"noisy": 0.1}, n_periods=3
    )

    table = prevalence_table(plan, CONCEPTS)[:, :, CONCEPTS.index("noisy")]

    assert np.allclose(table, [[0.3, 0.4, 0.5], [0.5, 0.6, 0.7]])


def test_a_prevalence_may_reach_zero_and_one_exactly():
    table = prevalence_table(CorpusPlan(prevalence=0.1, group_differences={"noisy": 0.2}), CONCEPTS)

    assert table[0, 0, CONCEPTS.index("noisy")] == 0


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (CorpusPlan(prevalence=1.2), "prevalence of 'long_wait' must be from 0 to 1, got 1.2"),
        (CorpusPlan(prevalence=float("nan")), "must be from 0 to 1, got nan"),
        (CorpusPlan(prevalence={"long_wiat": 0.1}), "did you mean 'long_wait'"),
        (CorpusPlan(effects={"nosy": 1.0}, outcome="numeric"), "effects: unknown concept 'nosy'"),
        (CorpusPlan(correlations={("noisy", "noisy"): 0.5}), "two different concepts"),
        (CorpusPlan(correlations={("noisy", "spicy"): 1.0}), "strictly between -1 and 1"),
        (
            CorpusPlan(correlations={("noisy", "spicy"): 0.5, ("spicy", "noisy"): 0.4}),
            "given twice",
        ),
        (
            CorpusPlan(correlations={("noisy", "spicy"): 0.9, ("spicy", "birthday"): 0.9}),
            "not positive definite",
        ),
        (CorpusPlan(group_differences={"noisy": 0.5}), r"would be -0.15 \(group A, period 0\)"),
        (CorpusPlan(trend={"noisy": 0.1}), "outside"),
        (CorpusPlan(trend={"noisy": [0.1, 0.2]}), "2 numbers for 6 periods"),
        (CorpusPlan(outcome="ordinal"), "outcome must be one of numeric"),
        (CorpusPlan(outcome="multiclass", effects={"noisy": 1.0}), "3 numbers, one a class"),
        (CorpusPlan(outcome="numeric", effects={"noisy": [1.0, 2.0]}), "must be one number"),
        (CorpusPlan(outcome="numeric", effects={"noisy": float("inf")}), "not finite"),
        (CorpusPlan(outcome="multiclass", intercept=1.0), "intercept does not apply"),
        (CorpusPlan(exact_duplicates=0.6, near_duplicates=0.6), "must be from 0 to 0.9, got 1.2"),
        (CorpusPlan(noise=-1.0), "noise must be 0 or more"),
        (CorpusPlan(n_authors=0), "n_authors must be a whole number of at least 1"),
        (CorpusPlan(confounder=Confounder(name="group")), "cannot be named 'group'"),
        (CorpusPlan(confounder=Confounder(concepts=1.0)), "leaves no room for chance"),
        (
            CorpusPlan(confounder=Confounder(concepts=0.95), n_authors=5),
            "beside author_concepts=0.4",
        ),
    ],
)
def test_plans_that_cannot_be_met_are_refused(plan, message):
    with pytest.raises(InputError, match=message):
        check_plan(plan, CONCEPTS)
