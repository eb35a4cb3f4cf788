"""The folded chain mixes no dtypes; numpyro itself fails under strict promotion, so the mode is scoped.

The helicity amplitudes multiply real by complex numbers throughout and are left out.
"""

import jax
import jax.numpy as jnp
import pytest

import tridentjax as tj


@pytest.mark.slow
def test_fold_rate_and_likelihood_under_strict_promotion():
    ccfr = tj.prepare(tj.load_experiment("ccfr"))
    with jax.numpy_dtype_promotion("strict"):

        def log_likelihood(mass, stretch):
            nuisances = tj.Nuisances(flux_stretch=stretch, flux_tilt=0.1 * stretch, nuclear_radius=stretch)
            ratio = tj.rate_ratio(tj.fold(ccfr, nuisances), tj.theories.zprime, {"mass": mass, "g": 1e-3})
            return tj.log_likelihood(ccfr.experiment.measurement, ratio)

        gradient = jax.grad(log_likelihood, argnums=(0, 1))(jnp.asarray(0.13), jnp.asarray(1.02))
    assert all(jnp.isfinite(g) and g != 0.0 for g in gradient)
