"""A language model run up to one layer: hidden states of every token of every document."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from interp_embed._model_files import find_model
from interp_embed._torch_threads import torch_threads
from interp_embed.errors import InputError
from interp_embed.readers.chat import TEMPLATE_DATE, chat_template, check_messages, tokenize_chat
from interp_embed.readers.counting import leave_out_sinks
from interp_embed.readers.cut_model import CutModel, DtypeName
from interp_embed.readers.pieces import Piece, batch_end, cut_pieces
from interp_embed.readers.rules import (
    ChatRule,
    ReadingRules,
    best_device,
    check_choices,
    check_ranges,
    choose_context,
    choose_dtype,
    choose_wrapping,
)
from interp_embed.readers.sites import Site, n_layers_needed, usual_skip_first
from interp_embed.readers.source import Document, HiddenBatch, TokenizedDocument
from interp_embed.readers.tokens import TextTokenizer, check_text, digest_tokenizer, load_tokenizer
from interp_embed.records import Json

logger = logging.getLogger(__name__)

_CPU_BUDGET, _GPU_BUDGET = 2048, 16384
"""On a CPU, larger batches fall out of its cache and are slower."""


class ModelReader:
    """A transformer cut at a layer; make it with :meth:`load`."""

    def __init__(
        self,
        model: CutModel,
        tokenizer: TextTokenizer,
        rules: ReadingRules,
        *,
        identity: Mapping[str, Json],
        token_budget: int,
        threads: int | None = None,
    ) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._rules = rules
        self._identity = dict(identity)
        self._budget = token_budget
        self._threads = threads

    @classmethod
    def load(  # noqa: PLR0913 - each is a choice of its own
        cls,
        name: str,
        *,
        layer: int,
        site: Site = "resid_post",
        revision: str | None = None,
        device: str | None = None,
        dtype: DtypeName = "auto",
        context_size: int | None = None,
        token_budget: int | None = None,
        roles: Sequence[str] | None = None,
        chat: ChatRule = "auto",
        prepend_bos: bool | None = None,
        skip_first: int | None = None,
        max_norm_ratio: float | None = 10.0,
        center: bool = False,
        threads: int | None = None,
    ) -> Self:
        """Load layers 0 to ``layer`` of a model; the layers above are neither fetched nor built.

        Args:
            name: A folder, ``all-MiniLM-L6-v2``, or a name on the hub.
            layer: Counted from 0.
            site: Where in the layer; ``"resid_post"`` is its output, before any final norm.
            revision: Branch, tag or commit on the hub.
            device: Such as ``"cpu"`` or ``"cuda"``; None for the best there is.
            dtype: ``"auto"`` is bfloat16 on CUDA, float32 elsewhere.
            context_size: The most tokens the model sees at once; longer documents are run in
                pieces. None for the model's own limit, 2,048 at most. Use what the SAE was
                trained with.
            token_budget: Tokens of a batch, padding included; None for 2,048 on a CPU, 16,384
                elsewhere. Halved when a GPU runs out of memory.
            roles: Whose turns of a chat count; None for all but system and developer.
            chat: ``"auto"`` reads a text as it is; ``"user"`` and ``"assistant"`` put it into the
                model's chat template as one turn of that role.
            prepend_bos: Whether pieces start with the beginning-of-sequence token; None for
                whether the tokenizer has one.
            skip_first: Positions at the start of what the model reads that do not count, BOS
                included; None for what is usual for the family: 1 for causal models, whose
                position 0 is an attention sink.
            max_norm_ratio: Tokens do not count if their hidden state is longer than so many times
                the median (attention sinks); None to count them.
            center: Subtract the mean over d_in, as TransformerLens' center_writing_weights does
                for models with LayerNorm.
            threads: CPU threads; None for torch's own choice.

        Raises:
            InputError: No such model, layer or site, or an argument out of range.
            StoredFileError: Weights are missing or damaged.
        """
        check_choices(site=site, dtype=dtype, chat=chat, roles=roles)
        check_ranges(
            token_budget=token_budget,
            skip_first=skip_first,
            max_norm_ratio=max_norm_ratio,
            threads=threads,
        )
        found = find_model(name, revision=revision, n_layers=n_layers_needed(layer, site))
        tokenizer = load_tokenizer(found.folder)
        if chat != "auto":
            chat_template(tokenizer.pretrained)
        where = device or best_device()
        with torch_threads(threads):
            model = CutModel.load(
                found.folder, layer=layer, site=site, device=where, dtype=choose_dtype(dtype, where)
            )
        usual = usual_skip_first(model.model_type, is_causal=model.is_causal)
        wrapping = choose_wrapping(tokenizer, prepend_bos=prepend_bos, is_causal=model.is_causal)
        rules = ReadingRules(
            context_size=choose_context(context_size, model, tokenizer, wrapping),
            wrapping=wrapping,
            skip_first=usual if skip_first is None else skip_first,
            max_norm_ratio=max_norm_ratio,
            roles=None if roles is None else tuple(roles),
            chat=chat,
            center=center,
        )
        identity = {
            "kind": "model",
            "model": found.name,
            "revision": found.revision,
            "sha256": found.sha256,
            "tokenizer": digest_tokenizer(found.folder),
            "layer": layer,
            "site": site,
            "dtype": str(model.dtype).removeprefix("torch."),
            "template_date": TEMPLATE_DATE,
            **_plain(rules),
        }
        budget = token_budget or (_CPU_BUDGET if where.startswith("cpu") else _GPU_BUDGET)
        return cls(model, tokenizer, rules, identity=identity, token_budget=budget, threads=threads)

    @property
    def identity(self) -> Mapping[str, Json]:
        """Everything that changes a hidden state or which tokens count; part of cache keys."""
        return dict(self._identity)

    @property
    def d_in(self) -> int:
        """Width of a hidden state."""
        return self._model.d_in

    @property
    def rules(self) -> ReadingRules:
        """How documents are read."""
        return self._rules

    def tokenize(self, document: Document) -> TokenizedDocument:
        """Return a document as tokens.

        Args:
            document: A text, or the messages of a chat (then only their contents count).

        Raises:
            InputError: It is not text (or messages), or has no token that counts.
        """
        if isinstance(document, list | tuple | np.ndarray):
            tokenized = self._tokenize_chat(check_messages(document))
        else:
            text = check_text(document, "the document")
            if self._rules.chat == "auto":
                tokenized = self._tokenize_text(text)
            else:
                tokenized = self._tokenize_chat([{"role": self._rules.chat, "content": text}])
        n_skipped = self._rules.skip_first - len(self._prefix_of(tokenized.token_ids))
        at = np.arange(len(tokenized.token_ids))
        tokenized = replace(tokenized, counted=tokenized.counted & (at >= n_skipped))
        self._check_tokens(tokenized)
        return tokenized

    def iter_hidden(self, documents: Sequence[TokenizedDocument]) -> Iterator[HiddenBatch]:
        """Yield the hidden states of all documents, the tokens of each in order.

        Longest pieces come first. What is batched with what depends on the lengths alone; a
        token's hidden state depends on its document alone, up to rounding.

        Raises:
            InputError: Hidden states are not finite, or one piece does not fit into GPU memory.
        """
        wrapping = self._rules.wrapping
        extra = len(wrapping.prefix) + len(wrapping.suffix)
        left = [len(document.token_ids) for document in documents]
        if 0 in left:
            raise InputError(f"document {left.index(0)} has no tokens; leave it out")
        pieces = cut_pieces(left, room=self._rules.context_size - extra)
        budget = self._budget
        start = 0
        while start < len(pieces):
            end = batch_end(pieces, start, budget=budget, extra=extra)
            try:
                batch = self._run(pieces[start:end], documents)
            except torch.cuda.OutOfMemoryError as error:
                budget = _halve(pieces[start:end], extra, error)
                continue
            for piece in pieces[start:end]:
                left[piece.document] -= len(piece)
            done = {piece.document for piece in pieces[start:end] if not left[piece.document]}
            start = end
            yield replace(batch, finished=tuple(sorted(done)))

    def _run(self, pieces: Sequence[Piece], documents: Sequence[TokenizedDocument]) -> HiddenBatch:
        rows = [documents[piece.document].token_ids[piece.begin : piece.end] for piece in pieces]
        prefixes = [self._prefix_of(row) for row in rows]
        suffix = np.array(self._rules.wrapping.suffix, dtype=np.int32)
        with torch_threads(self._threads):
            padded = self._model.run(
                [
                    np.concatenate([np.array(prefix, dtype=np.int32), row, suffix])
                    for prefix, row in zip(prefixes, rows, strict=True)
                ]
            )
            longest = padded.shape[1]
            place = [  # of each token in its row, what is put around it counted
                np.arange(len(prefix), len(prefix) + len(row))
                for prefix, row in zip(prefixes, rows, strict=True)
            ]
            flat = np.concatenate([i * longest + at for i, at in enumerate(place)])
            index = torch.from_numpy(flat).to(padded.device)
            hidden = padded.reshape(-1, padded.shape[-1])[index]  # (n_tokens, d_in)
            if self._rules.center:
                hidden = hidden - hidden.mean(dim=-1, keepdim=True, dtype=torch.float32).to(
                    hidden.dtype
                )
            norms = torch.linalg.vector_norm(hidden, dim=-1, dtype=torch.float32).cpu().numpy()
        counted = np.concatenate(
            [documents[piece.document].counted[piece.begin : piece.end] for piece in pieces]
        )
        counted = leave_out_sinks(
            norms,
            counted & (np.concatenate(place) >= self._rules.skip_first),
            [len(row) for row in rows],
            max_ratio=self._rules.max_norm_ratio,
        )
        return HiddenBatch(
            hidden=hidden,
            document=np.repeat([piece.document for piece in pieces], [len(row) for row in rows]),
            position=np.concatenate([np.arange(piece.begin, piece.end) for piece in pieces]),
            counted=counted,
            finished=(),
        )

    def _prefix_of(self, ids: NDArray[np.int32]) -> tuple[int, ...]:
        """Return what is put before a piece: nothing if a chat template has done so already."""
        prefix = self._rules.wrapping.prefix
        return () if tuple(ids[: len(prefix)]) == prefix else prefix

    def _tokenize_text(self, text: str) -> TokenizedDocument:
        tokens = self._tokenizer.encode(text)
        counted = tokens.span[:, 1] > tokens.span[:, 0]
        return TokenizedDocument(text=text, token_ids=tokens.ids, span=tokens.span, counted=counted)

    def _tokenize_chat(self, messages: list[dict[str, str]]) -> TokenizedDocument:
        return tokenize_chat(messages, self._tokenizer, roles=self._rules.roles)

    def _check_tokens(self, document: TokenizedDocument) -> None:
        ids = document.token_ids
        if not document.counted.any():
            raise InputError(
                f"the document has no token that counts: it is {document.text!r:.60}, {len(ids)} "
                f"tokens, of which the first {self._rules.skip_first} that the model reads are "
                "left out; leave the document out, or use skip_first=0"
            )
        if ids.max() >= self._model.n_tokens_known:
            raise InputError(
                f"the tokenizer gives token {ids.max()}, and the model knows "
                f"{self._model.n_tokens_known}: they do not belong together"
            )


def _halve(pieces: Sequence[Piece], extra: int, error: BaseException) -> int:
    """Return a token budget of half a batch that did not fit."""
    longest = len(pieces[0]) + extra
    if len(pieces) == 1:
        raise InputError(
            f"one piece of {longest} tokens does not fit into GPU memory; use a smaller "
            "context_size, dtype='bfloat16', or another device"
        ) from error
    budget = len(pieces) // 2 * longest
    logger.warning("GPU memory is full; going on with %d tokens at a time", budget)
    torch.cuda.empty_cache()
    return budget


def _plain(rules: ReadingRules) -> dict[str, Json]:
    """Return the rules as JSON, tuples as lists."""
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in asdict(rules).items()
        if key != "wrapping"
    } | {"prefix": list(rules.wrapping.prefix), "suffix": list(rules.wrapping.suffix)}
