"""Text that any file can hold: what cannot be written or seen is replaced by what can."""

_REPLACEMENT = "\ufffd"
_CONTROL_PICTURES = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\t\n\r"}
_VISIBLE = {
    **_CONTROL_PICTURES,
    0x7F: "\u2421",
    **dict.fromkeys(range(0x80, 0xA0), _REPLACEMENT),
    **dict.fromkeys(range(0xD800, 0xE000), _REPLACEMENT),
    **dict.fromkeys((0x202D, 0x202E), _REPLACEMENT),  # they make text read backwards
    0xFFFE: _REPLACEMENT,
    0xFFFF: _REPLACEMENT,
}


def visible(text: str) -> str:
    """Return the text with control characters and half characters replaced by visible signs.

    The result has the same length, so that character positions stay valid, and can be written
    as UTF-8. Tabs and line ends stay; so do the marks of right-to-left scripts, except the two
    that force a direction on other text.

    >>> visible("bell" + chr(7) + " half" + chr(0xD83D))
    'bell␇ half�'
    """
    return text.translate(_VISIBLE)
