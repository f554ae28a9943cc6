"""Learn features that bear on a target: several SAEs, aimed at it, pooled into one."""

from dataclasses import dataclass, replace
from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix
from tqdm.auto import tqdm

from interp_embed.errors import InputError
from interp_embed.hypotheses.aim import Aim
from interp_embed.hypotheses.choose_features import check_targets
from interp_embed.hypotheses.pool import pool_saes
from interp_embed.records import TrainingReport
from interp_embed.sae import SAEWeights, TrainedSAE, TrainingSettings, train_sae
from interp_embed.sae.matrix import check_embeddings
from interp_embed.sae.rows import Rows
from interp_embed.sae.weights import measure_reconstruction

_LEAST_SIZE = 32


@dataclass(frozen=True, slots=True)
class FeatureSettings:
    """What is trained, and how far it is aimed at the target."""

    training: TrainingSettings
    """Of the largest SAE; its seed is replaced."""
    granularities: int = 3
    """SAEs of halved size and sparsity beside it, it included: coarse concepts and fine ones."""
    repeats: int = 2
    """Times each is trained, from seeds of their own."""
    target_weight: float = 0.4
    """Variance of a wholly predictable target, in standard deviations of the embedding; 0: the
    target takes no part in the training."""
    merge_above: float = 0.9
    """Correlation of activations above which features of two SAEs count as one, in (0, 1]."""

    def __post_init__(self) -> None:
        """Check what can be checked without the data.

        Raises:
            InputError: A value is out of range.
        """
        for name in ("granularities", "repeats"):
            value: object = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
                raise InputError(f"{name} must be a whole number of at least 1, but got {value!r}")
        weight: object = self.target_weight
        if not isinstance(weight, Real) or not 0 <= float(weight) < float("inf"):
            raise InputError(f"target_weight must be finite and at least 0, but got {weight!r}")
        if not 0 < self.merge_above <= 1:
            raise InputError(
                f"merge_above must lie above 0 and at most at 1, got {self.merge_above}"
            )
        if self.training.rule != "batch_topk" and len(self.trainings(seed=0)) > 1:
            raise InputError(
                "only SAEs of the rule 'batch_topk' can be pooled; "
                "use it, or granularities=1 and repeats=1"
            )

    def trainings(self, *, seed: int) -> tuple[TrainingSettings, ...]:
        """Return the settings of each SAE, the largest first; halving ends at 32 features."""
        sizes = [self.training]
        while len(sizes) < self.granularities and sizes[-1].n_features >= 2 * _LEAST_SIZE:
            sizes.append(_halved(sizes[-1]))
        return tuple(
            replace(size, seed=seed * self.repeats + repeat)
            for repeat in range(self.repeats)
            for size in sizes
        )


@dataclass(frozen=True, slots=True, eq=False)
class LearnedFeatures:
    """Features of a target, in one ordinary SAE on the embedding."""

    sae: TrainedSAE
    """Every feature of the pool; its report is that of the largest SAE."""
    activations: csr_matrix
    """Of the documents it was learned on, shape (n_documents, n_features): what is to be selected
    and labelled by. Each document's target was predicted from others, as that of new documents
    is, so that these are not better than those that ``encode`` gives of new documents."""
    source: NDArray[np.int64]
    """SAE each feature is from, by its position in ``saes``, shape (n_features,)."""
    stability: NDArray[np.float64]
    """How well each feature is found again by the other SAEs: the correlation of its activations
    with the most like ones there, on average, in [0, 1], shape (n_features,); NaN for one SAE."""
    saes: tuple[TrainedSAE, ...]
    """Those that were pooled, each an ordinary SAE on the embedding."""
    n_merged: int
    """Features left out because one of another SAE does the same."""

    @property
    def report(self) -> TrainingReport:
        """How the training of the largest SAE went."""
        return self.sae.report

    def encode(self, embeddings: ArrayLike, *, threads: int = 1) -> csr_matrix:
        """Return activations of new documents, shape (n_documents, n_features)."""
        return self.sae.weights.encode(embeddings, threads=threads)


def learn_features(
    embeddings: ArrayLike,
    targets: ArrayLike,
    *,
    settings: FeatureSettings,
    groups: ArrayLike | None = None,
    seed: int = 0,
    progress: bool = False,
) -> LearnedFeatures:
    """Return features of the embeddings that bear on the targets.

    SAEs of several sizes and seeds are trained on the embedding with, as one more column a target,
    what ridge regression predicts of it out of fold; that makes features tell apart what the
    target tells apart. The column is then folded into the encoder, and the SAEs are pooled.

    Args:
        embeddings: Discover documents, shape (n_documents, d_in); no other may be used.
        targets: Shape (n_documents,) or (n_documents, n_targets), finite, none constant.
        settings: What to train.
        groups: Documents of one group are predicted from other groups, shape (n_documents,).
        seed: Of the SAEs and of the folds.
        progress: Show progress bars on the standard error stream.

    Raises:
        InputError: The embeddings or targets cannot be learned from, or do not fit the settings.

    Source: SAEs for hypotheses, Movva et al. 2025, arXiv 2502.04382; there one SAE is trained
    without the target. That several seeds find different features: Paulo and Belrose 2025, arXiv
    2501.16615.
    """
    matrix = check_embeddings(embeddings)
    columns = check_targets(targets, len(matrix))
    numbers = np.arange(len(matrix)) if groups is None else np.asarray(groups)
    aim = Aim.fit(matrix, columns, numbers, weight=settings.target_weight, seed=seed)
    aimed = np.hstack([matrix, aim.columns])
    trainings = settings.trainings(seed=seed)
    bar = tqdm(trainings, desc="training SAEs", unit="SAE", disable=not progress)
    trained = [train_sae(aimed, training) for training in bar]
    pooled = pool_saes([sae.weights for sae in trained], aimed, merge_above=settings.merge_above)
    folded = [TrainedSAE(aim.fold(sae.weights), sae.report) for sae in trained]
    weights = folded[0].weights if len(folded) == 1 else aim.fold(pooled.weights)
    return LearnedFeatures(
        sae=TrainedSAE(weights, _measured(trained[0].report, weights, matrix)),
        activations=pooled.activations,
        source=pooled.source,
        stability=pooled.stability,
        saes=tuple(folded),
        n_merged=pooled.n_merged,
    )


def _halved(training: TrainingSettings) -> TrainingSettings:
    n_features = training.n_features // 2
    prefixes = tuple(prefix for prefix in training.prefixes if prefix < n_features)
    return replace(
        training, n_features=n_features, k=max(1, training.k // 2), prefixes=(*prefixes, n_features)
    )


def _measured(
    report: TrainingReport, weights: SAEWeights, matrix: NDArray[np.float32]
) -> TrainingReport:
    """Return the report with the error, sparsity and dead features of the pool."""
    found = measure_reconstruction(weights, Rows(matrix))
    return replace(
        report,
        train_nmse=found.nmse,
        mean_active=float(found.density.sum()),
        n_dead=int((found.density == 0).sum()),
    )
