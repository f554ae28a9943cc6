"""Embeddings from any server that speaks the OpenAI ``/embeddings`` protocol."""

import logging
import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from openai import APIConnectionError, APIError, APIStatusError, OpenAI

from interp_embed._servers import find_server
from interp_embed.embedders.protocol import Progress
from interp_embed.embedders.sentence import readable
from interp_embed.errors import InputError
from interp_embed.records import Json

logger = logging.getLogger(__name__)

_MAX_CHARACTERS = 400_000
"""Characters in one request: about 100 K tokens, a third of what OpenAI accepts."""
_RETRIED = frozenset({408, 409, 429, 500, 502, 503, 504})
_MAX_ATTEMPTS = 6
_MAX_WAIT_S = 60.0


class OpenAIEmbedder:
    """A model behind an OpenAI-compatible ``/embeddings`` endpoint, asked one batch at a time."""

    is_slow = True

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        batch_size: int = 128,
        dimensions: int | None = None,
        prompt: str = "",
        timeout_s: float = 60.0,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        """Prepare a client; nothing is sent yet.

        Args:
            model: Name the server knows, such as ``text-embedding-3-small``.
            base_url: None for ``OPENAI_BASE_URL``, or else OpenAI (or OpenRouter, if only its
                key is set).
            api_key: None for the first of ``OPENAI_API_KEY``, ``OPENAI_KEY_SAE`` and
                ``OPENROUTER_API_KEY`` that is set. Never logged or stored.
            batch_size: Documents in one request, which is also what a kill may cost.
            dimensions: Ask for shorter vectors, where the model can.
            prompt: Put before every document.
            timeout_s: Seconds one request may take.
            wait: How to wait, in seconds, between attempts.

        Raises:
            InputError: There is no key for a server that needs one, or a number is out of range.
        """
        if batch_size < 1 or timeout_s <= 0 or (dimensions is not None and dimensions < 1):
            raise InputError(
                "batch_size, timeout_s and dimensions must be above 0, got "
                f"batch_size={batch_size}, timeout_s={timeout_s}, dimensions={dimensions}"
            )
        self._model = model
        self._prompt = prompt
        self._dimensions = dimensions
        self._d_in: int | None = dimensions
        self._wait = wait
        server = find_server(
            base_url, api_key, without="without a key use the embedder 'minilm' or 'tfidf'"
        )
        self._base_url = server.base_url
        self.chunk_size = batch_size
        self._client = OpenAI(
            api_key=server.key, base_url=server.base_url, max_retries=0, timeout=timeout_s
        )

    @property
    def identity(self) -> Mapping[str, Json]:
        """Everything that changes a vector; the key is no part of it."""
        return {
            "kind": "openai",
            "model": self._model,
            "base_url": self._base_url,
            "dimensions": self._dimensions,
            "prompt": self._prompt,
        }

    @property
    def d_in(self) -> int:
        """Dimensions of a vector, known from the first answer on.

        Raises:
            InputError: Nothing has been embedded yet, and no ``dimensions`` were asked for.
        """
        if self._d_in is None:
            raise InputError(
                f"how long the vectors of {self._model} are is known after the first answer; "
                "embed a document first, or give dimensions="
            )
        return self._d_in

    def fit(self, documents: Sequence[str]) -> Self:
        """Return the embedder as it is: it is pretrained."""
        return self

    def embed(
        self, documents: Sequence[str], *, progress: Progress | None = None
    ) -> NDArray[np.float32]:
        """Return vectors in the order of the documents, shape (n_documents, d_in).

        Raises:
            InputError: The server refused, could not be reached, or gave an unusable answer.
        """
        texts = [readable(self._prompt + document) for document in documents]
        blocks = []
        for start, end in _requests(texts, self.chunk_size):
            blocks.append(self._ask(texts[start:end]))
            if progress is not None:
                progress(end - start)
        return np.concatenate(blocks) if blocks else np.empty((0, self.d_in), dtype=np.float32)

    def _ask(self, texts: list[str]) -> NDArray[np.float32]:
        for attempt in range(1, _MAX_ATTEMPTS + 1):
            try:
                answer = self._request(texts)
            except APIError as error:
                seconds = _seconds_to_wait(error, attempt)
                if seconds is None or attempt == _MAX_ATTEMPTS:
                    raise self._refused(error, attempt) from error
                logger.info("%s: %s; trying again in %.1f s", self._model, _say(error), seconds)
                self._wait(seconds)
            else:
                return self._read(answer, len(texts))
        raise RuntimeError("unreachable")  # pragma: no cover

    def _request(self, texts: list[str]) -> Any:  # noqa: ANN401 - checked by _read
        if self._dimensions is None:
            return self._client.embeddings.create(
                model=self._model, input=texts, encoding_format="float"
            )
        return self._client.embeddings.create(
            model=self._model, input=texts, encoding_format="float", dimensions=self._dimensions
        )

    def _refused(self, error: APIError, attempts: int) -> InputError:
        return InputError(
            f"{self._base_url} gave no embeddings from {self._model!r} after {attempts} "
            f"attempt{'s' if attempts > 1 else ''}: {_say(error)}; what was embedded before is "
            "kept in the cache, so that running the same again goes on from there"
        )

    def _read(self, answer: Any, n: int) -> NDArray[np.float32]:  # noqa: ANN401 - from outside
        items = getattr(answer, "data", None) or []
        if sorted(item.index for item in items) != list(range(n)):
            raise InputError(
                f"{self._model!r} was asked for {n} embeddings and answered {len(items)}, or "
                "numbered them wrongly; nothing of this batch was kept; try a smaller batch_size"
            )
        ordered = sorted(items, key=lambda item: item.index)
        lengths = {len(item.embedding) for item in ordered}
        expected = {self._d_in} if self._d_in is not None else lengths
        if len(lengths) != 1 or lengths != expected or lengths == {0}:
            raise InputError(
                f"{self._model!r} answered vectors of {sorted(lengths)} dimensions where "
                f"{sorted(expected)} were expected; check model and dimensions="
            )
        vectors = np.array([item.embedding for item in ordered], dtype=np.float32)
        if not np.isfinite(vectors).all():
            raise InputError(
                f"{self._model!r} answered NaN or infinite values; nothing of this batch was kept"
            )
        self._d_in = vectors.shape[1]
        return vectors


def _requests(texts: Sequence[str], batch_size: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of texts for one request each, bounded in number and in characters."""
    start, characters = 0, 0
    for position, text in enumerate(texts):
        full = position - start == batch_size or characters + len(text) > _MAX_CHARACTERS
        if position > start and full:
            yield start, position
            start, characters = position, 0
        characters += len(text)
    if start < len(texts):
        yield start, len(texts)


def _seconds_to_wait(error: APIError, attempt: int) -> float | None:
    """Return how long to wait before another attempt; None where none can help."""
    if isinstance(error, APIStatusError):
        if error.status_code not in _RETRIED or error.code == "insufficient_quota":
            return None
        asked = error.response.headers.get("retry-after", "")
        try:
            seconds = float(asked)
        except ValueError:
            seconds = math.nan
        if seconds >= 0:
            return seconds if seconds <= _MAX_WAIT_S else None
    elif not isinstance(error, APIConnectionError):
        return None
    jitter = random.uniform(0.5, 1.0)  # noqa: S311 - spreads attempts, decides nothing
    return min(_MAX_WAIT_S, 2.0 ** (attempt - 1)) * jitter


def _say(error: APIError) -> str:
    status = f"HTTP {error.status_code}: " if isinstance(error, APIStatusError) else ""
    return status + str(error.message)[:300]
