"""Belle II: cross section inside the cuts, branching ratio, events and likelihood."""

import math
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import poisson

from tridentjax.experiment.belle2 import (
    Belle2Assumptions,
    belle2_events,
    belle2_log_likelihood,
    electron_coupling2,
    invisible_branching_ratio,
    photon_cross_section,
)
from tridentjax.faults import InputError
from tridentjax.inference.limits.belle2_reach import lmutau_events
from tridentjax.theory.mediators import loop_mixing, loop_mixing_timelike

ALPHA, GEV2_IN_AB = 1 / 137.035999177, 0.3893793721e15
CHARGE = math.sqrt(4 * math.pi * ALPHA)
M_E, M_MU, M_TAU = 0.00051099895069, 0.1056583755, 1.77693
WINDOW = Belle2Assumptions(
    min_energy=1.3, max_energy=5.9, min_angle=23.0, max_angle=117.0, luminosity=3.7, efficiency=0.31
)
COUNTED = Belle2Assumptions(background=4.3, observed=6.0)
GENERAL = {"g_nu_mu": 2e-4, "g_nu_e": -1e-4, "g_V": 3e-4, "g_V_e": 1.3e-4, "g_A_mu": -2.1e-4, "kinetic_mixing": 4e-4}
ROOT_S = math.sqrt(112.0)


def boosted_integral(mass, a):
    """SciPy's integral over the laboratory cosine, photon energy from four-momenta, Jacobian of the boost."""
    electron, positron = a.electron_energy, a.positron_energy
    s = 4 * electron * positron
    beta = (electron - positron) / (electron + positron)

    def energy(cos_lab):
        return (s - mass**2) / (2 * (electron + positron - (electron - positron) * cos_lab))

    def integrand(cos_lab):
        if not a.min_energy <= energy(cos_lab) <= (a.max_energy or math.inf):
            return 0.0
        c = (cos_lab - beta) / (1 - beta * cos_lab)
        front = 2 * math.pi * ALPHA**2 / s / CHARGE**2 * (1 - mass**2 / s)
        shape = (1 + c**2 + 4 * s * mass**2 / (s - mass**2) ** 2) / (1 - c**2)
        return front * shape * (1 - beta**2) / (1 - beta * cos_lab) ** 2

    low, high = math.cos(math.radians(a.max_angle)), math.cos(math.radians(a.min_angle))
    edges = [
        (electron + positron - (s - mass**2) / (2 * E)) / (electron - positron)
        for E in (a.min_energy, a.max_energy)
        if E
    ]
    inside = sorted(x for x in edges if low < x < high)
    cuts = [low, *inside, high]
    pieces = pairwise(cuts)
    return GEV2_IN_AB * sum(quad(integrand, *piece, epsabs=0, epsrel=1e-11)[0] for piece in pieces)


@pytest.mark.parametrize(
    "assumptions", [Belle2Assumptions(), WINDOW, Belle2Assumptions(electron_energy=9.1, positron_energy=3.1)]
)
@pytest.mark.parametrize("mass", [0.013, 2.7, 6.1, 9.9])
def test_closed_form_is_the_boosted_integral(mass, assumptions):
    found = photon_cross_section(jnp.asarray(mass), assumptions)
    assert float(found) == pytest.approx(boosted_integral(mass, assumptions), rel=1e-9, abs=0.0)


def test_windows_above_and_below_the_photon_are_empty():
    masses = jnp.asarray([9.93, 10.2, 10.5828, ROOT_S, 11.0, 300.0])
    assert (np.asarray(photon_cross_section(masses, WINDOW)) == 0.0).all()
    assert float(photon_cross_section(jnp.asarray(9.2), WINDOW)) > 0.0
    assert float(photon_cross_section(jnp.asarray(0.1), Belle2Assumptions(min_energy=6.95))) == 0.0


@pytest.mark.parametrize(("epsilon", "count"), [(2e-4, 1395.0), (2e-5, 13.9), (6e-6, 1.26)])
def test_event_numbers_of_the_check(epsilon, count):
    """50 ab^-1, m = 0.1 GeV, E_gamma > 6.8 GeV, with eps of hypercharge; without cos^2 theta_W they are 30 % higher."""
    one = jnp.asarray([0.1])
    events = lmutau_events("tree", one, epsilon * one / 0.1, Belle2Assumptions(min_energy=6.8))
    assert float(events[0]) == pytest.approx(count, rel=0.01, abs=0.0)


def test_photon_form_and_hypercharge_form():
    photon = belle2_events({"mass": 0.1, "g_nu": 1.0, "kinetic_mixing": 2e-4}, Belle2Assumptions())
    hypercharge = lmutau_events("tree", jnp.asarray([0.1]), jnp.asarray([2e-4]), Belle2Assumptions())
    assert float(hypercharge[0] / photon) == pytest.approx(1 - 0.23122, rel=1e-7, abs=0.0)


def test_branching_ratio_of_general_charges():
    for mass, open_leptons in ((3e-4, ""), (0.17, "e"), (2.3, "em"), (7.0, "emt")):
        width = mass / (24 * math.pi) * (2e-4**2 + 1e-4**2)
        visible, mixing = 0.0, CHARGE * 4e-4
        for name, m, g_V, g_A in (("e", M_E, 1.3e-4, 0.0), ("m", M_MU, 3e-4, -2.1e-4), ("t", M_TAU, 3e-4, 0.0)):
            r = (m / mass) ** 2
            if name in open_leptons:
                part = (g_V + mixing) ** 2 * (1 + 2 * r) + g_A**2 * (1 - 4 * r)
                visible += mass / (12 * math.pi) * math.sqrt(1 - 4 * r) * part
        found = invisible_branching_ratio({"mass": mass, **GENERAL})
        assert float(found) == pytest.approx(width / (width + visible), rel=1e-12, abs=0.0)
    assert float(electron_coupling2({"mass": 2.3, **GENERAL})) == pytest.approx(
        (1.3e-4 + mixing) ** 2, rel=1e-12, abs=0.0
    )


def test_axial_coupling_of_the_electron_counts_like_the_vector():
    axial, vector = ({"mass": 0.4, "g_nu": 1e-4, name: 3e-4} for name in ("g_A_e", "g_V_e"))
    ratio = belle2_events(axial, WINDOW) / belle2_events(vector, WINDOW)
    assert float(ratio) == pytest.approx(1.0, abs=2e-4) and float(ratio) != 1.0  # widths differ by 6 (m_e/m)^2


def loop_by_mpmath(q2):
    """chi/g from the integral over x, split where the logarithm of the muon or tau loop changes branch."""
    from mpmath import log, mp
    from mpmath import quad as integrate

    def integrand(x):
        y = x * (1 - x)
        tau, mu = (mp.mpc(mp.mpf(m) ** 2 - y * mp.mpf(q2), -mp.mpf("1e-40")) for m in (M_TAU, M_MU))
        return y * (log(tau) - log(mu))

    roots = [(1 - math.sqrt(1 - 4 * m**2 / q2)) / 2 for m in (M_MU, M_TAU) if q2 > 4 * m**2]
    ends = sorted([0, 0.5, 1, *roots, *(1 - x for x in roots)])
    return -CHARGE / (2 * math.pi**2) * complex(integrate(integrand, ends))


@pytest.mark.few(3)
@pytest.mark.parametrize("q2", [1e-5, 0.01, 0.0111, 0.0113, 0.04, 0.0448, 1.0, 12.3, 12.7, 25.0, 110.0])
def test_timelike_loop_against_mpmath(q2):
    found, expected = complex(*map(float, loop_mixing_timelike(jnp.asarray(q2)))), loop_by_mpmath(q2)
    assert found.real == pytest.approx(expected.real, rel=1e-9, abs=0.0)
    assert found.imag == pytest.approx(expected.imag, rel=1e-9, abs=1e-30)


def test_timelike_loop_has_the_published_magnitude():
    q = jnp.asarray([0.1, 0.2, 1.0, 5.0])
    size = np.hypot(*loop_mixing_timelike(q**2))
    assert [f"{x:.5f}" for x in size] == ["0.01494", "0.01817", "0.01079", "0.00280"]


@pytest.mark.slow
def test_timelike_loop_continues_the_spacelike_one():
    K2 = jnp.asarray([0.0, 3e-9, 0.004, 0.012, 0.9, 3.2, 70.0])
    real, imaginary = loop_mixing_timelike(-K2)
    np.testing.assert_allclose(real, loop_mixing(K2), rtol=1e-8)
    assert (np.asarray(imaginary) == 0.0).all()
    step = jnp.asarray([1e-4, -1e-4])  # Taylor series of the spacelike form, carried to the other sign
    slope, bend = (jax.jit(f)(0.0) for f in (jax.grad(loop_mixing), jax.grad(jax.grad(loop_mixing))))
    series = loop_mixing(jnp.asarray(0.0)) - slope * step + bend * step**2 / 2
    np.testing.assert_allclose(loop_mixing_timelike(step)[0], series, rtol=1e-8)


def test_slope_of_the_timelike_loop():
    def size(q2):
        return jnp.hypot(*loop_mixing_timelike(q2))

    points = np.asarray([-0.02, -0.0111, 0.0, 0.0109, 0.0113, 0.041, 0.05, 3.1, 12.2, 13.0, 90.0])
    thresholds, h = np.asarray([4 * M_MU**2, 4 * M_TAU**2]), 1e-7
    special = np.concatenate([thresholds, np.nextafter(thresholds, 0.0), np.nextafter(thresholds, 99.0)])
    slopes = np.asarray(jax.jit(jax.vmap(jax.grad(size)))(jnp.asarray(np.concatenate([points, special]))))
    above, below = np.split(np.asarray(jax.jit(size)(jnp.asarray(np.concatenate([points + h, points - h])))), 2)
    np.testing.assert_allclose(slopes[: points.size], (above - below) / (2 * h), rtol=1e-5, atol=1e-9)
    assert np.isfinite(slopes).all()


def test_loop_and_tree_mixing_interfere():
    given = {"mass": 0.7, "g": 3e-3, "kinetic_mixing": 5e-5, "loop_mixing": True}
    expected = CHARGE**2 * abs(5e-5 + 3e-3 * loop_by_mpmath(0.49)) ** 2
    assert float(electron_coupling2(given)) == pytest.approx(expected, rel=1e-8, abs=0.0)
    without = electron_coupling2({**given, "loop_mixing": False})
    assert float(without) == pytest.approx(CHARGE**2 * 5e-5**2, rel=1e-12, abs=0.0)


@jax.jit
def log_likelihood(x):
    """At (ln mass, g, chi) with the loop."""
    given = {"mass": jnp.exp(x[0]), "g": x[1], "kinetic_mixing": x[2], "loop_mixing": True}
    return belle2_log_likelihood(given, COUNTED)


FORWARD, REVERSE = jax.jit(jax.jacfwd(log_likelihood)), jax.jit(jax.grad(log_likelihood))


@pytest.mark.few(2)
@pytest.mark.parametrize("mass", [0.02, 0.31, 2.9, 5.5, 9.6])
def test_gradients(mass):
    x = jnp.asarray([math.log(mass), 5.3e-4, -2.1e-6])
    reverse = REVERSE(x)
    np.testing.assert_allclose(FORWARD(x), reverse, rtol=1e-11)
    for i, step in enumerate((1e-5, 1e-9, 1e-11)):
        h = step * np.eye(3)[i]
        points = [float(log_likelihood(x + k * h)) for k in (-2, -1, 1, 2)]
        slope = (points[0] - 8 * points[1] + 8 * points[2] - points[3]) / (12 * step)
        np.testing.assert_allclose(reverse[i], slope, rtol=2e-5)


def test_slope_includes_the_moving_limit():
    """With an energy cut the mass moves the limit: compare with SciPy's integral of the cut integrand."""
    slope = jax.grad(lambda m: photon_cross_section(m, WINDOW))(jnp.asarray(3.1))
    expected = (boosted_integral(3.11, WINDOW) - boosted_integral(3.09, WINDOW)) / 0.02
    assert float(slope) == pytest.approx(expected, rel=1e-4, abs=0.0)
    fixed = jax.grad(lambda E: photon_cross_section(jnp.asarray(3.1), Belle2Assumptions(min_energy=E)))(5.5)
    assert float(fixed) < 0.0


@pytest.mark.slow
def test_gradients_are_finite_at_thresholds_and_zero_coupling():
    def total(m, g):
        return belle2_log_likelihood({"mass": m, "g": g, "loop_mixing": True}, Belle2Assumptions())

    special = np.asarray([1e-9, 2 * M_E, 2 * M_MU, 2 * M_TAU, 10.58, ROOT_S, 12.0])
    masses = jnp.asarray([special, np.nextafter(special, 0.0), np.nextafter(special, 20.0)]).ravel()
    for derivative in (jax.grad, jax.jacfwd):
        slopes = jax.jit(jax.vmap(derivative(total, argnums=(0, 1)), in_axes=(0, None)))
        for g in (0.0, 3e-4):
            assert np.isfinite(slopes(masses, jnp.asarray(g))).all()


@pytest.mark.slow
def test_transforms():
    masses, couplings = jnp.asarray([0.03, 0.8, 4.4, 10.9]), jnp.asarray([2e-4, 7e-4, 1e-3, 2e-3])

    def events(mass, g):
        return belle2_events({"mass": mass, "g": g, "loop_mixing": True}, WINDOW)

    together = events(masses, couplings)
    np.testing.assert_allclose(jax.jit(events)(masses, couplings), together, rtol=1e-13)
    np.testing.assert_allclose(jax.vmap(events)(masses, couplings), together, rtol=1e-13)
    loop = [float(events(m, g)) for m, g in zip(masses, couplings, strict=True)]
    np.testing.assert_allclose(together, loop, rtol=1e-13)
    several = belle2_log_likelihood({"mass": masses, "g": couplings, "loop_mixing": True}, WINDOW)
    assert float(several) == pytest.approx(-sum(loop), rel=1e-12)  # no background, none observed


def test_log_likelihood_is_a_poisson_probability():
    given = {"mass": 0.3, **GENERAL}
    signal = float(belle2_events(given, Belle2Assumptions(luminosity=1e-2)))
    assert 0.5 < signal < 50.0
    for background, observed in ((4.3, 9.0), (0.7, 0.0)):
        record = Belle2Assumptions(luminosity=1e-2, background=background, observed=observed)
        expected = poisson.logpmf(observed, signal + background)
        assert float(belle2_log_likelihood(given, record)) == pytest.approx(expected, rel=1e-10)
    asimov = belle2_log_likelihood(given, Belle2Assumptions(luminosity=1e-2, background=5.0))
    assert float(asimov) == pytest.approx(poisson.logpmf(5, signal + 5), rel=1e-10)


def test_a_free_background_does_not_move_its_asimov_data():
    def total(b, observed):
        return belle2_log_likelihood(
            {"mass": 0.3, "g": 2e-4, "loop_mixing": True}, Belle2Assumptions(background=b, observed=observed)
        )

    free, fixed = jax.grad(total)(jnp.asarray(4.3), None), jax.grad(total)(jnp.asarray(4.3), 4.3)
    assert float(free) == pytest.approx(float(fixed), rel=1e-12) and float(fixed) < 0.0


def test_every_bad_assumption_at_once():
    with pytest.raises(InputError) as caught:
        Belle2Assumptions(
            luminosity=0.0, efficiency=1.2, background=-1.0, confidence_level=1.0, statistic="cl", min_energy=3.0,
            max_energy=2.0, min_angle=0.2, max_angle=179.5, electron_energy=3.0,
        )  # fmt: skip
    for fault in (
        "luminosity = 0;", "efficiency = 1.2;", "background = -1;", "confidence_level = 1;", "statistic = 'cl';",
        "min_energy = 3; allowed: below max_energy = 2", "min_angle = 0.2;", "max_angle = 179.5;",
        "positron_energy = 4; allowed: below electron_energy = 3",
    ):  # fmt: skip
        assert fault in str(caught.value), fault
    with pytest.raises(InputError, match=r"observed events without background make zero coupling impossible"):
        Belle2Assumptions(observed=2.0)
    with pytest.raises(InputError, match=r"luminosity = nan; allowed: positive and finite"):
        Belle2Assumptions(luminosity=math.nan)
