"""What ``fit_model`` makes of its arguments, and how it says in words what it did."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interp_embed.errors import InputError
from interp_embed.stats._checks import check_same_length, finite_vector, number_labels
from interp_embed.stats._model_fits import RawFit
from interp_embed.stats.regression import independent_columns

_FAMILIES = ("linear", "logit", "poisson", "ordered", "multinomial")


@dataclass(frozen=True)
class Outcome:
    """A target as the fits need it."""

    values: NDArray[np.float64]
    """Numbers, counts or levels from 0, shape (n,)."""
    levels: tuple[Any, ...]
    blocks: int
    """Coefficients of each column."""
    n_constants: int


def check_options(family: str, *, groups: ArrayLike | None, errors: str, penalty: str) -> None:
    """Raise an error unless the options exist and go together."""
    if family not in _FAMILIES:
        raise InputError(f"family must be one of {', '.join(_FAMILIES)}, got {family!r}")
    if errors not in ("default", "model", "robust"):
        raise InputError(f"errors must be default, model or robust, got {errors!r}")
    if penalty not in ("auto", "none", "firth", "ridge"):
        raise InputError(f"penalty must be auto, none, firth or ridge, got {penalty!r}")
    if penalty in ("firth", "ridge") and family != "logit":
        raise InputError(f"penalty {penalty} is for the family logit only, got {family}")
    if errors == "model" and (groups is not None or family == "linear"):
        raise InputError(
            "errors='model' takes rows as independent and of equal variance: it goes neither with "
            "groups nor with the family linear"
        )
    if penalty == "ridge" and (groups is not None or errors == "robust"):
        raise InputError(
            "penalty ridge has intervals of its own, which know neither groups nor robust errors"
        )


def check_size(n: int, p: int, n_coefficients: int) -> None:
    """Raise an error unless there are columns, and rows enough for them."""
    if p == 0:
        raise InputError("the design has no columns to estimate")
    if n <= n_coefficients + 1:
        raise InputError(
            f"{n} rows are too few for a model of {n_coefficients} coefficients on {p} columns: "
            f"at least {n_coefficients + 2} are needed; use fewer columns or more documents"
        )


def read_target(target: ArrayLike, n: int, family: str) -> Outcome:
    """Return the target as numbers or levels from 0."""
    if family == "multinomial":
        check_same_length(n, number_labels(target, name="target"), name="target")
        try:
            levels, codes = np.unique(np.asarray(target), return_inverse=True)
        except TypeError as error:
            raise InputError(f"labels of target must all be of one kind ({error})") from error
        return _leveled(codes, levels, family)
    values = finite_vector(target, name="target")
    check_same_length(n, values, name="target")
    if family == "ordered":
        levels, codes = np.unique(values, return_inverse=True)
        return _leveled(codes, levels, family)
    if family == "linear":
        return Outcome(values, (), 1, 1)
    if family == "logit" and not np.isin(values, (0.0, 1.0)).all():
        raise InputError("for logit the target must be 0 or 1 in every row")
    if family == "poisson" and ((values < 0.0).any() or (values != np.floor(values)).any()):
        raise InputError("for poisson the target must be whole numbers >= 0")
    if np.ptp(values) == 0.0 if n else True:
        raise InputError(f"the target has the same value in all {n} rows")
    return Outcome(values, (), 1, 1)


def _leveled(codes: NDArray[np.int64], levels: NDArray[Any], family: str) -> Outcome:
    if levels.size < 3:
        raise InputError(
            f"{family} needs a target of 3 levels or more, got {levels.size}; for 2 take logit"
        )
    if levels.size > 50:
        raise InputError(
            f"the target has {levels.size} levels: at most 50 are possible; take linear, or bin it"
        )
    blocks = levels.size - 1 if family == "multinomial" else 1
    return Outcome(codes.astype(np.float64), tuple(levels.tolist()), blocks, levels.size - 1)


def kind_of_errors(family: str, errors: str, *, clustered: bool) -> str:
    """Return model, robust or cluster."""
    if clustered:
        return "cluster"
    if family == "linear" or errors == "robust":
        return "robust"
    return "robust" if family == "poisson" and errors == "default" else "model"


def name_errors(family: str, estimator: str, kind: str) -> str:
    """Return what intervals stand on, in words."""
    if kind == "cluster":
        return "cluster-robust"
    if family == "linear":
        return "HC3"
    if kind == "robust":
        return "sandwich (HC1)"
    if estimator == "Firth":
        return "profile penalised likelihood"
    return "posterior, normal approximation" if estimator == "ridge" else "information matrix"


def choose_estimator(family: str, penalty: str, *, is_separated: bool) -> str:
    """Return what is to give the numbers; none where nothing can."""
    if family == "linear":
        return "least squares"
    if penalty == "ridge":
        return "ridge"
    if penalty == "firth" or (penalty == "auto" and family == "logit" and is_separated):
        return "Firth"
    return "none" if is_separated else "maximum likelihood"


def degrees_of_freedom(family: str, residual: int, n_groups: int | None) -> float:
    """Return those of t; inf for the normal distribution."""
    if n_groups is not None:
        return float(n_groups - 1)
    return float(residual) if family == "linear" else float("inf")


def describe_fit(
    centred: NDArray[np.float64],
    kept: NDArray[np.int64],
    separated: NDArray[np.int64],
    family: str,
    estimator: str,
    raw: RawFit | None,
    kind: str,
) -> str:
    """Return what the caller must know about the fit, in words."""
    notes = [f"column {c}: {why}" for c, why in _left_out(centred, kept)]
    if separated.size:
        names = ", ".join(str(int(c)) for c in separated)
        notes.append(f"separation: columns {names} have no finite maximum-likelihood estimate")
        if estimator == "Firth":
            notes.append("all coefficients are Firth's penalised ones instead")
        elif estimator == "ridge":
            notes.append("all coefficients are the ridge's, which depend on its prior")
        else:
            notes.append(
                "no values; leave these columns out or merge levels"
                if family != "logit"
                else "no values; penalty 'firth' gives finite ones"
            )
        if estimator == "Firth" and kind != "model":
            notes.append("no interval for separated columns with groups or robust errors")
    if raw is not None and not raw.converged:
        notes.append("the fit did not converge: no values")
    return "; ".join(notes)


def _left_out(centred: NDArray[np.float64], kept: NDArray[np.int64]) -> list[tuple[int, str]]:
    independent = independent_columns(centred)
    found = []
    for column in np.setdiff1d(np.arange(centred.shape[1]), kept):
        if not centred[:, column].any():
            why = "constant"
        elif column in independent:
            why = "its coefficient rests on one row or group alone"
        else:
            why = "a linear combination of earlier columns"
        found.append((int(column), why))
    return found
