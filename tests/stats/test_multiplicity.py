import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control
from statsmodels.stats.multitest import multipletests

from interp_embed.errors import InputError
from interp_embed.stats import (
    adjust_benjamini_hochberg,
    adjust_benjamini_yekutieli,
    adjust_bonferroni,
    adjust_holm,
)

NAN = float("nan")
p_values = st.lists(st.floats(0, 1), min_size=1, max_size=50)


def test_bonferroni_by_hand():
    np.testing.assert_allclose(adjust_bonferroni([0.01, 0.04, NAN]), [0.02, 0.08, NAN])
    np.testing.assert_allclose(adjust_bonferroni([0.01, 0.4], n_tests=10), [0.1, 1.0])


def test_benjamini_hochberg_by_hand():
    # Sorted 0.01 0.03 0.04 times 3/1 3/2 3/3 is 0.03 0.045 0.04, then the minimum from the right.
    q = adjust_benjamini_hochberg([0.01, 0.04, 0.03, NAN])

    np.testing.assert_allclose(q, [0.03, 0.04, 0.04, NAN])


@settings(deadline=None)
@given(p_values)
def test_adjustments_agree_with_scipy_and_statsmodels(p):
    np.testing.assert_allclose(adjust_benjamini_hochberg(p), false_discovery_control(p))
    np.testing.assert_allclose(adjust_bonferroni(p), multipletests(p, method="bonferroni")[1])


@settings(deadline=None)
@given(p_values, st.integers(0, 40))
def test_a_larger_family_is_as_if_the_others_had_p_1(p, n_more):
    padded = false_discovery_control([*p, *[1.0] * n_more])[: len(p)]

    np.testing.assert_allclose(adjust_benjamini_hochberg(p, n_tests=len(p) + n_more), padded)


@settings(deadline=None)
@given(p_values)
def test_q_is_between_p_and_bonferroni_and_keeps_the_order(p):
    q = adjust_benjamini_hochberg(p)

    assert (q >= np.asarray(p)).all()
    assert (q <= adjust_bonferroni(p) + 1e-15).all()
    assert (np.diff(q[np.argsort(p, kind="stable")]) >= 0).all()


def test_nothing_tested_gives_nothing():
    assert adjust_benjamini_hochberg([]).shape == (0,)
    assert np.isnan(adjust_benjamini_hochberg([NAN, NAN])).all()
    assert np.isnan(adjust_bonferroni([NAN])).all()
    assert np.isnan(adjust_holm([NAN])).all()
    assert adjust_benjamini_yekutieli([]).shape == (0,)


@pytest.mark.parametrize(
    "adjust",
    [adjust_bonferroni, adjust_holm, adjust_benjamini_hochberg, adjust_benjamini_yekutieli],
)
def test_bad_p_values_and_families_are_refused(adjust):
    with pytest.raises(InputError, match=r"must lie in \[0, 1\], got 1.2"):
        adjust([0.1, 1.2])
    with pytest.raises(InputError, match="n_tests = 1 is smaller than the 2 p-values"):
        adjust([0.1, 0.2, NAN], n_tests=1)
    with pytest.raises(InputError, match="one axis"):
        adjust([[0.1]])


def test_the_arguments_are_not_changed():
    p = np.array([0.3, 0.1])

    adjust_benjamini_hochberg(p)

    assert p.tolist() == [0.3, 0.1]


def test_holm_and_benjamini_yekutieli_by_hand():
    # Holm: 0.01 x 3, 0.03 x 2, 0.04 x 1, then the maximum from the left.
    np.testing.assert_allclose(adjust_holm([0.01, 0.04, 0.03, NAN]), [0.03, 0.06, 0.06, NAN])
    q = adjust_benjamini_yekutieli([0.01, 0.04, 0.03, NAN])
    np.testing.assert_allclose(q, np.array([0.03, 0.04, 0.04, NAN]) * (1 + 1 / 2 + 1 / 3))


@settings(deadline=None)
@given(p_values, st.integers(0, 40))
def test_benjamini_yekutieli_agrees_with_statsmodels_in_a_larger_family(p, n_more):
    padded = [*p, *[1.0] * n_more]

    q = adjust_benjamini_yekutieli(p, n_tests=len(padded))

    expected = multipletests(padded, method="fdr_by")[1][: len(p)]
    np.testing.assert_allclose(q, expected, atol=1e-300)


@pytest.mark.parametrize("n_more", [0, 3])
def test_holm_agrees_with_statsmodels_in_a_larger_family(n_more):
    p = [*np.random.default_rng(0).random(12) ** 4, 0.01, 0.01, 0.0, 1.0]
    padded = [*p, *[1.0] * n_more]

    adjusted = adjust_holm(p, n_tests=len(padded))

    np.testing.assert_allclose(adjusted, multipletests(padded, method="holm")[1][: len(p)])
    assert (adjusted <= adjust_bonferroni(p, n_tests=len(padded))).all()
