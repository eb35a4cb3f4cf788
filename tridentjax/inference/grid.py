"""Posterior on a regular two-parameter grid, the independent check of a chain."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import ndtri

from tridentjax.inference.model import Model
from tridentjax.quadrature import sobol_rule


class GridPosterior(NamedTuple):
    """Posterior probability of the cells of a (first, second) grid; values are cell centres."""

    names: tuple[str, str]
    first: np.ndarray
    second: np.ndarray
    probability: np.ndarray

    def quantile(self, axis: int, q: float) -> float:
        """Marginal quantile of one parameter, linear inside a cell in the prior's flat coordinate."""
        marginal = self.probability.sum(1 - axis)
        centres = np.log((self.first, self.second)[axis])
        edges = np.concatenate(
            [
                [1.5 * centres[0] - 0.5 * centres[1]],
                (centres[1:] + centres[:-1]) / 2.0,
                [1.5 * centres[-1] - 0.5 * centres[-2]],
            ]
        )
        return float(np.exp(np.interp(q, np.concatenate([[0.0], np.cumsum(marginal)]), edges)))

    def credible_level(self, mass: float) -> float:
        """Density threshold of the highest-density region that holds `mass`."""
        ordered = np.sort(self.probability.ravel())[::-1]
        return float(ordered[np.searchsorted(np.cumsum(ordered), mass)])


def grid_posterior(
    model: Model, names: tuple[str, str], cells: tuple[int, int] = (120, 160), nuisance_points: int = 128
) -> GridPosterior:
    """Posterior of two loguniform parameters with every nuisance integrated out.

    The likelihood of each cell centre is averaged over a Sobol sample of the nuisance priors (a single
    nominal point if the model has none); no Markov chain is involved.

    Raises
    ------
    ValueError : the parameters are not exactly the two loguniform ones of the model.
    """
    if set(model.priors) != set(names) or any(prior.kind != "loguniform" for prior in model.priors.values()):
        raise ValueError(
            f"grid_posterior needs two loguniform parameters, {names}; the model has {tuple(model.priors)}"
        )
    axes = []
    for name, count in zip(names, cells, strict=True):
        low, high = (float(x) for x in model.priors[name].flat_range())
        axes.append(np.exp(low + (high - low) * (np.arange(count) + 0.5) / count))
    first, second = (grid.ravel() for grid in np.meshgrid(*axes, indexing="ij"))
    nuisances = tuple(model.nuisances)
    count = nuisance_points if nuisances else 1
    unit = np.asarray(sobol_rule(count, max(len(nuisances), 1), seed=1).nodes)
    normals = jnp.asarray(ndtri(np.clip(unit, 1e-12, 1.0 - 1e-12)))

    @eqx.filter_jit
    def likelihoods(model: Model, points: tuple[Float[Array, " cell"], ...], normals: Float[Array, "draw nuisance"]):  # type: ignore[no-untyped-def]
        def one_draw(
            total: Float[Array, " cell"], normal: Float[Array, " nuisance"]
        ) -> tuple[Float[Array, " cell"], None]:
            full = jnp.concatenate([jnp.zeros(len(model.priors)), normal[: len(nuisances)]])
            values, _ = model.parameters(full)
            values = {name: values[name] for name in nuisances}
            responses = model.responses(values)

            def cell(pair: tuple[Float[Array, ""], ...]) -> Float[Array, ""]:
                return model.log_likelihood({**values, names[0]: pair[0], names[1]: pair[1]}, responses)

            return total + jnp.exp(jax.lax.map(cell, points, batch_size=4096)), None

        return jax.lax.scan(one_draw, jnp.zeros(points[0].shape), normals)[0]

    total = np.asarray(likelihoods(model, (jnp.asarray(first), jnp.asarray(second)), normals)).reshape(cells)
    return GridPosterior(names, axes[0], axes[1], total / total.sum())
