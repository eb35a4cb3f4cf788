"""Importance sampling of the unit cube: one piecewise-linear map per axis, learnt from weights.

The grid of VEGAS (G. P. Lepage, J. Comput. Phys. 27 (1978) 192): every axis is cut into bins of equal
probability, narrow where the weights are large, so that the weight times the Jacobian of the map is nearly flat.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class ImportanceGrid(NamedTuple):
    """Edges of the bins of every axis, from 0 to 1; all bins of an axis are equally probable."""

    edges: Float[np.ndarray, "dim edge"]


def uniform_grid(dimension: int, bins: int) -> ImportanceGrid:
    """The identity map."""
    return ImportanceGrid(np.tile(np.linspace(0.0, 1.0, bins + 1), (dimension, 1)))


def map_through(
    grid: ImportanceGrid, v: Float[np.ndarray, "point dim"]
) -> tuple[Float[np.ndarray, "point dim"], Float[np.ndarray, " point"]]:
    """Points of the cube from uniform v in [0, 1), and the volume du/dv of each."""
    bins = grid.edges.shape[1] - 1
    u, volume = np.empty_like(v), np.ones(v.shape[0])
    for axis, edges in enumerate(grid.edges):
        position = v[:, axis] * bins
        index = np.minimum(position.astype(int), bins - 1)
        width = np.diff(edges)[index]
        u[:, axis] = edges[index] + (position - index) * width
        volume *= width * bins
    return u, volume


def refine(
    grid: ImportanceGrid,
    v: Float[np.ndarray, "point dim"],
    weight: Float[np.ndarray, " point"],
    power: float,
    damping: float,
) -> ImportanceGrid:
    """Grid whose bins hold equal shares of a mean weight.

    Parameters
    ----------
    grid, v : the map and its uniform points.
    weight : integrand times du/dv at the points, >= 0.
    power : of the mean (mean weight^power)^(1/power) in a bin: 2 aims at a small variance, larger ones at a
        small maximum.
    damping : exponent below 1 on the shares, so that a noisy sample does not overshoot and no bin dies.
    """
    bins = grid.edges.shape[1] - 1
    refined = np.empty_like(grid.edges)
    for axis, edges in enumerate(grid.edges):
        index = np.minimum((v[:, axis] * bins).astype(int), bins - 1)
        count = np.bincount(index, minlength=bins)
        mean = np.bincount(index, (weight / weight.max()) ** power, minlength=bins) / np.maximum(count, 1)
        padded = np.concatenate([mean[:1], mean, mean[-1:]])
        smooth = ((padded[:-2] + 6.0 * mean + padded[2:]) / 8.0) ** (1.0 / power)
        share = (smooth / smooth.sum() + 1e-3 / bins) ** damping
        cumulative = np.concatenate([[0.0], np.cumsum(share)])
        refined[axis] = np.interp(np.linspace(0.0, cumulative[-1], bins + 1), cumulative, edges)
    refined[:, 0], refined[:, -1] = 0.0, 1.0
    return ImportanceGrid(refined)
