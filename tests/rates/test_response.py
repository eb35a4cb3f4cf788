"""Rate ratios from responses: limits, closed formulas, published regions."""

import jax.numpy as jnp
import numpy as np
import pytest
from ccfr_rates import S2, VACUUM, contact_ratio, nominal, zprime_ratio
from scipy.optimize import brentq

from tridentjax import component_ratios
from tridentjax.theory import theories


@pytest.mark.few(1)
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


@pytest.mark.few(1)
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
