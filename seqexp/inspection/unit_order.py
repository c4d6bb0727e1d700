"""Units in an order in which those that go together stand together, for heat maps."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from seqexp.types import SeqexpError


def unit_order(
    states: Float[np.ndarray, "B T P"], mask: Bool[np.ndarray, "B T"]
) -> Int[np.ndarray, " P"]:
    """The order of a layer's units by hierarchical clustering, on the host.

        d_ij = 1 - correlation of units i and j over all true steps

    Clusters are joined by their mean distance, and of their dendrogram the order of the leaves in
    which neighbours are closest (Bar-Joseph et al. 2001,
    https://doi.org/10.1093/bioinformatics/17.suppl_1.S22). A unit that doesn't vary correlates with
    none.

    Args:
        states: `[B, T, P]`.
        mask: `[B, T]`, True where a step is real.

    Returns:
        `[P]`, the number of the unit at each place.

    Raises:
        SeqexpError: for no true step, or a state that is not finite.

    >>> unit = np.sin(np.arange(9.0))
    >>> states = np.stack([unit, -unit, 2 * unit, -3 * unit], -1)[None]
    >>> order = unit_order(states, np.ones((1, 9), bool)).tolist()
    >>> sorted(order[:2]) in ([0, 2], [1, 3])
    True
    """
    # Here, for few runs are inspected and all would wait for it.
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    rows = np.asarray(states, np.float64)[np.asarray(mask)]
    if not len(rows) or not np.isfinite(rows).all():
        raise SeqexpError("units are ordered by finite states of at least one step: check the run")
    units = rows.shape[1]
    if units < 3:
        return np.arange(units)
    centred = rows - rows.mean(0)
    norms = np.linalg.norm(centred, axis=0)
    varies = norms > 1e-12 * np.maximum(1, np.abs(rows).max(0)) * np.sqrt(len(rows))
    scaled = np.where(varies, centred / np.where(varies, norms, 1), 0)
    distances = np.clip(1 - scaled.T @ scaled, 0, 2)
    np.fill_diagonal(distances, 0)
    joined = linkage(squareform(distances, checks=False), "average", optimal_ordering=True)
    return leaves_list(joined)
