"""Theory parameters and nuisances together: the function that a fit makes small, and its coordinates.

    F(theta, z) = -2 sum_e ln L_e(x_e | R_e(theta, z)) + |z|^2                                      (1)

as a function of x = (u, z): u are the parameters of the theory in units of their prior ranges (`optimise`), z the
profiled nuisances in units of their widths. Backgrounds take their best values in closed form inside L_e.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from tridentjax.inference.data import Data, deviances, observed
from tridentjax.inference.descent import Endpoints, minimise
from tridentjax.inference.model import Model
from tridentjax.inference.optimise import from_unit, is_bounded
from tridentjax.inference.profile import profile

_LANES = 32  # searches at once: one compiled program for starts, curves and roots
_EVALUATIONS = 600


class Deviance(eqx.Module):
    """F of Eq. (1) for the observed data of a model; the auxiliary term is part of it if there is one."""

    model: Model
    data: Data

    @property
    def theory(self) -> tuple[str, ...]:
        """Names of the theory parameters, in the order of u."""
        return tuple(name for name in self.model.names if name in self.model.priors)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all coordinates: theory, then profiled nuisances."""
        return self.theory + self.model.profiled

    @property
    def bounded(self) -> tuple[bool, ...]:
        """Which coordinates stay in [0, 1]."""
        return tuple(name in self.model.priors and is_bounded(self.model.priors[name]) for name in self.names)

    def point(self, u: Float[Array, " theory"]) -> dict[str, Float[Array, ""]]:
        """Physical values of the theory parameters."""
        return {name: from_unit(self.model.priors[name], u[i]) for i, name in enumerate(self.theory)}

    def values(self, x: Float[Array, " coordinate"]) -> dict[str, Float[Array, ""]]:
        """Physical values of theory parameters and profiled nuisances."""
        count = len(self.theory)
        z = jnp.concatenate([x[count:], jnp.zeros(len(self.model.nuisances) - (x.size - count))])
        nuisances = self.model.nuisance_values(z)
        return self.point(x[:count]) | {name: nuisances[name] for name in self.model.profiled}

    def __call__(self, x: Float[Array, " coordinate"]) -> Float[Array, ""]:
        """F of Eq. (1)."""
        count = len(self.theory)
        point, z = self.point(x[:count]), x[count:]
        own = deviances(self.model, self.data, self.model.ratios_at(point, z)).sum() + (z**2).sum()  # (1)
        return own - 2.0 * self.model.auxiliary_log_likelihood(point)


def make_deviance(model: Model) -> Deviance:
    """F of the data that the experiments of a model have observed."""
    return Deviance(model, observed(model))


def search_lanes(
    deviance: Deviance, starts: Float[np.ndarray, "start coordinate"], free: Bool[np.ndarray, "start coordinate"]
) -> Endpoints:
    """Minimise F from any number of starts, with one compiled program for all calls."""
    count = len(starts)
    padding = -count % _LANES
    starts = np.concatenate([starts, np.repeat(starts[:1], padding, axis=0)])
    free = np.concatenate([free, np.zeros((padding, starts.shape[1]), bool)])
    found = [
        minimise(deviance, jnp.asarray(starts[i : i + _LANES]), deviance.bounded, jnp.asarray(free[i : i + _LANES]),
                 evaluations=_EVALUATIONS)
        for i in range(0, len(starts), _LANES)
    ]  # fmt: skip
    return Endpoints(*(jnp.concatenate(rows)[:count] for rows in zip(*found, strict=True)))


def evaluate(deviance: Deviance, x: Float[np.ndarray, "point coordinate"]) -> Float[np.ndarray, " point"]:
    """F at any number of points, with one compiled program for all calls."""
    count = len(x)
    lanes = np.concatenate([x, np.repeat(x[:1], -count % _LANES, axis=0)]).reshape(-1, _LANES, x.shape[1])
    return np.concatenate([np.asarray(_lanes(deviance, jnp.asarray(rows))) for rows in lanes])[:count]


@eqx.filter_jit
def _lanes(deviance: Deviance, x: Float[Array, "point coordinate"]) -> Float[Array, " point"]:
    return jax.lax.map(deviance, x)


@eqx.filter_jit
def hessian(deviance: Deviance, x: Float[Array, " coordinate"]) -> Float[Array, "coordinate coordinate"]:
    """Second derivatives of F.

    Forward over forward, an element at a time: forward over reverse runs faster, but takes twice as long to compile
    (27 s against 13 s for a Randall-Sundrum theory) and is used once.
    """
    unit = jnp.eye(x.size)
    rows, columns = jnp.triu_indices(x.size)

    def element(pair: tuple[Int[Array, ""], Int[Array, ""]]) -> Float[Array, ""]:
        row, column = pair
        return jax.jvp(lambda y: jax.jvp(deviance, (y,), (unit[row],))[1], (x,), (unit[column],))[1]

    found = jax.lax.map(element, (rows, columns))
    return jnp.zeros((x.size, x.size)).at[rows, columns].set(found).at[columns, rows].set(found)


@eqx.filter_jit
def jacobian(deviance: Deviance, x: Float[Array, " coordinate"]) -> dict[str, Float[Array, " coordinate"]]:
    """Derivatives of the physical values in x."""
    return jax.jacfwd(deviance.values)(x)


class AtPoint(NamedTuple):
    """What is known of a model at a point of its theory, nuisances at their best."""

    deviance: Float[Array, ""]
    z: Float[Array, " nuisance"]
    ratios: Float[Array, " experiment"]
    derived: dict[str, Float[Array, ""]]


def at_point(deviance: Deviance, search: Model, u: Float[Array, " theory"]) -> tuple[Float[Array, ""], AtPoint]:
    """F at the best nuisances, for which the cheaper model `search` looks, and what else is known there."""
    point, model = deviance.point(u), deviance.model
    found = profile(model, deviance.data, model.ratios_at, point, search=search.ratios_at)
    F = found.deviance - 2.0 * model.auxiliary_log_likelihood(point)
    derived = {name: jnp.asarray(x) for name, x in model.derived(point).items()}
    return F, AtPoint(F, found.z, model.ratios_at(point, found.z), derived)


@eqx.filter_jit
def profiled_at(
    deviance: Deviance, search: Model, u: Float[Array, " theory"]
) -> tuple[AtPoint, Float[Array, " theory"]]:
    """`at_point` and dF/du (envelope theorem); one compiled program for the fit and for extrema."""
    (_, found), slope = jax.value_and_grad(lambda v: at_point(deviance, search, v), has_aux=True)(u)
    return found, slope
