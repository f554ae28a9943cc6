"""The key of a call: the SHA-256 of all that makes its answer, written as one line of JSON."""

import json
from collections.abc import Mapping

from interp_embed._fingerprint import digest_text
from interp_embed.errors import InputError
from interp_embed.llm.records import Message, Request
from interp_embed.records import Json


def request_key(request: Request, identity: Mapping[str, Json]) -> str:
    """Return the key of a request to a model: the digest of :func:`request_json`.

    Raises:
        InputError: A parameter cannot be written as JSON.
    """
    return digest_text(request_json(request, identity))


def request_json(request: Request, identity: Mapping[str, Json]) -> str:
    """Return what is asked of whom, as the store keeps it: canonical, no API key, no address.

    The order of parameters does not matter; that of a schema's properties does, as it is the order
    of the answer. The request's ``kind`` names the prompt, which is here itself.

    Args:
        request: The question.
        identity: Everything of the model that changes an answer (``LLM.identity``).

    Raises:
        InputError: A parameter cannot be written as JSON.
    """
    content = {
        "identity": _sorted(identity),
        "max_tokens": request.max_tokens,
        "messages": [
            {"role": message.role, "content": message.content} for message in request.messages
        ],
        "parameters": _sorted(request.parameters),
        "sample": request.sample,
        "schema": request.schema,
        "temperature": None if request.temperature is None else float(request.temperature),
    }
    return _dump(content, sort_keys=False)


def read_request(text: str, *, kind: str) -> Request:
    """Return the request that :func:`request_json` wrote; its ``kind`` is not part of that."""
    content = json.loads(text)
    return Request(
        kind,
        tuple(Message(turn["role"], turn["content"]) for turn in content["messages"]),
        content["max_tokens"],
        schema=content["schema"],
        temperature=content["temperature"],
        sample=content["sample"],
        parameters=content["parameters"],
    )


def _sorted(settings: Mapping[str, Json]) -> Json:
    return json.loads(_dump(settings, sort_keys=True))


def _dump(content: Mapping[str, Json], *, sort_keys: bool) -> str:
    try:
        return json.dumps(
            content, sort_keys=sort_keys, ensure_ascii=False, allow_nan=False, default=_plain
        )
    except (TypeError, ValueError) as error:
        raise InputError(
            f"a request or a model's parameters cannot be written as JSON ({error}); use numbers, "
            "strings, booleans, None, lists and dicts"
        ) from error


def _plain(value: Json) -> Json:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
