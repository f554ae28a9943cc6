"""What a notebook hands over, as aligned rows that can be used, with a count of the others."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interp_embed.errors import InputError
from interp_embed.hypotheses import Target, understand_target
from interp_embed.records import DroppedDocument
from interp_embed.sae.matrix import check_embeddings
from interp_embed.tables import collect_documents


@dataclass(frozen=True, slots=True, eq=False)
class UsableTexts:
    """Texts that can be used, with their rows and vectors."""

    texts: tuple[str, ...]
    rows: NDArray[np.int64]
    """Position of each text in what was given, ascending, shape (n_texts,)."""
    embeddings: NDArray[np.float32]
    """Shape (n_texts, d_in); d_in is 0 where none were given."""
    target: NDArray[np.float64]
    """Shape (n_texts,), finite; 0 everywhere where there are no labels."""
    understood: Target | None
    """How the labels were understood."""
    dropped: tuple[DroppedDocument, ...]
    """The other rows, in order."""

    @property
    def is_binary(self) -> bool:
        """Whether the target has two classes."""
        return self.understood is not None and self.understood.kind == "binary"

    def told(self) -> str:
        """Return in words what was left out; empty if nothing was."""
        if not self.dropped:
            return ""
        reasons = Counter(drop.reason for drop in self.dropped).most_common()
        told = "; ".join(f"{count} x {reason}" for reason, count in reasons)
        return f"Left out {len(self.dropped)} of {len(self.texts) + len(self.dropped)} rows: {told}"


def collect_rows(
    texts: Sequence[object],
    *,
    labels: Sequence[object] | None = None,
    embeddings: ArrayLike | None = None,
    classification: bool | None = None,
) -> UsableTexts:
    """Return the rows whose text, and label if there are labels, can be used.

    Args:
        texts: One a row; None, NaN, other types and blank texts are left out.
        labels: One a row: numbers, or two classes in any spelling; missing ones are left out.
        embeddings: One vector a row, those of rows that are left out included.
        classification: Whether the labels are two classes; None: told from all of them.

    Raises:
        InputError: Lengths differ, the labels cannot be understood, a vector that is needed is
            not finite, or nothing is left.
    """
    collected = collect_documents(texts)
    n = len(collected.texts) + len(collected.dropped)
    dropped = {drop.row: drop for drop in collected.dropped}
    understood = None
    if labels is not None:
        understood = _understand(labels, n, classification=classification)
        dropped = {drop.row: drop for drop in understood.dropped} | dropped
    kept = [i for i, row in enumerate(collected.rows.tolist()) if row not in dropped]
    if not kept:
        raise InputError(f"none of {n} rows can be used; {_most_common(dropped)}")
    rows = collected.rows[kept]
    vectors = np.empty((len(rows), 0), np.float32)
    if embeddings is not None:
        vectors = _take_rows(embeddings, rows, n)
    return UsableTexts(
        texts=tuple(collected.texts[i] for i in kept),
        rows=rows,
        embeddings=vectors,
        target=np.zeros(len(rows)) if understood is None else understood.values[rows],
        understood=understood,
        dropped=tuple(dropped[row] for row in sorted(dropped)),
    )


def as_matrix(embeddings: ArrayLike, *, name: str = "embeddings") -> NDArray[np.float32]:
    """Return embeddings given as a list, an array or a tensor as a finite float32 matrix.

    Raises:
        InputError: They are no matrix of finite numbers.
    """
    return check_embeddings(_plain(embeddings), name=name)


def _plain(values: ArrayLike) -> Any:  # noqa: ANN401 - as given, if it is no tensor
    tensor: Any = values
    if callable(getattr(tensor, "detach", None)):  # torch need not be imported to know one
        return tensor.detach().cpu().float().numpy()
    return values


def _understand(labels: Sequence[object], n: int, *, classification: bool | None) -> Target:
    values = _plain(labels)  # type: ignore[arg-type]
    if isinstance(values, str | bytes) or not hasattr(values, "__len__"):
        raise InputError(f"labels must be one value a text, but got {type(labels).__name__}")
    if len(values) != n:
        raise InputError(
            f"there are {n} texts but {len(values)} labels; both must come from the same rows"
        )
    kind: Literal["auto", "numeric", "binary"] = "auto"
    if classification is not None:
        kind = "binary" if classification else "numeric"
    understood = understand_target(values, name="labels", kind=kind)
    if understood.values.ndim > 1:
        raise InputError(
            f"labels hold {len(understood.classes)} classes ({', '.join(understood.classes[:6])}), "
            "and quickstart explains numbers or two classes; turn one class into 1 and the others "
            "into 0, or use find_hypotheses"
        )
    return understood


def _take_rows(embeddings: ArrayLike, rows: NDArray[np.int64], n: int) -> NDArray[np.float32]:
    """Return the vectors that are needed; the others may be anything of the same length."""
    try:
        matrix = np.asarray(_plain(embeddings))
    except ValueError as error:
        raise InputError(
            f"embeddings cannot be read as a matrix ({error}); give one row of numbers a text, "
            "all of one length"
        ) from error
    if matrix.ndim != 2 or len(matrix) != n:
        raise InputError(
            f"there are {n} texts but the embeddings have shape {matrix.shape}; give one vector "
            "a text, in the same order"
        )
    return check_embeddings(matrix if len(rows) == n else matrix[rows])


def _most_common(dropped: dict[int, DroppedDocument]) -> str:
    if not dropped:
        return "the list of texts is empty"
    reason, count = Counter(drop.reason for drop in dropped.values()).most_common(1)[0]
    return f"{count} times the {reason}"
