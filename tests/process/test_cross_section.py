import jax.numpy as jnp
import numpy as np
import pytest
from fixtures_physics import DIMUON, dimuon_table, kernel_total

from tridentjax.currents import Channel, standard_model_current
from tridentjax.nucleus.form_factors import Dipole, NucleonFormFactors
from tridentjax.nucleus.nuclei import load_nucleus
from tridentjax.nucleus.regimes import Coherent, Incoherent, nucleon_regime, nucleus_regimes
from tridentjax.process import cross_section
from tridentjax.process.cross_section import integrate, total_cross_section
from tridentjax.process.phase_space import threshold_energy
from tridentjax.quadrature import sobol_rule


def coherent(name):
    return nucleus_regimes(load_nucleus(name, "helm"))[0]


RNG = np.random.default_rng(4)
LOOSE = [
    (name, float(E)) for name in ("C12", "Fe56", "W184") for E in np.exp(RNG.uniform(np.log(1.1), np.log(350.0), 4))
]


@pytest.mark.few(1)
@pytest.mark.parametrize(("name", "E_nu"), LOOSE)
def test_quoted_error_is_honest(name, E_nu):
    """Loose estimates lie within three quoted errors of the sampling-free kernel (accurate to 1e-5)."""
    regime = coherent(name)
    estimate = total_cross_section(DIMUON, regime, E_nu, rtol=1e-2, points=2**10, seed=LOOSE.index((name, E_nu)))
    exact = kernel_total(dimuon_table(), regime, E_nu)
    assert float(estimate.error[0]) < 0.02 * exact[0]
    pulls = (np.asarray(estimate.value) - exact) / np.asarray(estimate.error)
    assert np.abs(pulls).max() < 3


@pytest.mark.slow
def test_errors_are_neither_too_small_nor_too_large():
    """Spread of independent seeds against the quoted error: chi^2 of 20 seeds around the kernel."""
    regime, E_nu = coherent("Fe56"), 17.3
    exact = kernel_total(dimuon_table(), regime, E_nu)
    estimates = [total_cross_section(DIMUON, regime, E_nu, rtol=1e-1, points=2**10, seed=s) for s in range(100, 120)]
    chi2 = np.mean([((np.asarray(e.value) - exact) / np.asarray(e.error)) ** 2 for e in estimates], axis=0)
    assert (chi2 < 1.9).all() and (chi2 > 0.2).all()


@pytest.mark.slow
def test_tolerance_is_reached_by_adding_points():
    loose = total_cross_section(DIMUON, coherent("Fe56"), 5.7, rtol=2e-2, points=2**10)
    tight = total_cross_section(DIMUON, coherent("Fe56"), 5.7, rtol=3e-3, points=2**10)
    assert tight.points > loose.points
    assert float(tight.error[0]) < float(loose.error[0])
    # VV and AA fluctuate together, so their sum cannot be better than either
    assert float(tight.error[:2].max()) <= 3e-3 * float(tight.value[:2].sum())


@pytest.mark.slow
def test_unreachable_tolerance_is_reported(monkeypatch):
    monkeypatch.setattr(cross_section, "_MOST_POINTS", 2**8)
    with pytest.raises(RuntimeError, match=r"coherent at 5.7 GeV: relative error .* after 4096 points; ask for rtol"):
        total_cross_section(DIMUON, coherent("Fe56"), 5.7, rtol=1e-5, points=2**8)


def test_threshold_gives_exactly_zero():
    regime = nucleon_regime("proton")
    threshold = threshold_energy(DIMUON, regime.mass)
    for E in (threshold, 0.7 * threshold, 1e-3):
        estimate = total_cross_section(DIMUON, regime, E)
        assert not np.asarray(estimate.value).any() and not np.asarray(estimate.error).any()
    just_above = integrate(DIMUON, regime, jnp.asarray(threshold * 1.001), sobol_rule(2**10, 7, 3))
    well_above = integrate(DIMUON, regime, jnp.asarray(threshold * 1.5), sobol_rule(2**10, 7, 3))
    assert (just_above[:2] > 0).all() and (just_above[:2] < 1e-6 * well_above[:2]).all()


def test_forbidden_channel_is_exactly_zero():
    channel = Channel("mu", "e", "mu")
    estimate = total_cross_section(channel, coherent("Ar40"), 12.0)
    assert float(estimate.sigma) == 0.0 and float(estimate.sigma_error) == 0.0


@pytest.mark.parametrize("E_nu", [float("nan"), float("inf"), 0.0, -3.0])
def test_bad_energy_is_refused(E_nu):
    with pytest.raises(ValueError, match=rf"neutrino energy {E_nu} GeV; allowed: positive and finite"):
        total_cross_section(DIMUON, coherent("Ar40"), E_nu)


def test_sigma_is_the_contraction_with_constant_couplings():
    estimate = total_cross_section(DIMUON, coherent("Fe56"), 5.7, rtol=2e-2, points=2**10)
    current = standard_model_current(DIMUON)
    g_V, g_A = float(current.g_V[0]), float(current.g_A[0])
    np.testing.assert_allclose(estimate.sigma, np.array([g_V**2, g_A**2, g_V * g_A]) @ estimate.value, rtol=1e-12)
    assert 0 < float(estimate.sigma_error) < 0.03 * float(estimate.sigma)


@pytest.mark.slow
def test_antineutrinos_have_the_same_total():
    """Same nodes: for equal masses nu and antinu differ only by the sign of VA, which integrates to zero."""
    regime, rule = coherent("Fe56"), sobol_rule(2**12, 7, 21)
    nu = integrate(DIMUON, regime, jnp.asarray(8.3), rule)
    anti = integrate(Channel("mu", "mu", "mu", antineutrino=True), regime, jnp.asarray(8.3), rule)
    np.testing.assert_allclose(nu[:2], anti[:2], rtol=1e-2)
    assert abs(float(nu[2])) < 0.02 * float(nu[0])


def test_nucleus_of_charge_one_is_a_proton_without_magnetic_moment():
    """Coherent and incoherent regimes share one tensor when F = G_E/sqrt(1 + tau) and G_M = 0."""
    mass, dipole = 0.938, Dipole(1.0, 0.843)
    proton = Incoherent(NucleonFormFactors(dipole, Dipole(0.0, 1.0), mass), 1, 0.0, "incoherent_proton")
    as_nucleus = Coherent(lambda Q2: dipole(Q2) / jnp.sqrt(1 + Q2 / (4 * mass**2)), 1, mass, 0.84, largest_Q2=20.0)
    rule = sobol_rule(2**10, 7, 3)
    np.testing.assert_allclose(
        integrate(DIMUON, as_nucleus, jnp.asarray(3.3), rule),
        integrate(DIMUON, proton, jnp.asarray(3.3), rule),
        rtol=1e-12,
        atol=1e-60,
    )


@pytest.mark.few(1)
@pytest.mark.parametrize("above", [1e-14, 1e-9, 1e-4])
def test_a_hair_above_threshold_is_finite(above):
    channel, regime = Channel("mu", "mu", "mu"), nucleon_regime("neutron")
    energy = threshold_energy(channel, regime.mass) * (1.0 + above)
    estimate = total_cross_section(channel, regime, energy, rtol=0.05, points=2**9)
    assert np.all(np.isfinite(np.asarray(estimate.value))) and float(estimate.sigma) >= 0.0
