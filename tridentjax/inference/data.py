"""Data of a model: observed, Asimov and thrown values, and deviances from them."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.scipy.special import ndtri
from jaxtyping import Array, Float

from tridentjax.experiment.likelihood import log_likelihood, profiled_background
from tridentjax.inference.model import Model
from tridentjax.theory.theories import sm

Point = dict[str, Float[Array, ""]]


class Data(eqx.Module):
    """What was measured: values x_e (ratio or counts), background estimates, and centres z_0 of the constraints."""

    value: Float[Array, " experiment"]
    background: Float[Array, " experiment"]
    centre: Float[Array, " nuisance"]


def observed(model: Model) -> Data:
    """The data of the experiments themselves."""
    measurements = [chain.experiment.measurement for chain in model.chains]
    return Data(
        jnp.asarray([m.value for m in measurements], dtype=float),
        jnp.asarray([m.background for m in measurements], dtype=float),
        jnp.zeros(len(model.profiled)),
    )


def deviances(model: Model, data: Data, ratios: Float[Array, " experiment"]) -> Float[Array, " experiment"]:
    """-2 ln L_e of every experiment at predicted ratios, best background included."""
    terms = []
    for i, chain in enumerate(model.chains):
        m = chain.experiment.measurement
        m = eqx.tree_at(lambda x: (x.value, x.background), m, (data.value[i], data.background[i]))
        terms.append(-2.0 * log_likelihood(m, ratios[i]))
    return jnp.stack(terms)


def standard_model(model: Model) -> Model:
    """The same experiments and nuisances with the theory switched off."""
    return dataclasses.replace(model, theory=sm)


def asimov(model: Model, point: Point, z: Float[Array, " nuisance"], data: Data) -> Data:
    """Data without fluctuations of a hypothesis whose nuisances (and backgrounds) fit `data` best."""
    ratios = model.ratios_at(point, z)
    values, backgrounds = zip(*(_expected(model, i, ratios[i], data) for i in range(ratios.size)), strict=True)
    return Data(jnp.stack(values), jnp.stack(backgrounds), z)


def _expected(model: Model, i: int, ratio: Float[Array, ""], data: Data) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Expected value and background of one experiment."""
    m = model.chains[i].experiment.measurement
    if m.observable != "counts":
        return ratio, data.background[i]
    signal = m.signal_sm * ratio
    best = profiled_background(data.value[i], signal, data.background[i], m.background_uncertainty)
    return signal + best, best


def throw(
    model: Model,
    ratios: Float[Array, " experiment"],
    z: Float[Array, " nuisance"],
    backgrounds: Float[Array, " experiment"],
    key: Array,
) -> Data:
    """One toy: data of every experiment and centres of all constraints, thrown about a truth."""
    values, estimates = [], []
    for i, chain in enumerate(model.chains):
        m = chain.experiment.measurement
        of_value, of_background = jax.random.split(jax.random.fold_in(key, i))
        if m.observable == "counts":
            expected = m.signal_sm * ratios[i] + backgrounds[i]
            values.append(jax.random.poisson(of_value, expected).astype(float))
            estimates.append(backgrounds[i] + m.background_uncertainty * jax.random.normal(of_background))
        else:
            values.append(ratios[i] + _two_piece(jax.random.uniform(of_value), m.uncertainty_low, m.uncertainty_high))
            estimates.append(jnp.zeros(()))
    centres = z + jax.random.normal(jax.random.fold_in(key, len(values)), z.shape)
    return Data(jnp.stack(values), jnp.stack(estimates), centres)


def _two_piece(u: Float[Array, ""], low: float, high: float) -> Float[Array, ""]:
    """Measured minus true value at quantile u: the upper error applies when the truth lies above the measurement."""
    below = high / (low + high)
    x = jnp.where(u < below, u / (2.0 * below), 0.5 + (u - below) / (2.0 * (1.0 - below)))
    return jnp.where(u < below, high, low) * ndtri(jnp.clip(x, 1e-300, 1.0 - 1e-16))


def with_data(model: Model, data: Float[Array, " experiment"]) -> Model:
    """The same model with other measured values."""
    return eqx.tree_at(lambda m: [chain.experiment.measurement.value for chain in m.chains], model, list(data))
