"""Posterior predictive checks: data replicated at the draws of a posterior against the data themselves.

For every draw a replica x_rep of the datum x is thrown about its prediction mu (Gelman, Meng, Stern, Statistica
Sinica 6 (1996) 733). With the distance T = |x - mu|, in units of the error on the side of mu for a ratio,

    p = P(T(x_rep) > T(x)) + 1/2 P(T(x_rep) = T(x))                                                         (1)

over draws and replicas; the half counts ties, which only whole numbers have (mid-p). p near 0 says that the model
cannot make such data. It tends to 1/2 rather than to be uniform: the data have been used for the posterior.
"""

import dataclasses
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from tridentjax.experiment.likelihood import best_background
from tridentjax.experiment.measurement import Measurement
from tridentjax.inference.data import positive_background, throw
from tridentjax.inference.model import Model


class Replicated(NamedTuple):
    """Replicas of one datum and their expectations, (chain, draw), in the unit of the datum; p of Eq. (1)."""

    replicas: np.ndarray
    predicted: np.ndarray
    observed: float
    p_value: float
    unit: str
    kind: str


def replicate(
    model: Model, rate_ratios: dict[str, np.ndarray], parameters: dict[str, np.ndarray], seed: int
) -> dict[str, Replicated]:
    """One replica of every datum at every draw, and p-values.

    Parameters
    ----------
    model : of the posterior.
    rate_ratios, parameters : draws (chain, draw) by experiment and by parameter, as in `Posterior`. Backgrounds that
        are not sampled are those that fit the datum best at the draw.
    seed : of the replicas.

    Returns
    -------
    By experiment; published upper limits, which are no data that could be thrown, are left out.
    """
    shown = [i for i, chain in enumerate(model.chains) if not chain.experiment.measurement.is_limit]
    if not shown:
        return {}
    thrown = dataclasses.replace(
        model, chains=tuple(model.chains[i] for i in shown), parts=tuple(model.parts[i] for i in shown)
    )
    names, measured = thrown.experiments, [chain.experiment.measurement for chain in thrown.chains]
    shape = rate_ratios[names[0]].shape
    ratios = jnp.stack([jnp.asarray(rate_ratios[name].ravel()) for name in names], axis=1)
    sampled = [parameters.get(name) for name in thrown.background_names]
    backgrounds = jnp.stack([_background(*row) for row in zip(measured, ratios.T, sampled, strict=True)], axis=1)
    keys = jax.random.split(jax.random.PRNGKey(seed), ratios.shape[0])

    @eqx.filter_jit
    def values(
        ratios: Float[Array, "draw experiment"], backgrounds: Float[Array, "draw experiment"], keys: Array
    ) -> Any:
        none = jnp.zeros(0)  # centres of the constraints are not looked at
        return jax.vmap(lambda R, b, key: throw(thrown, R, none, b, key).value)(ratios, backgrounds, keys)

    replicas = np.asarray(values(ratios, backgrounds, keys))
    found = {}
    for i, m in enumerate(measured):
        predicted = np.asarray(m.expected(ratios[:, i], backgrounds[:, i]))
        p = tail(m, replicas[:, i], predicted)
        found[names[i]] = Replicated(
            replicas[:, i].reshape(shape), predicted.reshape(shape), float(m.value), p, m.unit, m.kind
        )
    return found


def tail(measurement: Measurement, replicas: np.ndarray, predicted: np.ndarray) -> float:
    """Value p of Eq. (1); the upper error of a ratio applies where the prediction lies above the datum."""
    thrown, own = (measurement.distance(jnp.asarray(x), jnp.asarray(predicted)) for x in (replicas, measurement.value))
    return float(np.mean((thrown > own) + 0.5 * (thrown == own)))


def describe(found: dict[str, Replicated]) -> dict[str, dict[str, Any]]:
    """Numbers for a summary: p-value, datum, mean and standard deviation of replicas and expectations."""
    return {
        name: {
            "p_value": item.p_value,
            "observed": item.observed,
            "unit": item.unit,
            "kind": item.kind,
            "replicated": {"mean": float(item.replicas.mean()), "sd": float(item.replicas.std())},
            "predicted": {"mean": float(item.predicted.mean()), "sd": float(item.predicted.std())},
            "statistic": "distance of the datum from its prediction, two-sided" + ", mid-p" * (item.unit == "events"),
        }
        for name, item in found.items()
    }


def _background(
    measurement: Measurement, ratios: Float[Array, " draw"], sampled: np.ndarray | None
) -> Float[Array, " draw"]:
    """Background of one experiment at every draw."""
    if sampled is not None:
        return positive_background(measurement, ratios, jnp.asarray(sampled.ravel()))
    return jax.vmap(lambda R: best_background(measurement, R))(ratios) * jnp.ones_like(ratios)
