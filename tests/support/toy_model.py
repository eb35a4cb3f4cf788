"""A model whose rate ratios are a formula, in place of kernels: closed forms to test statistics against."""

import dataclasses
import functools

import jax.numpy as jnp

from tridentjax.experiment.load import load_experiment
from tridentjax.experiment.measurement import Nuisance
from tridentjax.inference.coordinates import Prior
from tridentjax.inference.model import Model
from tridentjax.rates.chain import Chain
from tridentjax.theory.theories import sm

SLOPES = jnp.asarray([0.21, -0.13, 0.07])  # of ln R with the nuisances


class ToyModel(Model):
    """R = (1 + g^2/mass) exp(SLOPES . z)."""

    def ratios_at(self, values, z):
        correlated = z if self.correlation is None else self.correlation @ z
        return self.rate_ratios(values) * jnp.exp(SLOPES @ correlated)

    def rate_ratios(self, values, responses=None):
        return jnp.stack([1.0 + values["g"] ** 2 / values["mass"]])

    def responses(self, values):
        return ()


@functools.cache
def ccfr():
    return load_experiment("ccfr")


def toy_model(correlation=None, **measurement):
    measured = dataclasses.replace(ccfr().measurement, **measurement)
    chain = Chain(dataclasses.replace(ccfr(), measurement=measured), {}, (), ())
    nuisances = {f"n{i}": Nuisance(0.1, True, "toy") for i in range(3)}
    priors = {"mass": Prior(0.1, 10.0, "loguniform"), "g": Prior(0.01, 10.0, "loguniform")}
    names = (*priors, *nuisances)
    return ToyModel(
        chains=(chain,), priors=priors, fixed={}, nuisances=nuisances, edge=None, expanded=(), correlation=correlation,
        auxiliary=None, choices={}, theory=sm, derive=lambda p: {}, names=names, parts=({},), units={}, latex={},
    )  # fmt: skip
