"""Models that the tests of the statistics share: built once a session, searched with expanded responses."""

import functools

import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import gammaln, xlogy

from tridentjax.experiment.load import load_experiment
from tridentjax.experiment.measurement import Nuisance
from tridentjax.inference.build import make_model
from tridentjax.inference.coordinates import Prior
from tridentjax.inference.model import Model, expand_model
from tridentjax.rates.chain import Chain
from tridentjax.runs.config import load_config
from tridentjax.theory.theories import sm

OFF = ("nuisances=false",)
NORMALISATIONS = tuple(
    f"nuisances.{name}=false"
    for name in ("flux_stretch", "flux_tilt", "nuclear_radius", "nuclear_diffuseness", "sin2_theta_w")
)
ALL = ()


@functools.cache
def statistical_model(experiments: str = "ccfr", nuisances: tuple[str, ...] = ALL) -> Model:
    """L_mu - L_tau against experiments; no walls are located."""
    overrides = ("sampler.edge=null", "sampler.along=null", f"experiments=[{experiments}]", *nuisances)
    return make_model(load_config("zprime_ccfr", overrides))


@functools.cache
def expanded_model(experiments: str = "ccfr", nuisances: tuple[str, ...] = ALL) -> Model:
    """The same with responses expanded in the nuisances."""
    return expand_model(statistical_model(experiments, nuisances))


class Analytic(Model):
    """Rate ratios in closed form in the place of the kernels: R_e = (1 + h_e g) exp(s_e . z), quick to compile."""

    def rate_ratios(self, values, responses=None):
        """Rate ratios; the Standard Model is g = 0."""
        number = jnp.arange(len(self.chains))
        strength = 0.0 if self.theory is sm else values["g"]
        pull = sum((0.11 - 0.07 * k + 0.04 * number) * values[name] for k, name in enumerate(self.profiled))
        return (1.0 + strength * (1.0 - 0.2 * number)) * jnp.exp(pull)


def analytic_model(*experiments: str, nuisances: int = 2) -> Model:
    """The measurements of experiments with the rate ratios of `Analytic`; nuisances z0, z1, ... have width 1."""
    chains = tuple(Chain(load_experiment(name), {}, (), ()) for name in experiments)
    normal = {f"z{k}": Nuisance(1.0, False, "unit width") for k in range(nuisances)}
    measured = {chain.experiment.name: chain.experiment.measurement for chain in chains}
    backgrounds = {
        f"background_{name}": Nuisance(m.background_uncertainty, False, "", part="background", centre=m.background)
        for name, m in measured.items()
        if m.observable == "counts"
    }
    theory, derive = (lambda p, channel, K2: None), (lambda p: {})
    parts = tuple({"background": f"background_{name}"} for name in measured)
    return Analytic(
        chains, {"g": Prior(1e-3, 4.0, "loguniform")}, {}, normal | backgrounds, None, None, None, None, theory,
        derive, ("g", *normal, *backgrounds), parts, {}, {}, {},
    )  # fmt: skip


def scipy_deviance(model, ratios, value, background) -> float:
    """-2 ln L written out; backgrounds are fitted by a bounded search."""
    total = 0.0
    for i, chain in enumerate(model.chains):
        m, R, x = chain.experiment.measurement, float(ratios[i]), float(value[i])
        if m.observable == "counts":
            total += _counts(m, m.signal_sm * R, x, float(background[i]))
        else:
            sd = m.uncertainty_high if x < R else m.uncertainty_low
            total += ((x - R) / sd) ** 2 + 2 * np.log((m.uncertainty_low + m.uncertainty_high) / 2) + np.log(2 * np.pi)
    return total


def _counts(m, signal, count, estimate):
    sd = m.background_uncertainty

    def at(b):
        poisson = -2 * (xlogy(count, signal + b) - signal - b - gammaln(count + 1))
        return poisson + ((estimate - b) / sd) ** 2 + np.log(2 * np.pi * sd**2)

    return minimize_scalar(at, bounds=(0.0, 60.0), method="bounded", options={"xatol": 1e-9}).fun
