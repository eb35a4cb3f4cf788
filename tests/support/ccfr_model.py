"""The model of `zprime_ccfr` with its nuisances, and short runs of it."""

import functools

from tridentjax.inference.build import make_model, settings_of
from tridentjax.inference.posterior import Sampling, sample_posterior
from tridentjax.runs.config import load_config

SMALL = (
    "sampler.chains=2", "sampler.warmup=100", "sampler.draws=100", "sampler.max_draws=100", "sampler.block=50",
    "sampler.ess=10", "sampler.seed=8",
)  # fmt: skip
NUISANCES = {
    "none": ("nuisances=false",),
    "two": tuple(
        f"nuisances.{name}=false"
        for name in ("flux_stretch", "flux_tilt", "nuclear_radius", "nuclear_diffuseness", "sin2_theta_w")
    ),
    "all": (),
}


@functools.cache
def spec(nuisances="none"):
    return load_config("zprime_ccfr", SMALL + NUISANCES[nuisances])


@functools.cache
def model(nuisances="none"):
    return make_model(spec(nuisances))


def sampling(nuisances="none"):
    return settings_of(Sampling, spec(nuisances).sampler)


@functools.cache
def short_run(nuisances="none"):
    return sample_posterior(model(nuisances), sampling(nuisances))
