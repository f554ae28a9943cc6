"""Names and texts stand in sentences as one would write them."""

import pytest

from interp_embed.analysis import find_duplicates
from interp_embed.analysis.plain_values import quoted


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tone", "'tone'"),
        ("don't", '"don\'t"'),
        ('mentions "tax"', "'mentions \"tax\"'"),
        ('mentions "don\'t"', '\u201cmentions "don\'t"\u201d'),
        ("C:\\logs", "'C:\\logs'"),
        ("two\nlines \u202e", "'two\\nlines \\u202e'"),
        ("naïve 東京", "'naïve 東京'"),
        ("", "''"),
    ],
)
def test_a_quotation_shows_the_text_and_escapes_no_marks(text, expected):
    assert quoted(text) == expected


def test_summaries_quote_both_kinds_of_marks():
    text = 'She said "don\'t" and left.'

    assert f"\u201c{text}\u201d" in find_duplicates([text, text]).summary()
