import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ccfr_rates import GENERIC, chain, changed, live, nominal, ratio

from tridentjax import (
    Flux,
    Nuisances,
    build_kernels,
    fold,
    load_experiment,
    prepare,
    rate_ratio,
    signal,
    total_cross_section,
)
from tridentjax.nucleus.form_factors import FermiDensity, VariedDensity
from tridentjax.nucleus.regimes import Coherent, nucleus_regimes
from tridentjax.rates.chain import Chain, fold_flux, fold_target
from tridentjax.theory import theories

# --- rate ratios -----------------------------------------------------------------------------------------


# --- live nuisances against the same chain with other inputs -----------------------------------------------


@pytest.mark.parametrize("name", ["ccfr", "charm2", "nutev"])
def test_live_fold_equals_precomputed_fold(name):
    fixed = fold(chain(name), Nuisances(*(float(x) for x in GENERIC)))  # builds the chain outside of any trace
    traced = live(name)(GENERIC)
    np.testing.assert_allclose(traced.weights, fixed.weights, rtol=1e-10, atol=1e-12 * float(fixed.weights.max()))
    np.testing.assert_allclose(traced.flux_integral, fixed.flux_integral, rtol=1e-12)
    point = (jnp.asarray(0.07), jnp.asarray(1.3e-3))
    np.testing.assert_allclose(ratio(traced, *point), ratio(fixed, *point), rtol=1e-12)


@pytest.mark.parametrize("name", ["ccfr", "nutev"])
@pytest.mark.parametrize("s", [0.83, 1.21])
def test_stretch_is_a_flux_of_stretched_energies(name, s):
    fluxes = tuple(
        Flux(f.energy * s, f.weight, f.pivot, f.species, f.unit, f.name) for f in chain(name).experiment.fluxes
    )
    by_hand = fold(changed(name, fluxes=fluxes))
    ours = live(name)(GENERIC._replace(**dict.fromkeys(Nuisances._fields, jnp.asarray(1.0)))._replace(
        flux_stretch=jnp.asarray(s), flux_tilt=jnp.asarray(0.0)))  # fmt: skip
    np.testing.assert_allclose(ours.weights, by_hand.weights, rtol=1e-10, atol=1e-12 * float(by_hand.weights.max()))
    np.testing.assert_allclose(ours.flux_integral, nominal(name).flux_integral, rtol=1e-12)
    assert float(signal(ours, theories.sm, {}).sum() / signal(nominal(name), theories.sm, {}).sum() - 1) * (s - 1) > 0


@pytest.mark.parametrize("tilt", [-0.6, 0.35])
def test_tilt_is_a_reweighted_flux(tilt):
    (f,) = chain("ccfr").experiment.fluxes
    tilted = Flux(f.energy, f.weight * (f.energy / f.pivot) ** tilt, f.pivot, f.species, f.unit, f.name)
    by_hand = fold(changed("ccfr", fluxes=(tilted,)))
    ours = fold(chain("ccfr"), Nuisances(flux_tilt=tilt))
    np.testing.assert_allclose(ours.weights, by_hand.weights, rtol=1e-10)
    np.testing.assert_allclose(ours.flux_integral, by_hand.flux_integral, rtol=1e-12)


def test_radius_and_diffuseness_are_those_of_the_density():
    loaded = chain("ccfr")
    (nucleus,) = loaded.experiment.nuclei
    fit = nucleus.fit
    factor = VariedDensity(nucleus.form_factor, fit, jnp.asarray(0.97), jnp.asarray(1.11))
    Q2 = jnp.asarray([1e-3, 0.02, 0.09])
    varied = FermiDensity(fit.c * 0.97, fit.z * 1.11, fit.w)
    np.testing.assert_allclose(factor(Q2), nucleus.form_factor(Q2) + varied(Q2) - fit(Q2), rtol=1e-13)

    regime, kernel = nucleus_regimes(nucleus)[0], loaded.kernels["Fe56"]
    density = fold_target(kernel, Coherent(factor, regime.Z, regime.mass, regime.radius))
    row = fold_flux(density, kernel, loaded.experiment.fluxes[0], 1.0, 0.0)
    ours = fold(loaded, Nuisances(nuclear_radius=0.97, nuclear_diffuseness=1.11))
    np.testing.assert_allclose(ours.weights[0] * ours.flux_integral, row, rtol=1e-10)
    np.testing.assert_array_equal(ours.weights[1:], nominal("ccfr").weights[1:])


def test_larger_nucleus_scatters_less():
    small, large = (fold(chain("ccfr"), Nuisances(nuclear_radius=x)).weights[0].sum() for x in (0.95, 1.05))
    assert float(large) < float(small)


def test_normalisations_scale_their_components():
    ours = fold(chain("nutev"), Nuisances(coherent_normalisation=1.17, incoherent_normalisation=0.62))
    factors = np.array([1.17 if c.regime == "coherent" else 0.62 for c in ours.components])
    np.testing.assert_allclose(ours.weights, factors[:, None, None] * np.asarray(nominal("nutev").weights), rtol=1e-13)


def test_components_are_additive_over_beams():
    """NuTeV's two beam species folded together are the flux-weighted mean of each alone."""
    both = chain("nutev")
    total, weight = 0.0, 0.0
    for flux in both.experiment.fluxes:
        alone = fold(changed("nutev", fluxes=(flux,)))
        total = total + np.asarray(alone.weights).sum(0) * float(alone.flux_integral)
        weight += float(alone.flux_integral)
    np.testing.assert_allclose(total / weight, np.asarray(nominal("nutev").weights).sum(0), rtol=1e-12)


# --- compressed path against the direct integral -----------------------------------------------------------


@functools.cache
def monoenergetic(E_nu):
    experiment = load_experiment("ccfr")
    flux = Flux(jnp.asarray([E_nu]), jnp.ones(1), E_nu, "numu", "1/GeV", "one energy")
    experiment = eqx.tree_at(lambda e: e.fluxes, experiment, (flux,))
    return fold(prepare(experiment, build_kernels(experiment)))


@pytest.mark.parametrize(
    ("index", "masses"),
    [(0, (1e-3, 0.03)), (1, (1.0, 50.0)), (2, (0.03, 1000.0))],
    ids=["coherent", "proton", "neutron"],
)
def test_kernels_against_direct_integrals(index, masses):
    """Flux of a single energy, 37 GeV on iron, theory couplings inside the uncompressed integral."""
    response = monoenergetic(37.0)
    experiment = load_experiment("ccfr")
    regime = nucleus_regimes(experiment.nuclei[0])[index]
    assert response.components[index].regime == regime.name
    for mass in masses:
        # a coupling for which the mediator matters about as much as the Standard Model
        parameters = {"mass": jnp.asarray(mass), "g": jnp.asarray(max(1.2e-3, mass / 400))}
        channel = experiment.channel(experiment.fluxes[0])
        estimate = total_cross_section(
            channel, regime, 37.0, theory=theories.zprime, parameters=parameters, rtol=5e-4, seed=4
        )
        ours = float(signal(response, theories.zprime, parameters)[index])
        assert abs(ours - float(estimate.sigma)) < 3 * float(estimate.sigma_error), (mass, ours, estimate)
        assert float(estimate.sigma_error) < 3e-3 * ours


# --- gradients of the whole chain --------------------------------------------------------------------------


def whole_chain(x):
    from tridentjax import log_likelihood

    response = fold(chain("ccfr"), Nuisances(*x[3:]))
    parameters = {"mass": x[0], "g": x[1], "sin2_theta_w": x[2]}
    return log_likelihood(chain("ccfr").experiment.measurement, rate_ratio(response, theories.zprime, parameters))


def test_gradients_of_the_whole_chain():
    """All nine parameters: mass, g, weak angle and six nuisances."""
    x = jnp.asarray([0.11, 1.9e-3, 0.2343, *GENERIC])
    chain("ccfr")  # kernels are built outside of any trace
    function = jax.jit(whole_chain)
    forward, reverse = jax.jit(jax.jacfwd(whole_chain))(x), jax.jit(jax.grad(whole_chain))(x)
    assert np.isfinite(reverse).all() and (np.abs(np.asarray(reverse)) > 1e-7).all()
    np.testing.assert_allclose(forward, reverse, rtol=1e-9)
    for i, unit in enumerate(np.eye(9)):
        h = 1e-4 * max(abs(float(x[i])), 1e-3)
        central = (8 * (function(x + h * unit) - function(x - h * unit))
                   - (function(x + 2 * h * unit) - function(x - 2 * h * unit))) / (12 * h)  # fmt: skip
        np.testing.assert_allclose(reverse[i], central, rtol=2e-6, err_msg=f"parameter {i}")


def test_whole_chain_jit_and_vmap():
    x = jnp.asarray([0.11, 1.9e-3, 0.2343, *GENERIC])
    rows = jnp.stack([x, x.at[0].set(40.0).at[3].set(0.9)])
    loop = np.array([whole_chain(row) for row in rows])
    np.testing.assert_allclose(jax.jit(jax.vmap(whole_chain))(rows), loop, rtol=1e-10)
    np.testing.assert_allclose(jax.jit(whole_chain)(rows[1]), loop[1], rtol=1e-11)


def test_gradients_are_finite_at_the_corners():
    response = nominal("ccfr")
    slope = jax.jit(jax.grad(lambda x: rate_ratio(response, theories.zprime, {"mass": x[0], "g": x[1]})))
    for mass in (1e-3, 1.0, 1e3):
        for g in (0.0, 1e-5, 3.0):
            assert np.isfinite(slope(jnp.asarray([mass, g]))).all()


def test_chain_is_a_record_of_arrays():
    assert isinstance(chain("ccfr"), Chain)
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(eqx.filter(chain("ccfr"), eqx.is_array)))
