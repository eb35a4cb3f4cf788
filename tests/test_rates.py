import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq

from tridentjax import (
    Flux,
    Nuisances,
    build_kernels,
    component_ratios,
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


# --- rate ratios -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ccfr", "charm2", "nutev"])
def test_no_coupling_means_no_change(name):
    for mass in (1e-3, 0.3, 1e3):
        assert zprime_ratio(mass, 0.0, name) == 1.0
    assert float(contact_ratio(nominal(name), 0.0, 0.0)) == pytest.approx(1.0, abs=1e-15)


@pytest.mark.parametrize("name", ["ccfr", "nutev"])
def test_shares_and_ratios_make_up_the_total(name):
    parameters = {"mass": jnp.asarray(0.21), "g": jnp.asarray(1.7e-3)}
    shares, ratios = component_ratios(nominal(name), theories.zprime, parameters)
    np.testing.assert_allclose(shares.sum(), 1.0, rtol=1e-14)
    np.testing.assert_allclose((shares * ratios).sum(), zprime_ratio(0.21, 1.7e-3, name), rtol=1e-13)
    assert (np.asarray(shares) > 0).all() and np.ptp(ratios) > 1e-4
    regimes = [component.regime for component in nominal(name).components]
    coherent = float(shares[np.array([r == "coherent" for r in regimes])].sum())
    assert 0.8 < coherent < 0.97  # iron at 10^2 GeV: mostly coherent


@pytest.mark.parametrize("name", ["ccfr", "nutev"])
def test_contact_rate_is_a_quadratic_form(name):
    design = lambda v, a: np.array([1, v, a, v * v, a * a, v * a])  # noqa: E731
    points = [(0.0, 0.0), (0.7, 0.1), (-0.9, 0.4), (0.3, -1.1), (1.6, 0.8), (-0.4, -0.6)]
    form = np.linalg.solve(
        np.stack([design(*p) for p in points]), [float(contact_ratio(nominal(name), *p)) for p in points]
    )
    expected = design(-1.34, 2.21) @ form
    np.testing.assert_allclose(contact_ratio(nominal(name), -1.34, 2.21), expected, rtol=1e-10)
    assert abs(form[5]) < 1e-12  # equal masses: no interference of V and A


def test_contact_theory_against_its_densities():
    """R = sum (g_V^2 VV + g_A^2 AA)/SM from the folded weights, summed by hand."""
    VV, AA = np.asarray(nominal("ccfr").weights).sum((0, 2))
    g_V, g_A = 0.5 + 2 * S2, 0.5
    expected = ((g_V + 0.31) ** 2 * VV + (g_A - 0.17) ** 2 * AA) / (g_V**2 * VV + g_A**2 * AA)
    np.testing.assert_allclose(contact_ratio(nominal("ccfr"), 0.31, -0.17), expected, rtol=1e-13)


@pytest.mark.parametrize("sin2_theta_w", [0.2223, 0.2386])
def test_weak_angle_acts_above_and_below(sin2_theta_w):
    assert float(contact_ratio(nominal("ccfr"), 0.0, 0.0, sin2_theta_w)) == pytest.approx(1, abs=1e-15)
    VV, AA = np.asarray(nominal("ccfr").weights).sum((0, 2))
    g_V = 0.5 + 2 * sin2_theta_w
    expected = ((g_V + 0.2) ** 2 * VV + AA / 4) / (g_V**2 * VV + AA / 4)
    np.testing.assert_allclose(contact_ratio(nominal("ccfr"), 0.2, 0.0, sin2_theta_w), expected, rtol=1e-13)


def textbook(delta):
    """Infinite-energy limit with a shift of 2 g_V by 2 delta = 2 v^2 g^2/M^2."""
    return (1 + (1 + 4 * S2 + 2 * delta) ** 2) / (1 + (1 + 4 * S2) ** 2)


def test_textbook_formula_is_only_a_limit():
    """physics.md section 3: wrong by 1-4 % for a heavy vector, since sigma_AA exceeds sigma_VV."""
    for scale in (551.0, 300.0):
        delta = (VACUUM / scale) ** 2
        ours = zprime_ratio(1e3, 1e3 / scale)
        assert ours == pytest.approx(textbook(delta), rel=0.05)
        assert 0.005 < 1 - (ours - 1) / (textbook(delta) - 1) < 0.10, ours


def test_heavy_mediator_equals_contact():
    for scale in (551.0, -80.0):
        contact = float(contact_ratio(nominal("ccfr"), (VACUUM / scale) ** 2, 0.0))
        assert zprime_ratio(1e3, 1e3 / scale) == pytest.approx(contact, rel=1e-4)
    assert zprime_ratio(30.0, 30.0 / 551) < zprime_ratio(1e3, 1e3 / 551)


def test_ccfr_contact_region():
    """Published contours have m/g = 551 +- 8 GeV, R = 1.361 +- 0.011 (experiments.md section 2)."""
    assert zprime_ratio(200.0, 200 / 551) == pytest.approx(1.361, rel=0.03)


def test_ccfr_low_mass_plateau():
    g = brentq(lambda g: zprime_ratio(0.0135, g) - (0.82 + 1.96 * 0.28), 1e-4, 1e-2)
    assert g == pytest.approx(8.6e-4, rel=0.15)


def test_ratio_grows_with_coupling_and_falls_with_mass():
    couplings = [zprime_ratio(0.1, g) for g in (1e-4, 5e-4, 2e-3, 9e-3)]
    masses = [zprime_ratio(m, 1e-3) for m in (1e-3, 0.02, 0.4, 8.0)]
    assert (np.diff(couplings) > 0).all() and (np.diff(masses) < 0).all()
    assert zprime_ratio(0.1, -2e-3) == couplings[2]


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
        channel = experiment.channel()
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
