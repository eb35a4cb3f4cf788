"""Bisection, the same for traced functions and for functions of NumPy arrays."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

Edge = Float[Array, "*root"]


def bisect(below: Callable[[Edge], Bool[Array, "*root"]], low: Edge, high: Edge, steps: int) -> tuple[Edge, Edge]:
    """Bracket of the place where `below` turns from true at `low` to false at `high`.

    Parameters
    ----------
    below : traced; of arrays of the shape of `low`, whose unit is the caller's.
    low, high : ends of one bracket or of several at once, in either order.
    steps : halvings; 52 reach rounding.

    Returns
    -------
    The last `low` and `high`; not differentiable.
    """

    def halve(_: Any, bracket: tuple[Edge, Edge]) -> tuple[Edge, Edge]:
        middle = (bracket[0] + bracket[1]) / 2.0
        left = below(middle)
        return jnp.where(left, middle, bracket[0]), jnp.where(left, bracket[1], middle)

    return jax.lax.fori_loop(0, steps, halve, (low, high))


def bisect_numpy(
    below: Callable[[np.ndarray], np.ndarray], low: np.ndarray, high: np.ndarray, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """The same in a plain loop, for functions of NumPy arrays; nothing is called where there is no bracket."""
    for _ in range(steps if low.size else 0):
        middle = (low + high) / 2.0
        left = below(middle)
        low, high = np.where(left, middle, low), np.where(left, high, middle)
    return low, high
