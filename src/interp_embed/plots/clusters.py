"""Documents in the plane, coloured by their cluster."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from interp_embed.errors import InputError
from interp_embed.plots.canvas import (
    FAINT,
    SEVERAL,
    axes_of,
    check_lengths,
    legend_beside,
    numbers,
    shown,
)

_MARKERS = "osD^v"


def cluster_map(
    coordinates: ArrayLike,
    cluster: ArrayLike,
    *,
    names: Sequence[str],
    ax: Axes | None = None,
) -> Axes:
    """Return a map of documents; colours repeat after ten clusters, with another marker.

    Args:
        coordinates: Places in the plane, shape (n, 2); only nearness means anything.
        cluster: Cluster of each, shape (n,); -1 for none, drawn in grey.
        names: Of the clusters, by number.
        ax: Axes to draw on; a new figure if None.

    Raises:
        InputError: Shapes differ, or a cluster has no name.
    """
    places, of = numbers(coordinates, name="coordinates", ndim=2), np.asarray(cluster, np.int64)
    if places.shape[1] != 2:
        raise InputError(f"coordinates must have 2 columns, got shape {places.shape}")
    check_lengths(len(places), "documents", cluster=of)
    if len(of) and not -1 <= int(of.min()) <= int(of.max()) < len(names):
        raise InputError(
            f"clusters are numbered {of.min()} to {of.max()}, but there are {len(names)} names; "
            "number them from 0, with -1 for none"
        )
    ax = axes_of(ax, width=9.0, height=5.6)
    size = float(np.clip(6_000 / max(1, len(places)), 4, 28))
    outside = places[of == -1]
    ax.scatter(outside[:, 0], outside[:, 1], s=size, color=FAINT, linewidths=0)
    groups = [places[of == number] for number in range(len(names))]
    points = [
        ax.scatter(
            members[:, 0],
            members[:, 1],
            s=size,
            color=SEVERAL[number % len(SEVERAL)],
            alpha=0.8,
            linewidths=0,
            marker=_MARKERS[number // len(SEVERAL) % len(_MARKERS)],
        )
        for number, members in enumerate(groups)
    ]
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_aspect("equal", adjustable="datalim")
    ax.spines[:].set_color(FAINT)
    if names:
        labels = [
            f"{shown(name, width=34)} ({len(members):,})"
            for name, members in zip(names, groups, strict=True)
        ]
        legend_beside(ax, points, labels, markerscale=max(1.0, (24 / size) ** 0.5))
    return ax
