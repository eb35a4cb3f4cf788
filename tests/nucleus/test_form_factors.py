import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from tridentjax.constants import HBARC, MASS_NEUTRON, MASS_PROTON, MU_NEUTRON, MU_PROTON
from tridentjax.nucleus.form_factors import (
    FermiDensity,
    FourierBessel,
    GaussianDensity,
    Helm,
    VariedDensity,
    pauli_blocking,
    spherical_j0,
    woods_saxon,
)
from tridentjax.nucleus.nuclei import load_nucleon, load_nucleus

Q2 = jnp.asarray([0.0, 1e-12, 3e-6, 7e-4, 0.013, 0.11, 0.43, 1.6])


def scalar(x):
    return jnp.asarray(float(x))


DENSITIES = [
    (FermiDensity(scalar(3.73), scalar(0.62), scalar(-0.19)), 20.0),
    (FermiDensity(scalar(6.624), scalar(0.549), scalar(0.0)), 20.0),
    (GaussianDensity(scalar(3.505), scalar(2.325), scalar(0.38)), 20.0),
    (GaussianDensity(scalar(6.39), scalar(2.86), scalar(0.24)), 20.0),
    (FourierBessel(jnp.asarray([0.030451, 0.055337, 0.020203, -0.016765, -0.013578]), 9.0), 9.0),
]


def density_formula(factor, r):
    """The published density, written again in NumPy."""
    if isinstance(factor, FourierBessel):
        return sum(
            float(a) * np.sinc((n + 1) * r / factor.cutoff) for n, a in enumerate(factor.coefficients)
        )  # np.sinc(x) = sin(pi x)/(pi x)
    c, z, w = float(factor.c), float(factor.z), float(factor.w)
    if isinstance(factor, FermiDensity):
        return (1 + w * r**2 / c**2) / (1 + np.exp((r - c) / z))
    return (1 + w * r**2 / c**2) / (1 + np.exp(min((r**2 - c**2) / z**2, 600)))


@pytest.mark.few(3)
@pytest.mark.parametrize(("factor", "largest"), DENSITIES)
def test_transform_against_adaptive_integration(factor, largest):
    def integral(q):
        f = lambda r: r**2 * np.sinc(q * r / np.pi) * density_formula(factor, r)  # noqa: E731
        return quad(f, 0, largest, epsabs=1e-12, epsrel=1e-11, limit=400)[0]

    exact = np.array([integral(np.sqrt(float(x)) / HBARC) for x in Q2]) / integral(0.0)
    np.testing.assert_allclose(factor(Q2), exact, rtol=0, atol=1e-8)


def test_helm_against_adaptive_integration():
    """A uniform sphere folded with a Gaussian: j1 form from the integral over the sphere."""
    R0, s = 3.94, 0.9
    exact = []
    for x in np.asarray(Q2):
        q = np.sqrt(x) / HBARC
        sphere = quad(lambda r, q=q: 3 * r**2 / R0**3 * np.sinc(q * r / np.pi), 0, R0, epsrel=1e-12)[0]
        exact.append(sphere * np.exp(-((q * s) ** 2) / 2))
    np.testing.assert_allclose(Helm(scalar(R0), scalar(s))(Q2), exact, rtol=0, atol=1e-10)


@pytest.mark.few(3)
@pytest.mark.parametrize("factor", [f for f, _ in DENSITIES] + [Helm(scalar(4.3), scalar(0.9)), woods_saxon(56)])
def test_unit_charge_and_radius(factor):
    """F(0) = 1 and -6 F'(0) = <r^2>, also next to zero where the series branch ends."""
    np.testing.assert_allclose(factor(jnp.zeros(3)), 1.0, rtol=1e-14)
    slope = jax.grad(lambda x: factor(x))(jnp.asarray(0.0))  # noqa: PLW0108
    if isinstance(factor, Helm):
        r2 = 0.6 * float(factor.R0) ** 2 + 3 * float(factor.s) ** 2
    else:
        edge = getattr(factor, "cutoff", 20.0)
        moments = [quad(lambda r, n=n: r**n * density_formula(factor, r), 0, edge, limit=200)[0] for n in (2, 4)]
        r2 = moments[1] / moments[0]
    np.testing.assert_allclose(-6 * HBARC**2 * slope, r2, rtol=1e-8)


def test_spherical_j0_is_smooth_across_its_series():
    x2 = jnp.asarray([0.0, 1e-10, 9.99e-4, 1.001e-3, 4.0])
    np.testing.assert_allclose(spherical_j0(x2), np.sinc(np.sqrt(np.asarray(x2)) / np.pi), rtol=1e-14)
    slope = jax.vmap(jax.grad(spherical_j0))(x2)
    np.testing.assert_allclose(slope[:4], -1 / 6 + np.asarray(x2[:4]) / 60, rtol=1e-7)


def test_woods_saxon_is_a_fermi_density_of_radius_A_to_the_third():
    factor = woods_saxon(40, r0=1.07, a=0.57)
    np.testing.assert_allclose([factor.c, factor.z, factor.w], [1.07 * 40 ** (1 / 3), 0.57, 0.0], rtol=1e-14)


def test_the_widely_copied_argon_density_is_not_the_measured_one():
    """physics.md 6: r0 = 1.07 A^(1/3), a = 0.57 fm against the measured charge density of argon."""
    q2 = jnp.asarray([0.005, 0.01, 0.02])
    measured = np.asarray(load_nucleus("Ar40").form_factor(q2))
    assert (np.asarray(woods_saxon(40, 1.07, 0.57)(q2)) < 0.985 * measured).all()


def test_varied_density_is_exact_at_unit_scale_and_follows_the_fit():
    fit = FermiDensity(scalar(3.4818), scalar(0.569), scalar(0.0))
    measured = DENSITIES[4][0]
    unit = VariedDensity(measured, fit, scalar(1.0), scalar(1.0))
    np.testing.assert_allclose(unit(Q2), measured(Q2), rtol=1e-13, atol=1e-15)
    wide = VariedDensity(measured, fit, scalar(1.03), scalar(0.9))
    shifted = FermiDensity(scalar(3.4818 * 1.03), scalar(0.569 * 0.9), scalar(0.0))
    np.testing.assert_allclose(wide(Q2) - measured(Q2), shifted(Q2) - fit(Q2), atol=1e-14)
    np.testing.assert_allclose(wide(jnp.zeros(())), 1.0, rtol=1e-14)


# nucleons -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("model", ["kelly", "dipole", "ye2018"])
def test_nucleon_charges_and_moments(model):
    proton, neutron = load_nucleon("proton", model), load_nucleon("neutron", model)
    zero = jnp.zeros(())
    np.testing.assert_allclose(proton.G_E(zero), 1.0, rtol=1e-6)
    np.testing.assert_allclose(proton.G_M(zero), MU_PROTON, rtol=1e-6)
    np.testing.assert_allclose(neutron.G_E(zero), 0.0, atol=1e-6)
    np.testing.assert_allclose(neutron.G_M(zero), MU_NEUTRON, rtol=1e-6)


@pytest.mark.parametrize("model", ["kelly", "ye2018"])
def test_nucleon_models_stay_near_the_dipole(model):
    """World data: G_M within 15 % of the dipole below 2 GeV^2, G_E^p within 25 %, 0 < G_E^n < 0.1."""
    x = jnp.linspace(0.01, 2.0, 40)
    dipole = (1 + np.asarray(x) / 0.71) ** -2
    proton, neutron = load_nucleon("proton", model), load_nucleon("neutron", model)
    assert np.abs(proton.G_M(x) / MU_PROTON / dipole - 1).max() < 0.15
    assert np.abs(neutron.G_M(x) / MU_NEUTRON / dipole - 1).max() < 0.15
    assert np.abs(proton.G_E(x) / dipole - 1).max() < 0.25
    assert float(neutron.G_E(x).min()) > 0 and float(neutron.G_E(x).max()) < 0.1


@pytest.mark.parametrize(
    ("model", "low", "high"), [("kelly", 0.84, 0.89), ("ye2018", 0.86, 0.89), ("dipole", 0.8, 0.82)]
)
def test_proton_charge_radius(model, low, high):
    slope = jax.grad(lambda x: load_nucleon("proton", model).G_E(x))(jnp.asarray(0.0))
    assert low < float(jnp.sqrt(-6 * slope)) * HBARC < high


def test_neutron_charge_radius_squared_of_galster():
    """Kelly's G_E^n: slope A/4M^2, <r^2> = -6 slope = -0.112 fm^2."""
    slope = jax.grad(lambda x: load_nucleon("neutron", "kelly").G_E(x))(jnp.asarray(0.0))
    np.testing.assert_allclose(slope, 1.70 / (4 * MASS_NEUTRON**2), rtol=1e-12)
    np.testing.assert_allclose(-6 * slope * HBARC**2, -0.112, atol=1e-3)


def test_ye_expansion_against_its_published_points():
    """Analytic zeros of the z map: at Q2 = -t_0 z = 0, so G = scale a_0 (Ye et al. coefficient tables)."""
    proton, neutron = load_nucleon("proton", "ye2018"), load_nucleon("neutron", "ye2018")
    at = jnp.asarray(0.7)
    np.testing.assert_allclose(proton.G_E(at), 0.239163298067, rtol=1e-12)
    np.testing.assert_allclose(neutron.G_M(at), MU_NEUTRON * 0.257758326959, rtol=1e-12)


def test_structure_functions_of_the_rosenbluth_tensor():
    nucleon = load_nucleon("proton", "dipole")
    x = jnp.asarray([[0.0, 0.02], [0.3, 4.1]])
    G = (1 + np.asarray(x) / 0.843**2) ** -2
    tau = np.asarray(x) / (4 * MASS_PROTON**2)
    expected = np.stack([G**2 * (1 + tau * MU_PROTON**2) / (1 + tau), MU_PROTON**2 * G**2])
    np.testing.assert_allclose(nucleon.structure(x), expected, rtol=1e-13)


# Pauli blocking -----------------------------------------------------------------------------------
def overlap_fraction(q, p_fermi):
    """Fraction of a Fermi sphere that a shift by q moves outside it, by integration over slices."""
    edge = q / 2.0  # the lens is twice the cap of the unit sphere beyond q/2
    cap = quad(lambda z: np.pi * (p_fermi**2 - z**2), min(edge, p_fermi), p_fermi)[0]
    return 1 - 2 * cap / (4 / 3 * np.pi * p_fermi**3)


@pytest.mark.parametrize("p_fermi", [0.221, 0.26])
def test_pauli_blocking_is_the_overlap_of_two_spheres(p_fermi):
    x = jnp.asarray([1e-6, 4e-4, 0.02, 0.13, 0.19, 0.21, 0.6])
    q = np.sqrt(np.asarray(x) * (1 + np.asarray(x) / (4 * MASS_PROTON**2)))
    expected = [overlap_fraction(value, p_fermi) for value in q]
    np.testing.assert_allclose(pauli_blocking(x, MASS_PROTON, p_fermi), expected, rtol=1e-9)


def test_pauli_blocking_limits():
    x = jnp.asarray([0.0, 0.3, 5.0])
    np.testing.assert_array_equal(pauli_blocking(x, MASS_PROTON, 0.235), [0.0, 1.0, 1.0])
    np.testing.assert_array_equal(pauli_blocking(x, MASS_PROTON, 0.0), np.ones(3))
    assert np.isfinite(jax.grad(lambda y: pauli_blocking(y, MASS_PROTON, 0.235))(jnp.asarray(0.0)))
