"""Fixed integration nodes on the unit interval and the unit cube.

Nodes are plain arrays that never depend on a fitted parameter, so every integral is differentiable in
its integrand and bit-for-bit reproducible.
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


class Rule(eqx.Module):
    """Nodes in the unit cube and weights that sum to 1."""

    nodes: Float[Array, "point dim"]
    weights: Float[Array, " point"]


def gauss_legendre(count: int) -> tuple[Float[np.ndarray, " node"], Float[np.ndarray, " node"]]:
    """Gauss-Legendre nodes and weights on [0, 1], exact for polynomials of degree 2 count - 1."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return (nodes + 1.0) / 2.0, weights / 2.0


def chebyshev_nodes(count: int) -> Float[np.ndarray, " node"]:
    """Chebyshev points of the first kind on [-1, 1], ascending."""
    return -np.cos((np.arange(count) + 0.5) * np.pi / count)


def chebyshev_basis(x: Float[Array, "*shape"], count: int) -> Float[Array, "*shape node"]:
    """Cardinal polynomials of `chebyshev_nodes(count)` at x: f(x) = sum_i basis[i] f(node_i).

    The discrete cosine sum l_i(x) = (2/n) sum_m' T_m(node_i) T_m(x) (Trefethen, ATAP, ch. 3); exact for
    polynomials of degree count - 1, smooth in x, intended for |x| <= 1 (it grows fast outside).
    """
    polynomials = [jnp.ones_like(x), x]
    for _ in range(count - 2):
        polynomials.append(2.0 * x * polynomials[-1] - polynomials[-2])
    order = np.arange(count)[:, None]
    at_nodes = np.cos(order * np.arccos(chebyshev_nodes(count))[None, :]) * (2.0 / count)
    at_nodes[0] /= 2.0
    return jnp.stack(polynomials[:count], axis=-1) @ jnp.asarray(at_nodes)


def sobol_rule(count: int, dimension: int, seed: int) -> Rule:
    """Scrambled Sobol points of equal weight in the unit cube (SciPy's `qmc.Sobol`).

    Parameters
    ----------
    count : number of points, a power of two.
    dimension : of the cube.
    seed : scramble; different seeds give independent, unbiased estimates, hence an honest error.

    Raises
    ------
    ValueError : `count` is not a power of two, where Sobol points lose their balance.
    """
    if count < 1 or count & (count - 1):
        raise ValueError(
            f"sobol_rule: count = {count}; allowed: a power of two, e.g. {2 ** max(count, 1).bit_length()}"
        )
    from scipy.stats import qmc  # 1 s to import: only where points are made

    nodes = qmc.Sobol(dimension, scramble=True, rng=seed).random_base2(count.bit_length() - 1)
    return Rule(jnp.asarray(nodes), jnp.full((count,), 1.0 / count))
