"""Toy models of fits: one or two parameters, closed answers."""

import dataclasses
import functools

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from toy_model import SLOPES, toy_model

from tridentjax.inference.coordinates import Prior
from tridentjax.inference.fit import fit

VALUE, SD = 0.82, 0.28
SIZE = float(np.linalg.norm(SLOPES))


class Toy(type(toy_model())):
    """The toy with derived quantities that need no channel."""

    def derived(self, values):
        return {"strength": values["g"] ** 2 / values["mass"]}


class FixedMass(Toy):
    """The toy at mass 1.7."""

    def rate_ratios(self, values, responses=None):
        return super().rate_ratios({"mass": jnp.asarray(1.7), **values})

    def derived(self, values):
        return {"strength": values["g"] ** 2 / 1.7}


BASE = toy_model()  # one for all: its functions are part of what JAX compiles for


def toy(kind=Toy, value=0.82, sd=None, **changes):
    """The toy with arrays for its numbers, so that other numbers need no other program."""
    fields = {f.name: getattr(BASE, f.name) for f in dataclasses.fields(BASE)}
    model = kind(**fields | changes)
    m = BASE.chains[0].experiment.measurement
    low, high = (m.uncertainty_low, m.uncertainty_high) if sd is None else (sd, sd)

    def numbers(model):
        m = model.chains[0].experiment.measurement
        return m.value, m.uncertainty_low, m.uncertainty_high

    return eqx.tree_at(numbers, model, tuple(jnp.asarray(x) for x in (value, low, high)))


@functools.cache
def interior():
    """The measurement prefers R = 2.3."""
    priors = {"g": Prior(0.01, 10.0, "loguniform")}
    return toy(FixedMass, value=2.3, sd=SD, priors=priors, names=("g", "n0", "n1", "n2"))


@functools.cache
def fitted():
    return fit(interior(), search=interior())


@functools.cache
def exclusion():
    """The toy of CCFR and its fit."""
    model = toy()
    return model, fit(model, search=model)
