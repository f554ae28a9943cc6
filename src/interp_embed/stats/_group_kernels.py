"""Compiled loops over features and pairs: how their counts spread over groups of documents.

Callers check shapes, ranges and values before they come here; nothing is checked inside.
"""

from typing import NamedTuple

import numba
import numpy as np

from interp_embed.stats._pair_kernels import Count, Float, Row


class Columns(NamedTuple):
    """The documents in which each feature of a side fires."""

    start: Count
    """Where each feature's documents begin, shape (n_features + 1,)."""
    rows: Row
    """These documents."""


class Room(NamedTuple):
    """Space to count in, of the first feature of a pair and of both."""

    row_held: Row
    """The first feature that fires in a document, last written; -1 at first, (n_documents,)."""
    group_held: Row
    """The first feature with documents in a group; -1 at first, shape (n_groups,)."""
    group_pair: Row
    """The pair whose second feature has documents in a group; -1 at first, (n_groups,)."""
    count_first: Float
    """Documents of the group in which the first fires, shape (n_groups,)."""
    count_second: Float
    count_both: Float
    touched: Row
    """Groups with documents of the feature last counted, shape (n_groups,)."""


@numba.njit(cache=True, nogil=True)
def count_groups(
    side: Columns, of_group: Row, size: Float, features: Row, room: Room, found: Float
) -> None:
    """Write sums over groups of the counts of features, shape (n_features, 3).

    With m the documents of a group in which a feature fires: of m^2, of m x size, of m^2 / size.
    """
    for place in range(len(features)):
        feature = features[place]
        n_touched = 0
        for entry in range(side.start[feature], side.start[feature + 1]):
            group = of_group[side.rows[entry]]
            if room.group_held[group] != feature:
                room.group_held[group] = feature
                room.count_first[group] = 0.0
                room.touched[n_touched] = group
                n_touched += 1
            room.count_first[group] += 1.0
        for at in range(n_touched):
            group = room.touched[at]
            count = room.count_first[group]
            found[place, 0] += count * count
            found[place, 1] += count * size[group]
            found[place, 2] += count * count / size[group]


@numba.njit(cache=True, nogil=True)
def cross_groups(
    left: Columns,
    right: Columns,
    of_group: Row,
    size: Float,
    first: Row,
    second: Row,
    room: Room,
    found: Float,
) -> None:
    """Write sums over groups of products of a pair's counts, shape (n_pairs, 5).

    With both, first and second the documents of a group in which they fire, and its size: the
    sums of both^2, both x first, both x second, both x size, first x second. ``first`` ascends.
    """
    held = -1
    for pair in range(len(first)):
        if first[pair] != held:
            held = first[pair]
            for entry in range(left.start[held], left.start[held + 1]):
                row = left.rows[entry]
                group = of_group[row]
                room.row_held[row] = held
                if room.group_held[group] != held:
                    room.group_held[group] = held
                    room.count_first[group] = 0.0
                room.count_first[group] += 1.0
        n_touched = 0
        for entry in range(right.start[second[pair]], right.start[second[pair] + 1]):
            row = right.rows[entry]
            group = of_group[row]
            if room.group_pair[group] != pair:
                room.group_pair[group] = pair
                room.count_second[group] = 0.0
                room.count_both[group] = 0.0
                room.touched[n_touched] = group
                n_touched += 1
            room.count_second[group] += 1.0
            if room.row_held[row] == held:
                room.count_both[group] += 1.0
        for place in range(n_touched):
            group = room.touched[place]
            both, other = room.count_both[group], room.count_second[group]
            own = room.count_first[group] if room.group_held[group] == held else 0.0
            found[pair, 0] += both * both
            found[pair, 1] += both * own
            found[pair, 2] += both * other
            found[pair, 3] += both * size[group]
            found[pair, 4] += own * other


def make_room(n_documents: int, n_groups: int) -> Room:
    """Return space to count in."""
    return Room(
        np.full(n_documents, -1, np.int32),
        np.full(n_groups, -1, np.int32),
        np.full(n_groups, -1, np.int32),
        np.zeros(n_groups),
        np.zeros(n_groups),
        np.zeros(n_groups),
        np.zeros(n_groups, np.int32),
    )
