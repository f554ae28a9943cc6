"""What of an exchange with a server is worth keeping, as the store keeps it."""

import time
from dataclasses import replace

from interp_embed.llm.answers_rows import StoredCall
from interp_embed.llm.keys import request_json
from interp_embed.llm.records import Request
from interp_embed.llm.replies import Good, Refused, TooLong
from interp_embed.llm.sender import Sent, Server
from interp_embed.llm.tokens import estimate_request


def as_stored(
    server: Server, key: str, request: Request, sent: Sent, *, attempts: int = 1
) -> StoredCall | None:
    """Return an answer, a refusal or a text too long as a call; None for what may pass."""
    meaning = sent.meaning
    if isinstance(meaning, Good):
        finish = "refused" if meaning.refusal else meaning.finish_reason
        return replace(
            _call(server, key, request, meaning.text, finish),
            refusal=meaning.refusal,
            use=meaning.use,
            cost_usd=sent.cost_usd,
            attempts=attempts,
            latency_s=sent.latency_s,
        )
    if isinstance(meaning, Refused | TooLong):
        kind = "refused" if isinstance(meaning, Refused) else "too_long"
        reason = server.address.redact(meaning.reason)
        return replace(_call(server, key, request, "", kind), refusal=reason)
    return None


def is_eaten(meaning: object) -> bool:
    """Return whether hidden reasoning took the whole ceiling of an answer."""
    return (
        isinstance(meaning, Good)
        and meaning.finish_reason == "length"
        and not meaning.text.strip()
        and not meaning.refusal
    )


def _call(server: Server, key: str, request: Request, text: str, finish: str) -> StoredCall:
    return StoredCall(
        key=key,
        provider=server.address.provider,
        model=server.model,
        kind=request.kind,
        request=request_json(request, server.identity),
        text=text,
        finish_reason=finish,
        estimated_tokens=estimate_request(request),
        created_at=time.time(),
    )
