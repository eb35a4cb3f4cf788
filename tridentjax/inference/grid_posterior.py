"""Posterior on a regular two-parameter grid, the independent check of a chain."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float
from scipy.special import ndtri

from tridentjax.inference.model import Model
from tridentjax.quadrature import sobol_rule
from tridentjax.rates.response import Response


class GridPosterior(NamedTuple):
    """Posterior probability of the cells of a (first, second) grid; values are cell centres.

    `kinds` are those of the two priors; cells are equal in the coordinate in which a prior is flat.
    """

    names: tuple[str, str]
    first: np.ndarray
    second: np.ndarray
    probability: np.ndarray
    kinds: tuple[str, str] = ("loguniform", "loguniform")

    def quantile(self, axis: int, q: float) -> float:
        """Marginal quantile of one parameter, linear inside a cell in the prior's flat coordinate."""
        cumulative, edges = self._cumulative(axis)
        t = float(np.interp(q, cumulative, edges))
        return float(np.exp(t)) if self.kinds[axis] == "loguniform" else t

    def below(self, axis: int, value: float) -> float:
        """Marginal probability below a value of one parameter; the inverse of `quantile`."""
        cumulative, edges = self._cumulative(axis)
        return float(np.interp(np.log(value) if self.kinds[axis] == "loguniform" else value, edges, cumulative))

    def _cumulative(self, axis: int) -> tuple[np.ndarray, np.ndarray]:
        """Marginal probability below the edges of the cells, and these edges in the flat coordinate."""
        centres = (self.first, self.second)[axis]
        centres = np.log(centres) if self.kinds[axis] == "loguniform" else centres
        inner = (centres[1:] + centres[:-1]) / 2.0
        edges = np.concatenate([[2.0 * centres[0] - inner[0]], inner, [2.0 * centres[-1] - inner[-1]]])
        return np.concatenate([[0.0], np.cumsum(self.probability.sum(1 - axis))]), edges

    def credible_level(self, mass: float) -> float:
        """Density threshold of the highest-density region that holds `mass`."""
        ordered = np.sort(self.probability.ravel())[::-1]
        return float(ordered[np.searchsorted(np.cumsum(ordered), mass)])


class Marginal(eqx.Module):
    """The likelihood with every nuisance integrated out, as a function of the parameters of a theory.

    ln (1/N) sum_d L(theta, nu_d) over a Sobol sample nu_d of the priors of the nuisances (the nominal point alone
    if there are none). Responses are folded once, so a point costs one contraction a draw.
    """

    model: Model
    values: dict[str, Float[Array, " draw"]]
    responses: tuple[Response, ...]

    def __call__(self, point: dict[str, Float[Array, ""]]) -> Float[Array, ""]:
        """Log of the integrated likelihood; differentiable in `point`."""

        def one(values: dict[str, Float[Array, ""]], responses: tuple[Response, ...]) -> Float[Array, ""]:
            return self.model.log_likelihood({**values, **point}, responses)

        draws = jax.vmap(one)(self.values, self.responses)
        return logsumexp(draws) - jnp.log(draws.size)


def integrate_nuisances(model: Model, draws: int = 128) -> Marginal:
    """Fold the responses for a quasi-random sample of the nuisances."""
    count = draws if model.nuisances else 1
    unit = np.asarray(sobol_rule(count, max(len(model.nuisances), 1), seed=1).nodes)[:, : len(model.nuisances)]
    z = jnp.asarray(ndtri(np.clip(unit, 1e-12, 1.0 - 1e-12)))

    @eqx.filter_jit
    def folded(model: Model, z: Float[Array, "draw nuisance"]):  # type: ignore[no-untyped-def]
        def one(row: Float[Array, " nuisance"]):  # type: ignore[no-untyped-def]
            values = model.nuisance_values(row)
            return values, model.responses(values)

        return jax.lax.map(one, z)

    values, responses = folded(model, z)
    return Marginal(model, values, responses)


def prior_axes(model: Model, names: tuple[str, str], cells: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Centres of equal cells in the flat coordinates of two priors."""

    def centres(name: str, count: int) -> np.ndarray:
        low, high = (float(x) for x in model.priors[name].flat_range())
        return np.asarray(
            model.priors[name].from_flat(jnp.asarray(low + (high - low) * (np.arange(count) + 0.5) / count))
        )

    return centres(names[0], cells[0]), centres(names[1], cells[1])


def log_marginals(marginal: Marginal, names: tuple[str, str], axes: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Log of the integrated likelihood on a grid (first, second)."""
    first, second = (jnp.asarray(grid.ravel()) for grid in np.meshgrid(*axes, indexing="ij"))

    @eqx.filter_jit
    def evaluate(marginal: Marginal, points: tuple[Float[Array, " cell"], ...]) -> Float[Array, " cell"]:
        return jax.lax.map(lambda pair: marginal(dict(zip(names, pair, strict=True))), points, batch_size=256)

    return np.asarray(evaluate(marginal, (first, second))).reshape(len(axes[0]), len(axes[1]))


def grid_posterior(
    model: Model, names: tuple[str, str], cells: tuple[int, int] = (120, 160), nuisance_points: int = 128
) -> GridPosterior:
    """Posterior of two uniform or loguniform parameters with every nuisance integrated out.

    The likelihood of each cell centre is averaged over a Sobol sample of the nuisance priors (a single
    nominal point if the model has none); no Markov chain is involved.

    Raises
    ------
    ValueError : the parameters are not exactly the two of the model, or one has a normal prior.
    """
    if set(model.priors) != set(names) or any(prior.kind == "normal" for prior in model.priors.values()):
        found = ", ".join(f"{name} ({prior.kind})" for name, prior in model.priors.items())
        raise ValueError(f"grid_posterior needs two uniform or loguniform parameters, {names}; the model has {found}")
    axes = prior_axes(model, names, cells)
    logs = log_marginals(integrate_nuisances(model, nuisance_points), names, axes)
    density = np.exp(logs - logs.max())
    kinds = (model.priors[names[0]].kind, model.priors[names[1]].kind)
    return GridPosterior(names, *axes, density / density.sum(), kinds)
