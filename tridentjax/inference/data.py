"""Data of a model: observed, Asimov and thrown values, and deviances from them."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from tridentjax.experiment.likelihood import best_background, log_likelihood
from tridentjax.experiment.measurement import Measurement, Numbers
from tridentjax.inference.model import Model
from tridentjax.theory.theories import sm

_SMALLEST_MEAN = 1e-9  # of a count: a normal background may be negative, and rounding too

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
    measured = measurements(model, data)
    return jnp.stack([-2.0 * log_likelihood(m, ratios[i]) for i, m in enumerate(measured)])


def measurements(model: Model, data: Data) -> list[Measurement]:
    """Measurements of the experiments with other data."""
    return [
        eqx.tree_at(
            lambda m: (m.value, m.background), chain.experiment.measurement, (data.value[i], data.background[i])
        )
        for i, chain in enumerate(model.chains)
    ]


def standard_model(model: Model) -> Model:
    """The same experiments and nuisances with the theory switched off."""
    return dataclasses.replace(model, theory=sm)


def asimov(model: Model, point: Point, z: Float[Array, " nuisance"], data: Data) -> Data:
    """Data without fluctuations of a hypothesis whose nuisances (and backgrounds) fit `data` best."""
    ratios = model.ratios_at(point, z)
    measured = measurements(model, data)
    backgrounds = [best_background(m, ratios[i]) for i, m in enumerate(measured)]
    values = [m.expected(ratios[i], b) for i, (m, b) in enumerate(zip(measured, backgrounds, strict=True))]
    return Data(jnp.stack(values), jnp.stack(backgrounds), z)


def positive_background(measurement: Measurement, ratio: Numbers, background: Numbers) -> Float[Array, "..."]:
    """A background of a truth, cut off where the expected count would be negative."""
    return jnp.maximum(background, _SMALLEST_MEAN - measurement.signal_sm * ratio)


def throw(
    model: Model,
    ratios: Float[Array, " experiment"],
    z: Float[Array, " nuisance"],
    backgrounds: Float[Array, " experiment"],
    key: Array,
) -> Data:
    """One toy: data of every experiment and centres of all constraints, thrown about a truth."""
    thrown = [
        chain.experiment.measurement.throw(ratios[i], backgrounds[i], jax.random.fold_in(key, i))
        for i, chain in enumerate(model.chains)
    ]
    values, estimates = zip(*thrown, strict=True)
    centres = z + jax.random.normal(jax.random.fold_in(key, len(values)), z.shape)
    return Data(jnp.stack(values), jnp.stack(estimates), centres)


def with_data(model: Model, data: Float[Array, " experiment"]) -> Model:
    """The same model with other measured values."""
    return eqx.tree_at(lambda m: [chain.experiment.measurement.value for chain in m.chains], model, list(data))
