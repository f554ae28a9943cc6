"""The text of a document, whichever way it is given."""

from collections.abc import Mapping, Sequence


def document_text(document: object) -> str:
    r"""Return a text as it is, and the contents of a chat's messages joined by newlines.

    What is neither gives an empty text; tokenizing it tells what is wrong with it.

    >>> document_text([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes?"}])
    'Hi\nYes?'
    """
    if isinstance(document, str):
        return document
    if not isinstance(document, Sequence) or isinstance(document, bytes):
        return ""
    contents = (turn.get("content") for turn in document if isinstance(turn, Mapping))
    return "\n".join(content for content in contents if isinstance(content, str))
