"""The SAE a user of HypotheSAEs holds in hand, and several of them side by side."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix, hstack

from interp_embed.errors import InputError
from interp_embed.quickstart.inputs import as_matrix
from interp_embed.records import TrainingReport
from interp_embed.sae import EmbeddingSAE, Origin, SAEWeights, TrainedSAE, load_sae, save_sae


@dataclass(frozen=True, slots=True, eq=False)
class SparseAutoencoder:
    """A trained SAE of embeddings, with the names HypotheSAEs gives to its parts."""

    weights: SAEWeights
    report: TrainingReport | None = None
    """How the training went; None where the file did not say."""
    origin: Origin | None = None
    """What it was trained on; None where the file did not say."""

    @property
    def m_total_neurons(self) -> int:
        """Number of features."""
        return self.weights.n_features

    @property
    def k_active_neurons(self) -> int:
        """Active features a document: at most, or on average with batch top-k."""
        return self.weights.k

    @property
    def input_dim(self) -> int:
        """Width of the embeddings it reads."""
        return self.weights.d_in

    @property
    def prefix_lengths(self) -> list[int]:
        """Matryoshka prefix lengths, the last one the number of features."""
        return list(self.weights.prefixes)

    @property
    def use_batch_topk(self) -> bool:
        """Whether a threshold decides what is active, and not a number a document."""
        return self.weights.threshold is not None

    @property
    def name(self) -> str:
        """What result tables call it, such as ``SAE M=64, K=4``."""
        return f"SAE M={self.m_total_neurons}, K={self.k_active_neurons}"

    def encode(self, embeddings: ArrayLike) -> csr_matrix:
        """Return sparse activations, shape (n_documents, m_total_neurons).

        Raises:
            InputError: The embeddings do not fit this SAE, or are not finite.
        """
        return self.weights.encode(as_matrix(embeddings))

    def get_activations(
        self,
        inputs: ArrayLike,
        batch_size: int = 16384,
        *,
        show_progress: bool = True,
    ) -> NDArray[np.float32]:
        """Return dense activations, shape (n_documents, m_total_neurons).

        ``encode`` gives the same in a fraction of the memory. ``batch_size`` and
        ``show_progress`` change nothing.

        Raises:
            InputError: The embeddings do not fit this SAE, or are not finite.
        """
        dense: NDArray[np.float32] = self.encode(inputs).toarray()
        return dense

    def save(self, save_path: str | Path) -> Path:
        """Write weights and record into a folder (safetensors and JSON) and return it.

        Raises:
            InputError: It was read from a file that does not say how it was trained.
        """
        if self.report is None or self.origin is None:
            raise InputError(
                "this SAE was read from a file of HypotheSAEs, which does not say what it was "
                "trained on; keep that file, or train anew with train_sae"
            )
        save_sae(Path(save_path), TrainedSAE(self.weights, self.report), self.origin)
        return Path(save_path)


def load_model(path: str | Path) -> SparseAutoencoder:
    """Return an SAE from a folder that ``train_sae`` wrote, or from a ``.pt`` file of HypotheSAEs.

    No code in the file is run.

    Raises:
        InputError: There is no such file or folder, or it holds no SAE of embeddings.
        StoredFileError: It is damaged.
    """
    place = Path(path).expanduser()
    if place.is_file():
        return SparseAutoencoder(_read_predecessor(place))
    saved = load_sae(place)
    return SparseAutoencoder(saved.trained.weights, saved.trained.report, saved.origin)


def _read_predecessor(path: Path) -> SAEWeights:
    # Imported here: they bring torch, which nothing else in this package needs.
    from interp_embed.sae import load_pretrained_sae
    from interp_embed.sae.rules import JumpRelu, TopK

    sae = load_pretrained_sae(path, format="hypothesaes")
    if sae.decoder is None or not isinstance(sae.rule, JumpRelu | TopK):
        raise InputError(f"{path} holds no SAE of embeddings; give a checkpoint of HypotheSAEs")
    encoder = sae.encoder.numpy()
    encoder_bias = sae.encoder_bias.numpy()
    threshold = None
    if isinstance(sae.rule, JumpRelu):
        threshold = max(0.0, float(sae.rule.threshold))
    return SAEWeights(
        encoder=np.ascontiguousarray(encoder),
        encoder_bias=np.ascontiguousarray(encoder_bias),
        decoder=np.ascontiguousarray(sae.decoder.numpy()),
        decoder_bias=np.ascontiguousarray(sae.decoder_bias.numpy()),
        k=sae.rule.k if isinstance(sae.rule, TopK) else int(sae.declared.l0 or 1),
        prefixes=(len(encoder),),
        threshold=threshold,
    )


AnySAE = SparseAutoencoder | EmbeddingSAE | TrainedSAE | SAEWeights
"""What the functions here take as an SAE."""


@dataclass(frozen=True, slots=True, eq=False)
class Neurons:
    """The features of one or several SAEs on the same documents, numbered through."""

    activations: csr_matrix
    """Shape (n_documents, n_neurons), the SAEs side by side in the order given."""
    names: tuple[str, ...]
    """Of the SAEs; a name that is taken gets a number."""
    starts: NDArray[np.int64]
    """Index of the first neuron of each SAE, shape (n_saes,)."""

    @classmethod
    def of(cls, sae: AnySAE | Sequence[AnySAE], embeddings: NDArray[np.float32]) -> Self:
        """Return the activations of all SAEs.

        Raises:
            InputError: There is no SAE, or one does not fit the embeddings.
        """
        given = list(sae) if isinstance(sae, list | tuple) else [sae]
        saes = [_understand(one) for one in given]
        if not saes:
            raise InputError("the list of SAEs is empty; give at least one, from train_sae")
        blocks = [one.encode(embeddings) for one in saes]
        counts = [block.shape[1] for block in blocks]
        return cls(
            activations=csr_matrix(hstack(blocks, format="csr")),
            names=_distinct([one.name for one in saes]),
            starts=np.cumsum([0, *counts[:-1]], dtype=np.int64),
        )

    @property
    def n(self) -> int:
        """Number of neurons."""
        return int(self.activations.shape[1])

    def place(self, neuron: int) -> int:
        """Return the position of the SAE a neuron belongs to."""
        return int(np.searchsorted(self.starts, neuron, side="right")) - 1

    def describe(self, neuron: int) -> dict[str, object]:
        """Return the columns that say which neuron of which SAE a row is about."""
        place = self.place(neuron)
        return {
            "neuron_idx": int(neuron),
            "source_sae": self.names[place],
            "source_neuron_idx": int(neuron - self.starts[place]),
        }


def _understand(sae: object) -> SparseAutoencoder:
    if isinstance(sae, SparseAutoencoder):
        return sae
    if isinstance(sae, SAEWeights):
        return SparseAutoencoder(sae)
    if isinstance(sae, TrainedSAE):
        return SparseAutoencoder(sae.weights, sae.report)
    if isinstance(sae, EmbeddingSAE) and hasattr(sae, "weights_"):
        return SparseAutoencoder(sae.weights_, sae.report_)
    why = "an EmbeddingSAE that is not fitted" if isinstance(sae, EmbeddingSAE) else type(sae)
    raise InputError(
        f"sae must be what train_sae returned, or a list of such, but got {why}; "
        "read a checkpoint of HypotheSAEs with load_model"
    )


def _distinct(names: list[str]) -> tuple[str, ...]:
    seen: Counter[str] = Counter()
    out = []
    for name in names:
        seen[name] += 1
        out.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(out)
