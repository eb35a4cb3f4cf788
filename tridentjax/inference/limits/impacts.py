"""Pulls and impacts: where the nuisances end up, and how far each of them moves a boundary.

At a boundary of a profile-likelihood region on one ray, with F_j(t; s) the profile of `profile` where nuisance j is
held at s (in prior widths) and the others are searched, the boundary t_j(s) is the root of

    F_j(t; s) - F_j(t_best; s) = threshold,                                                                  (1)
    impact of j = y(t_j(s_hat +- sd)) - y(t_j(s_hat)).                                                       (2)

s_hat and sd are the fitted value at the boundary and its standard deviation from the Gauss-Newton Hessian,
cov = (1 + J^T D J / 2)^-1 with J = dR/dz and D the second derivatives of -2 ln L in R. A correlated nuisance j is
the component u_j . z of the independent z, u_j the row of the Cholesky factor; that component is held.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from tridentjax.inference.data import Data, deviances, observed
from tridentjax.inference.limits.rays import Boundary, Plane
from tridentjax.inference.model import Model, expand_model
from tridentjax.inference.profile import profile
from tridentjax.roots import bisect_numpy

_LATTICE = 65
_HALVINGS = 40
_SECTIONS, _GOLDEN = 24, 0.618033988749895


class Pull(NamedTuple):
    """Fitted value of a nuisance and its standard deviation, both in units of its prior width."""

    name: str
    pull: float
    sd: float


class Impact(NamedTuple):
    """Shift of a boundary coordinate when one nuisance is held one standard deviation up or down; NaN without root.

    `up` and `down` are in the unit of the coordinate, the relative ones are divided by its value at the boundary.
    """

    pull: Pull
    coordinate: str
    up: float
    down: float
    relative_up: float
    relative_down: float

    @property
    def size(self) -> float:
        """The larger of the two shifts, without sign; 0 where there is none."""
        return float(np.nanmax(np.abs([self.up, self.down]), initial=0.0))


def posterior_pulls(model: Model, z: np.ndarray) -> list[Pull]:
    """Posterior mean and standard deviation of every nuisance in units of its prior width.

    Parameters
    ----------
    model : of the posterior.
    z : draws (chain, draw, parameter) in the order of `model.names`.
    """
    names = [name for name in model.names if name in model.nuisances]  # the dictionary may come back sorted from JAX
    own = z.reshape(-1, z.shape[-1])[:, [model.names.index(name) for name in names]]
    scaled = own if model.correlation is None else own @ np.asarray(model.correlation).T
    return [Pull(name, float(x.mean()), float(x.std())) for name, x in zip(names, scaled.T, strict=True)]


def impacts(
    model: Model, plane: Plane, boundary: Boundary, threshold: float, best: tuple[float, float] | None = None
) -> list[Impact]:
    """Pulls at a boundary of the profile likelihood, and impacts of all profiled nuisances, Eqs. (1) and (2).

    Parameters
    ----------
    model : of the region; responses are expanded in the nuisances unless they are already.
    plane : with the ray of the boundary.
    boundary : a root on that ray.
    threshold : of F above its smallest value, e.g. 3.841.
    best : position and t of the best fit in the plane for regions of two parameters; without it the smallest F on the
        ray is taken, again for every nuisance that is held.

    Returns
    -------
    In the order of `model.profiled`. The coordinate is y, or x on a polar ray that runs more along x.
    """
    model = expand_model(model) if model.expanded is None else model
    data, count = observed(model), len(model.profiled)
    if count == 0:
        return []
    units = np.eye(count) if model.correlation is None else np.asarray(model.correlation)[:count, :count]
    point = plane.point(jnp.asarray(boundary.position), jnp.asarray(boundary.t))
    pull, sd = _fitted(model, data, point, jnp.asarray(units))
    # one row a case: every nuisance at its fitted value, one sd up, one sd down
    held = np.concatenate([pull, pull + sd, pull - sd])
    roots = _roots(model, data, plane, boundary, threshold, best, np.tile(units, (3, 1)), held).reshape(3, count)
    name, values = _coordinate(plane, boundary, roots)
    up, down = values[1] - values[0], values[2] - values[0]
    scale = np.where(values[0] != 0.0, np.abs(values[0]), np.nan)
    return [
        Impact(Pull(nuisance, float(pull[j]), float(sd[j])), name, float(up[j]), float(down[j]),
               float(up[j] / scale[j]), float(down[j] / scale[j]))
        for j, nuisance in enumerate(model.profiled)
    ]  # fmt: skip


def _fitted(
    model: Model, data: Data, point: dict[str, Float[Array, ""]], units: Float[Array, "nuisance nuisance"]
) -> tuple[np.ndarray, np.ndarray]:
    """Profiled nuisances at a point and their standard deviations, in prior widths."""

    @jax.jit
    def at(point: dict[str, Float[Array, ""]]) -> tuple[Float[Array, " nuisance"], Float[Array, " nuisance"]]:
        z = profile(model, data, model.ratios_at, point).z
        R, jacobian = model.ratios_at(point, z), jax.jacrev(lambda z: model.ratios_at(point, z))(z)
        curvature = jax.jacrev(jax.grad(lambda R: deviances(model, data, R).sum()))(R)
        covariance = jnp.linalg.inv(jnp.eye(z.size) + 0.5 * jacobian.T @ curvature @ jacobian)
        return units @ z, jnp.sqrt(jnp.einsum("ij,jk,ik->i", units, covariance, units))

    pull, sd = at(point)
    return np.asarray(pull), np.asarray(sd)


def _roots(
    model: Model,
    data: Data,
    plane: Plane,
    boundary: Boundary,
    threshold: float,
    best: tuple[float, float] | None,
    units: np.ndarray,
    held: np.ndarray,
) -> np.ndarray:
    """Root of Eq. (1) nearest to the boundary for every case (unit vector and value that is held); NaN without."""

    def deviance(
        position: Float[Array, ""], t: Float[Array, ""], unit: Float[Array, " nuisance"], value: Float[Array, ""]
    ) -> Float[Array, ""]:
        def ratios(point: Any, z: Float[Array, " nuisance"]) -> Float[Array, " experiment"]:
            return model.ratios_at(point, z + unit * (value - unit @ z))

        # the component along `unit` does not act, so the constraint leaves it at 0 and adds nothing
        return profile(model, data, ratios, plane.point(position, t)).deviance

    at = jax.jit(jax.vmap(deviance))
    ray = np.full(held.size, boundary.position)

    def F(t: np.ndarray, position: np.ndarray = ray) -> np.ndarray:
        return np.asarray(at(*(jnp.asarray(x) for x in (position, t, units, held))))

    lattice = np.unique(np.append(np.linspace(0.0, 1.0, _LATTICE), boundary.t))
    sampled = np.stack([F(np.full(held.size, t)) for t in lattice], axis=1)
    if best is None:
        reference = _lowest(F, lattice, sampled)
    else:
        reference = F(np.full(held.size, best[1]), np.full(held.size, best[0]))
    excess = sampled - (reference + threshold)[:, None]
    low, high, found = _brackets(lattice, excess, boundary)

    low, high = bisect_numpy(lambda t: ~(F(t) - reference - threshold > 0.0), low, high, _HALVINGS)
    return np.where(found, (low + high) / 2.0, np.nan)


def _lowest(F: Callable[[np.ndarray], np.ndarray], lattice: np.ndarray, sampled: np.ndarray) -> np.ndarray:
    """Smallest F of every case: golden sections around the lowest sample."""
    column = np.nanargmin(sampled, axis=1)
    low = lattice[np.maximum(column - 1, 0)]
    high = lattice[np.minimum(column + 1, lattice.size - 1)]
    lowest = np.nanmin(sampled, axis=1)
    for _ in range(_SECTIONS):
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        at_left, at_right = F(left), F(right)
        lowest = np.fmin(lowest, np.fmin(at_left, at_right))
        low, high = np.where(at_left < at_right, low, left), np.where(at_left < at_right, right, high)
    return np.asarray(lowest)


def _brackets(lattice: np.ndarray, excess: np.ndarray, boundary: Boundary) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Allowed and excluded end of the change of sign nearest to the boundary with its orientation, for every case."""
    allowed = excess <= 0.0
    before, after = allowed[:, :-1], allowed[:, 1:]
    change = (before & ~after) if boundary.above else (~before & after)
    distance = np.abs((lattice[:-1] + lattice[1:]) / 2.0 - boundary.t)
    nearest = np.argmin(np.where(change, distance[None, :], np.inf), axis=1)
    left, right = lattice[nearest], lattice[nearest + 1]
    low, high = (left, right) if boundary.above else (right, left)
    return low, high, np.asarray(change.any(axis=1))


def _coordinate(plane: Plane, boundary: Boundary, t: np.ndarray) -> tuple[str, np.ndarray]:
    """Name and physical values of the coordinate that the ray runs along."""
    along_x = plane.origin is not None and abs(np.cos(boundary.position)) > abs(np.sin(boundary.position))
    name, axis = (plane.x, 0) if along_x else (plane.y, 1)
    flat = plane.flat(jnp.asarray(boundary.position), jnp.asarray(t))[axis]
    return name, np.asarray(plane.priors[name].from_flat(flat))
