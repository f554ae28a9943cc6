"""What sets one group of documents apart from several others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix, vstack

from interp_embed.analysis.differences.diff import (
    Correction,
    add_families,
    correct_supported,
    diff_groups,
)
from interp_embed.analysis.differences.firing_counts import fires_in
from interp_embed.analysis.differences.rate_comparison import RateComparison, check_testing
from interp_embed.analysis.differences.records import GroupDiff
from interp_embed.analysis.differences.sides import as_keys, oppose
from interp_embed.analysis.documents import EncodedDocuments, check_comparable
from interp_embed.analysis.plain_values import quoted
from interp_embed.errors import InputError

Against = Literal["every", "any", "pooled"]


@dataclass(frozen=True, slots=True, eq=False)
class _OneAndOthers:
    """One group, those it is compared with, and how."""

    name: str
    target: EncodedDocuments
    others: Mapping[str, EncodedDocuments]
    pair_target: ArrayLike | None
    keys: Mapping[str, ArrayLike]
    """Of the others, by name; empty where there are no pairs."""
    match_length: bool
    min_support: int
    level: float
    correction: Correction

    def diff(
        self,
        target: EncodedDocuments,
        second: EncodedDocuments,
        second_name: str,
        **keys: ArrayLike | None,
    ) -> GroupDiff:
        """Return the comparison with one other group; keys and groups as in ``diff_groups``."""
        return diff_groups(
            target,
            second,
            names=(self.name, second_name),
            match_length=self.match_length,
            min_support=self.min_support,
            level=self.level,
            correction=self.correction,
            **keys,
        )


def diff_against(
    target: EncodedDocuments,
    others: Mapping[str, EncodedDocuments],
    *,
    against: Against = "every",
    name: str = "target",
    pair_target: ArrayLike | None = None,
    pair_others: Mapping[str, ArrayLike] | None = None,
    match_length: bool = False,
    min_support: int = 10,
    level: float = 0.05,
    correction: Correction = "bh",
) -> GroupDiff:
    """Return which features fire more, or less, often in one group than in the others.

    - ``every``: than in each of the others. The p-value is the largest of the comparisons one by
      one, if all go the same way, else 1 (an intersection-union test: no correction for the number
      of others is needed). The difference is that to the nearest other.
    - ``any`` (needs pairs): than in the others taken together: a feature counts there for a prompt
      where it fires in any of their answers. "Less often than any" is therefore weak where there
      are many others, "more often than any" strong.
    - ``pooled``: than in all documents of the others, which are one group; with pairs, documents of
      one key are not independent.

    The target's rate less the largest of the others' rates would be simpler, but the largest of
    several uncertain rates is too large by chance, so that this difference is too small, and its
    interval unknown.

    Args:
        target: The group to describe.
        others: Groups to compare it with, by name.
        against: What of the others counts.
        name: What the target is called.
        pair_target: A key for each document, such as the prompt it answers.
        pair_others: Keys of the others, by name.
        match_length: As in ``diff_groups``, which tells the rest too; not with ``any``.
        min_support: Documents in which a feature must fire to be tested: of the target and each
            other (``every``), or of both sides.
        level: Significance level after correction.
        correction: Over all features tested.

    Raises:
        InputError: As ``diff_groups``; or there are no others, keys of one are lacking, or
            ``any`` is asked without keys or with ``match_length``.

    Source: Jiang et al. 2025, arXiv 2512.10092, section 3.1 (``any``); Berger 1982, Technometrics
    24, 295-300 (``every``).
    """
    check_testing(min_support, level, correction)
    if against not in ("every", "any", "pooled"):
        raise InputError(f"against must be 'every', 'any' or 'pooled', got {against!r}")
    if not others:
        raise InputError("there are no other groups to compare with; give at least one")
    for other in others.values():
        check_comparable(target, other)
    keys = _check_keys(pair_target, pair_others, others)
    asked = _OneAndOthers(
        name, target, others, pair_target, keys, match_length, min_support, level, correction
    )
    compare = {"every": _against_every, "any": _against_any, "pooled": _against_pooled}[against]
    return compare(asked)


def _check_keys(
    pair_target: ArrayLike | None,
    pair_others: Mapping[str, ArrayLike] | None,
    others: Mapping[str, EncodedDocuments],
) -> Mapping[str, ArrayLike]:
    if (pair_target is None) != (pair_others is None):
        lacking = "pair_target" if pair_target is None else "pair_others"
        raise InputError(f"{lacking} is missing; give keys of the target and of all others")
    lacking_keys = [
        other for other in others if pair_others is not None and other not in pair_others
    ]
    if lacking_keys:
        raise InputError(f"pair_others has no keys of {', '.join(map(repr, lacking_keys))}")
    return pair_others or {}


def _against_every(asked: _OneAndOthers) -> GroupDiff:
    found = [
        asked.diff(
            asked.target,
            other,
            name,
            pair_first=asked.pair_target,
            pair_second=asked.keys.get(name),
        )
        for name, other in asked.others.items()
    ]
    rates, nearest = _nearest([one.rates for one in found])
    q = correct_supported(rates, asked.min_support, asked.correction)
    notes = dict.fromkeys(
        f"against {quoted(one.names[1])}: {note}" for one in found for note in one.notes
    )
    nearby = min(found, key=lambda one: abs(one.length.value))
    whole = replace(
        nearby,
        names=(asked.name, f"every one of {', '.join(asked.others)}"),
        rates=rates,
        q=q,
        labels={f: label for one in found[::-1] for f, label in one.labels.items()},
        n_first=min(one.n_first for one in found),
        n_second=sum(one.n_second for one in found),
        paired=False,
        nearest=nearest,
        others=tuple(asked.others),
        notes=(*notes, f"length is compared with {quoted(nearby.names[1])}, the nearest in length"),
    )
    return add_families(whole, oppose(asked.target, stack_documents([*asked.others.values()])))


def _nearest(
    rates: Sequence[RateComparison],
) -> tuple[RateComparison, NDArray[np.int64]]:
    """Return of each feature the comparison with the nearest other, p the largest of all."""
    gaps = np.stack([one.difference for one in rates])  # (n_others, n_features)
    p = np.stack([one.p for one in rates])
    same = (gaps > 0).all(axis=0) | (gaps < 0).all(axis=0)
    nearest = np.argmin(np.abs(gaps), axis=0)
    columns = np.arange(gaps.shape[1])

    def pick(part: str) -> NDArray[Any]:
        return np.asarray(np.stack([getattr(one, part) for one in rates])[nearest, columns])

    chosen = RateComparison(
        rate_first=pick("rate_first"),
        rate_second=pick("rate_second"),
        difference=pick("difference"),
        low=pick("low"),
        high=pick("high"),
        p=np.where(same, p.max(axis=0), 1.0),
        n=pick("n"),
        support=np.stack([one.support for one in rates]).min(axis=0),
        method=f"largest p of the comparisons one by one ({rates[0].method})",
    )
    return chosen, nearest.astype(np.int64)


def _against_any(asked: _OneAndOthers) -> GroupDiff:
    if asked.pair_target is None:
        raise InputError(
            "against='any' needs pair_target and pair_others: which documents answer one prompt"
        )
    if asked.match_length:
        raise InputError(
            "several answers to a prompt have no one length, so that match_length goes with "
            "against='every' or 'pooled' only"
        )
    others, keys = asked.others, asked.keys
    shared = _shared_keys(others, keys)
    places = [pd.Index(as_keys(keys[one], d, what=f"keys of {one!r}")) for one, d in others.items()]
    found, tokens = [], np.zeros(len(shared))
    first = next(iter(others.values()))
    for index, documents in zip(places, others.values(), strict=True):
        rows = index.get_indexer(shared).astype(np.int64)
        found.append(fires_in(documents, rows))
        tokens = tokens + documents.n_tokens[rows] / len(others)
    joined = found[0]
    for fires in found[1:]:
        joined = csr_matrix(joined + fires)
    joined.data = np.ones_like(joined.data)
    joined.sort_indices()
    texts = [first.texts[row] for row in places[0].get_indexer(shared).tolist()]
    # Cuts are applied: what is left counts as firing in both.
    together = EncodedDocuments(
        texts, joined, np.rint(tokens).astype(np.int64), labels=first.labels, source=first.source
    )
    every = np.arange(len(asked.target))
    plain = replace(asked.target, activations=fires_in(asked.target, every), cuts=None)
    return asked.diff(
        plain,
        together,
        f"any of {', '.join(others)}",
        pair_first=asked.pair_target,
        pair_second=shared,
    )


def _shared_keys(
    others: Mapping[str, EncodedDocuments], keys: Mapping[str, ArrayLike]
) -> "pd.Index[Any]":
    shared: pd.Index[Any] | None = None
    for name, documents in others.items():
        index = pd.Index(as_keys(keys[name], documents, what=f"the pairing key of {name!r}"))
        if index.has_duplicates:
            raise InputError(
                f"the pairing key of {name!r} has values more than once, such as "
                f"{index[index.duplicated()][0]!r}; each document needs a key of its own"
            )
        shared = index if shared is None else shared[shared.isin(index)]
    if shared is None or not len(shared):
        raise InputError(f"no pairing key is in all of {', '.join(map(repr, others))}")
    return shared


def _against_pooled(asked: _OneAndOthers) -> GroupDiff:
    groups: dict[str, ArrayLike] = {}
    if asked.pair_target is not None:
        columns = [
            as_keys(asked.keys[one], documents, what=f"the pairing key of {one!r}").to_numpy(object)
            for one, documents in asked.others.items()
        ]
        groups = {"groups_first": asked.pair_target, "groups_second": np.concatenate(columns)}
    together = stack_documents([*asked.others.values()])
    return asked.diff(asked.target, together, ", ".join(asked.others), **groups)


def stack_documents(parts: Sequence[EncodedDocuments]) -> EncodedDocuments:
    """Return documents of several comparable sets one after the other, without metadata."""
    first = parts[0]
    return EncodedDocuments(
        texts=[text for part in parts for text in part.texts],
        activations=vstack([part.activations for part in parts], format="csr"),
        n_tokens=np.concatenate([part.n_tokens for part in parts]),
        labels={f: label for part in parts[::-1] for f, label in part.labels.items()},
        source=first.source,
        cuts=first.cuts,
    )
