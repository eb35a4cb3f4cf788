"""Prepared experiments and their rate ratios, made once."""

import functools

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from tridentjax import Nuisances, fold, load_experiment, prepare, rate_ratio
from tridentjax.theory import theories

VACUUM = (np.sqrt(2) * 1.1663788e-5) ** -0.5  # Higgs vev [GeV]
S2 = 0.23122
GENERIC = Nuisances(*(jnp.asarray(x) for x in (1.093, -0.21, 1.013, 0.96, 1.07, 0.81)))


@functools.cache
def chain(name):
    return prepare(load_experiment(name))


@functools.cache
def nominal(name):
    return fold(chain(name))


@functools.cache
def live(name):
    """Fold with every nuisance traced, compiled."""
    return eqx.filter_jit(lambda nuisances: fold(chain(name), nuisances))


def zprime_ratio(mass, g, name="ccfr"):
    return float(ratio(nominal(name), jnp.asarray(mass), jnp.asarray(g)))


@eqx.filter_jit
def ratio(response, mass, g):
    return rate_ratio(response, theories.zprime, {"mass": mass, "g": g})


@eqx.filter_jit
def contact_ratio(response, delta_g_V, delta_g_A, sin2_theta_w=S2):
    parameters = {"delta_g_V": delta_g_V, "delta_g_A": delta_g_A, "sin2_theta_w": jnp.asarray(sin2_theta_w)}
    return rate_ratio(response, theories.contact, parameters)


def changed(name, **fields):
    """Chain of an experiment with other inputs and the kernels it had."""
    old = chain(name)
    names = tuple(fields)
    experiment = eqx.tree_at(lambda e: [getattr(e, n) for n in names], old.experiment, [fields[n] for n in names])
    return prepare(experiment, old.kernels)
