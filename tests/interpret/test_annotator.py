import numpy as np
import pytest

from interp_embed.errors import InputError
from interp_embed.interpret import KeywordAnnotator, RuleAnnotator

DOCUMENTS = ["cold soup", "warm soup"]
CONCEPTS = ['mentions "cold"', "is nice"]
ONLY = np.array([[True, False], [False, True]])


@pytest.mark.parametrize("annotator", [KeywordAnnotator(), RuleAnnotator()])
def test_pairs_that_are_not_wanted_have_neither_verdict_nor_reason(annotator):
    answer = annotator.annotate(DOCUMENTS, CONCEPTS, only=ONLY)

    np.testing.assert_array_equal(answer.verdicts, [[1, np.nan], [np.nan, np.nan]])
    assert list(answer.reasons) == [(1, 1)]


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(InputError, match=r"shape \(2, 2\), .* but is bool of shape \(2, 1\)"):
        KeywordAnnotator().annotate(DOCUMENTS, CONCEPTS, only=ONLY[:, :1])
    with pytest.raises(InputError, match="boolean array .* but is int64"):
        KeywordAnnotator().annotate(DOCUMENTS, CONCEPTS, only=ONLY.astype(np.int64))
