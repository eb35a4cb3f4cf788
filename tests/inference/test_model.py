"""A model: its names, nominal point, likelihood and gradients."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ccfr_model import NUISANCES, model
from scipy import stats

from tridentjax.inference.build import make_model
from tridentjax.runs.config import load_config


def test_names_and_nominal_point():
    assert model().names == ("mass", "g")
    assert model("two").names == ("mass", "g", "coherent_normalisation", "incoherent_normalisation")
    assert model("all").names[2:] == (
        "flux_stretch_ccfr", "flux_tilt_ccfr", "nuclear_radius", "nuclear_diffuseness", "coherent_normalisation",
        "incoherent_normalisation", "sin2_theta_w",
    )  # fmt: skip
    values, _ = model("all").parameters(jnp.zeros(9))
    assert float(values["mass"]) == pytest.approx(1.0)  # median of [1e-3, 1e3]
    for name in ("flux_stretch_ccfr", "nuclear_radius", "coherent_normalisation", "incoherent_normalisation"):
        assert float(values[name]) == 1.0
    assert float(values["flux_tilt_ccfr"]) == 0.0 and float(values["sin2_theta_w"]) == 0.23122


def test_nuisances_have_their_prior_widths():
    z = jnp.asarray([0.0, 0.0, 1.3, -0.7, 0.4, 2.0, -1.1, 0.9, 1.7])
    values, _ = model("all").parameters(z)
    expected = {
        "flux_stretch_ccfr": np.exp(0.12 * 1.3), "flux_tilt_ccfr": 0.3 * -0.7, "nuclear_radius": np.exp(0.01 * 0.4),
        "nuclear_diffuseness": np.exp(0.05 * 2.0), "coherent_normalisation": np.exp(0.06 * -1.1),
        "incoherent_normalisation": np.exp(0.30 * 0.9), "sin2_theta_w": 0.23122 + 0.004 * 1.7,
    }  # fmt: skip
    for name, value in expected.items():
        assert float(values[name]) == pytest.approx(value, rel=1e-12), name


def test_likelihood_at_a_point_is_that_of_the_measurement():
    values = {"mass": jnp.asarray(200.0), "g": jnp.asarray(200 / 551)}
    R = float(model().rate_ratios(values)[0])
    assert pytest.approx(1.361, rel=0.03) == R
    assert float(model().log_likelihood(values)) == pytest.approx(stats.norm(R, 0.28).logpdf(0.82), rel=1e-12)


@pytest.mark.slow
def test_log_weight_gradients():
    everything = model("all")  # built before anything is traced
    log_weight = lambda z: everything.log_weight(z)  # noqa: E731, PLW0108 - a bound method of a model has no hash
    function = jax.jit(log_weight)
    reverse, forward = jax.jit(jax.grad(log_weight)), jax.jit(jax.jacfwd(log_weight))
    rng = np.random.default_rng(3)
    for z in (jnp.asarray(x) for x in 0.8 * rng.normal(size=(3, 9))):
        np.testing.assert_allclose(forward(z), reverse(z), rtol=1e-8, atol=1e-10)
        central = [(function(z + 1e-4 * e) - function(z - 1e-4 * e)) / 2e-4 for e in np.eye(9)]
        np.testing.assert_allclose(reverse(z), central, rtol=1e-5, atol=1e-6)
    corners = np.array([[-6, -6], [-6, 5], [5, -6], [4, 4]])
    for corner in corners:
        assert np.isfinite(reverse(jnp.asarray([*corner, *np.zeros(7)], dtype=float))).all()


@pytest.mark.slow
def test_counting_background_is_sampled_with_its_constraint():
    counting = make_model(load_config("zprime_ccfr", ("experiments=[nutev_1998]", *NUISANCES["none"])))
    assert counting.nuisances == {}
    counting = make_model(
        load_config(
            "zprime_ccfr",
            ("experiments=[nutev_1998]", *NUISANCES["two"], "nuisances.coherent_normalisation=false",
             "nuisances.incoherent_normalisation=false"),
        )
    )  # fmt: skip
    assert counting.names == ("mass", "g", "background_nutev_1998")
    values, _ = counting.parameters(jnp.asarray([0.0, 0.0, 0.6]))
    assert float(values["background_nutev_1998"]) == pytest.approx(9.8 + 0.6 * 2.9)
    # the constraint is the prior, so only the Poisson factor is left
    R = float(counting.rate_ratios(values)[0])
    expected = stats.poisson(10.8 * R + 9.8 + 0.6 * 2.9).logpmf(17)
    assert float(counting.log_likelihood(values)) == pytest.approx(expected, rel=1e-9)


def test_models_are_records_of_arrays():
    arrays = jax.tree.leaves(eqx.filter(model("two"), eqx.is_array))
    assert arrays and all(np.isfinite(x).all() for x in arrays)
