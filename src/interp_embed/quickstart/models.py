"""The language models a call uses: opened by name, their answers kept, one budget for all."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from interp_embed._cache_names import safe_file_name
from interp_embed._files import cache_root
from interp_embed.errors import InputError
from interp_embed.llm import LLM, AnswerStore, Budget, OpenAILLM
from interp_embed.records import Json

_log = logging.getLogger(__name__)

KEYWORDS = "keywords"
"""Named as a model: labels and verdicts by words, without any language model."""
_DEFAULT_TIMEOUT_S = 120.0
_NOT_SENT = frozenset(
    {"tokenizer_kwargs", "llm_sampling_kwargs", "max_retries", "backoff_factor", "model"}
)
_CEILINGS = frozenset({"max_tokens", "max_output_tokens", "max_completion_tokens"})


@dataclass(frozen=True, slots=True)
class CallOptions:
    """What a user wants sent with each request, in the words of Chat Completions."""

    parameters: Mapping[str, Json] = field(default_factory=dict)
    temperature: float | None = None
    """None: where it was not said."""
    timeout_s: float = _DEFAULT_TIMEOUT_S

    @classmethod
    def read(
        cls, kwargs: Mapping[str, Json] | None, *, name: str, timeout_s: float | None = None
    ) -> Self:
        """Return what HypotheSAEs' ``*_llm_kwargs`` ask for.

        ``reasoning={"effort": ...}`` and ``text={"verbosity": ...}`` of the Responses API become
        ``reasoning_effort`` and ``verbosity``. A ceiling of tokens is left out: requests carry a
        tight one that is doubled where an answer was cut off.

        Raises:
            InputError: It is no mapping, or the timeout is not above 0.
        """
        if kwargs is not None and not isinstance(kwargs, Mapping):
            raise InputError(f"{name} must be a dict of parameters, but got {kwargs!r}")
        given = dict(kwargs or {})
        seconds = given.pop("timeout", None) if timeout_s is None else timeout_s
        if seconds is not None and not (isinstance(seconds, int | float) and 0 < seconds < 86_400):
            raise InputError(f"a timeout must be seconds above 0, but got {seconds!r}")
        unused = sorted((_NOT_SENT | _CEILINGS) & given.keys())
        if unused:
            _log.warning("%s: %s not needed, ignored", name, ", ".join(unused))
        for nested, inner, plain in (
            ("reasoning", "effort", "reasoning_effort"),
            ("text", "verbosity", "verbosity"),
        ):
            value = given.get(nested)
            if isinstance(value, Mapping) and inner in value:
                del given[nested]
                given.setdefault(plain, value[inner])
        temperature = given.pop("temperature", None)
        sent = {key: value for key, value in given.items() if key not in unused}
        sent.pop("timeout", None)
        return cls(sent, temperature, float(seconds or _DEFAULT_TIMEOUT_S))


@dataclass(frozen=True, slots=True)
class Cache:
    """Where answers are kept."""

    name: str | None = None
    """Of the file; None for the one all calls share."""
    folder: str | Path | None = None
    """None for ``$INTERP_EMBED_CACHE``, or else the user's cache folder."""

    def open(self) -> AnswerStore:
        """Open the file, ``annotations/NAME.sqlite`` in the folder, or else the user's own.

        Raises:
            InputError: The name is empty.
            StoredFileError: The file cannot be used.
        """
        if self.name is None and self.folder is None:
            return AnswerStore.open(None)
        root = cache_root() if self.folder is None else Path(self.folder)
        name = "answers" if self.name is None else safe_file_name(self.name)
        place = root.expanduser() / "annotations"
        place.mkdir(parents=True, exist_ok=True)
        return AnswerStore.open(place / f"{name}.sqlite")


@dataclass(slots=True)
class Models:
    """Opens language models for one call of the quickstart."""

    llm: LLM | None
    """The user's own, used for everything; None: opened by name."""
    base_url: str | None
    api_key: str | None = field(repr=False)
    max_cost: float | None
    """Dollars for the whole call; None: no limit."""
    cache: Cache
    dry_run: bool = False
    """Nothing will be sent: no key is needed."""
    _budget: Budget | None = field(default=None, init=False)
    _store: AnswerStore | None = field(default=None, init=False)
    _opened: list[OpenAILLM] = field(default_factory=list, init=False)

    def open(self, model: str, *, n_workers: int, timeout_s: float) -> LLM:
        """Return a language model by its name, asked at most ``n_workers`` times at once.

        Raises:
            InputError: A number is out of range, or there is no key for the server.
            StoredFileError: The file of answers cannot be used.
        """
        if self.llm is not None:
            return self.llm
        if n_workers < 1:
            raise InputError(f"the number of workers must be at least 1, but got {n_workers}")
        if self._store is None:
            self._store = self.cache.open()
        opened = OpenAILLM(
            resolve_model(model),
            base_url=self.base_url,
            api_key="dry run" if self.dry_run else self.api_key,
            store=self._store,
            max_cost=self._shared_budget(),
            max_in_flight=n_workers,
            timeout_s=timeout_s,
        )
        self._opened.append(opened)
        return opened

    def _shared_budget(self) -> Budget | None:
        """Return what all models of the call may spend together."""
        if self._budget is None and self.max_cost is not None and not self.dry_run:
            self._budget = Budget(self.max_cost)
        return self._budget

    def close(self) -> None:
        """Close connections and the file of answers; a model of the user's own stays open."""
        while self._opened:
            self._opened.pop().close()
        if self._store is not None:
            self._store.close()
            self._store = None


def resolve_model(name: str) -> str:
    """Return the name a server knows for one of HypotheSAEs' short names.

    >>> resolve_model("gpt4o-mini")
    'gpt-4o-mini'
    """
    return re.sub(r"^gpt(?=\d)", "gpt-", name)
