"""The muon's magnetic moment from a boson, against quadrature and the literature."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from tridentjax.constants import MASS_MU
from tridentjax.theory.muon_moment import historical_band, magnetic_moment


def moment_by_quad(mass, g):
    def integrand(x):
        return 2 * MASS_MU**2 * x**2 * (1 - x) / (x**2 * MASS_MU**2 + (1 - x) * mass**2)

    # the peak at 1 - x ~ (m_mu/m)^2 or (m/m_mu)^2 gets break points
    points = [1 - min(s, 0.5) for s in (1e-2, 1e-4, 1e-6, 1e-8) if s < 0.5]
    return g**2 / (8 * np.pi**2) * quad(integrand, 0, 1, points=points, epsabs=0, epsrel=1e-11, limit=300)[0]


@pytest.mark.parametrize(("mass", "g"), [(1e-3, 4.4e-4), (0.0135, 3e-4), (0.1056, 0.7), (0.43, 2e-3), (91.0, 0.3)])
def test_moment_against_quad(mass, g):
    found = float(magnetic_moment(jnp.asarray(mass), jnp.asarray(g)))
    assert found == pytest.approx(moment_by_quad(mass, g), rel=3e-6, abs=0.0)  # 60 nodes: 1.2e-6 at 1 MeV


@pytest.mark.parametrize(("mass", "g"), [(1e-3, 4.5e-4), (0.1, 9.5e-4), (0.4, 2.4e-3)])
def test_numbers_of_the_literature(mass, g):
    """Couplings that give 251e-11, two digits (experiments.md section 4)."""
    found = float(magnetic_moment(jnp.asarray(mass), jnp.asarray(g)))
    assert np.sqrt(251e-11 / found) * g == pytest.approx(g, rel=0.5 * 10.0 ** np.floor(np.log10(g)) / 10 / g, abs=0.0)


def test_limits_of_the_moment():
    """Schwinger's g^2/8 pi^2 at mass 0, (g m_mu/m)^2/12 pi^2 for a heavy boson."""
    g = 0.37
    light, heavy = (float(magnetic_moment(jnp.asarray(m), jnp.asarray(g))) for m in (0.0, 4e3))
    assert light == pytest.approx(g**2 / (8 * np.pi**2), rel=1e-12)
    assert heavy == pytest.approx((g * MASS_MU / 4e3) ** 2 / (12 * np.pi**2), rel=1e-6, abs=0.0)


@pytest.mark.few(4)
@pytest.mark.parametrize("mass", [0.0, 1e-7, 3e-3, 0.21, 17.0])
def test_derivatives_of_the_moment(mass):
    at = (jnp.asarray(mass), jnp.asarray(0.62))
    forward = [float(x) for x in jax.jacfwd(magnetic_moment, (0, 1))(*at)]
    reverse = [float(x) for x in jax.grad(magnetic_moment, (0, 1))(*at)]
    np.testing.assert_allclose(forward, reverse, rtol=1e-12, atol=1e-18)
    h = max(1e-4 * mass, 1e-9)
    if mass > 1e-3:
        central = (moment_by_quad(mass + h, 0.62) - moment_by_quad(mass - h, 0.62)) / (2 * h)
        assert reverse[0] == pytest.approx(central, rel=1e-5, abs=0.0)
    assert reverse[1] == pytest.approx(2 * float(magnetic_moment(*at)) / 0.62, rel=1e-12)
    assert np.isfinite(reverse).all()


def test_moment_of_many_masses():
    rng = np.random.default_rng(3)
    mass, g = jnp.asarray(rng.uniform(0.01, 3, (3, 2))), jnp.asarray(rng.uniform(0.1, 1, (3, 2)))
    one = jax.vmap(jax.vmap(magnetic_moment))(mass, g)
    np.testing.assert_allclose(magnetic_moment(mass, g), one, rtol=1e-13)
    np.testing.assert_allclose(jax.jit(magnetic_moment)(mass, g), one, rtol=1e-13)


@pytest.mark.parametrize("deviations", [1.0, 2.0, 3.7])
def test_edges_of_the_band(deviations):
    mass = np.asarray([2.3e-3, 0.19, 44.0])
    for g, sign in zip(historical_band(mass, deviations), (-1, 1), strict=True):
        found = [moment_by_quad(m, x) for m, x in zip(mass, g, strict=True)]
        np.testing.assert_allclose(found, 251e-11 + sign * deviations * 59e-11, rtol=1e-6)
