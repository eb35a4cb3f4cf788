"""Toy models with extrema and boundaries in closed form."""

import dataclasses
import functools

import jax.numpy as jnp
import numpy as np
from scipy.stats import chi2
from toy_model import toy_model

from tridentjax.inference.constrained import Allowed
from tridentjax.inference.data import deviances
from tridentjax.inference.deviance import make_deviance
from tridentjax.inference.extremum import make_allowed

VALUE, SD = 0.82, 0.28
C = float(chi2.ppf(0.95, 1))
OUTER = VALUE + SD * np.sqrt(C + ((1.0 - VALUE) / SD) ** 2)  # largest R allowed: the best fit is nearly R = 1
EDGE = VALUE + SD * np.sqrt(C + ((1.0 + 1e-5 - VALUE) / SD) ** 2) - 1.0  # g^2/mass on the boundary


def derive(p):
    """A curved derived quantity of the toy theory, without a solution where the mass is above 8."""
    t = jnp.log(p["mass"]) + 0.3
    return {"shape": jnp.where(p["mass"] > 8.0, jnp.nan, p["g"] * jnp.exp(-(t**2)))}


class _Ends:
    """Delta chi2 of the toy on a dense grid, nuisances nominal."""

    mass = np.geomspace(0.1, 10.0, 801)
    g = np.geomspace(0.01, 10.0, 1201)


class Toy(type(toy_model())):
    """The toy with derived quantities that need no channel."""

    def derived(self, values):
        return derive(values)


class Ridge(type(toy_model())):
    """A derived quantity that is a function of R but for a hundredth, along a curved boundary."""

    def rate_ratios(self, values, responses=None):
        return jnp.stack([1.0 + values["g"] ** 2 / (values["mass"] ** 2 + 0.1)])

    def derived(self, values):
        strength = values["g"] ** 2 / (values["mass"] ** 2 + 0.1)
        return {"ridge": strength * (1.0 + 0.01 * jnp.tanh(2.0 * jnp.log(values["mass"]) + 1.0))}


def make_toy(kind, **changes):
    base = toy_model()
    return kind(**{f.name: getattr(base, f.name) for f in dataclasses.fields(base)} | changes)


@functools.cache
def region(nuisances="nominal"):
    model = make_toy(Toy)
    return make_allowed(model, model, nuisances=nuisances)


def region_above(model, R):
    """Nominal region of a model whose best rate ratio is known, with no search for it."""
    F = deviances(model, make_deviance(model).data, jnp.asarray([R])).sum()
    return Allowed(make_deviance(model), model, (), F, jnp.asarray(C), False)


@functools.cache
def ridge():
    return region_above(make_toy(Ridge), 1.0 + 1e-4 / 100.1)
