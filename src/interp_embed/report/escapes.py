"""Text as LaTeX and Markdown take it: every character stands for itself."""

import re

from interp_embed.plots.characters import visible

_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "%": r"\%",
    "#": r"\#", "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "`": r"\textasciigrave{}",
    "[": "{[}", "]": "{]}", "*": "{*}",  # behind \\ they would be read as its options
    "\u201c": r"\textquotedblleft{}", "\u201d": r"\textquotedblright{}", "\u201e": ",,",
    "\u2018": r"\textquoteleft{}", "\u2019": r"\textquoteright{}",
    "\u2013": "--", "\u2014": "---", "\u2026": r"\ldots{}", "\u00a0": "~", "\u00ad": r"\-",
    "\u2212": "$-$", "\u2264": r"$\leq$", "\u2265": r"$\geq$", "\u00b2": "$^2$",
    "\u00b7": r"$\cdot$",
}  # fmt: skip
_LIGATURES = r"-(?=-)|'(?=')|,(?=,)"
"""Two of these become another sign, unless something stands between them."""
_LATEX_PATTERN = re.compile("|".join((_LIGATURES, *map(re.escape, _LATEX))))
_MARKDOWN = re.compile(r"([\\`*_\[\]|~#$])")


def latex_text(text: str) -> str:
    r"""Return text that LaTeX prints as it is; straight double quotes become pairs of curly ones.

    >>> latex_text("50% of A_1 & {B}")
    '50\\% of A\\_1 \\& \\{B\\}'

    Line ends become spaces. Letters of other scripts stay: they need a font that has them.
    """
    spaced = re.sub(r"[\t\r\n]+", " ", visible(text))
    return _LATEX_PATTERN.sub(lambda found: _LATEX.get(found[0], f"{found[0]}{{}}"), _curly(spaced))


def markdown_text(text: str) -> str:
    r"""Return text that Markdown shows as it is, in a cell of a table too.

    >>> markdown_text("a|b *c*")
    'a\\|b \\*c\\*'
    """
    spaced = re.sub(r"[\t\r\n]+", " ", visible(text))
    shown = spaced.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKDOWN.sub(r"\\\1", shown)


def _curly(text: str) -> str:
    """Return the text with straight double quotes opened and closed in turn."""
    parts = text.split('"')
    signs = ("\u201c", "\u201d")
    return "".join(
        part if place == 0 else signs[(place - 1) % 2] + part for place, part in enumerate(parts)
    )
