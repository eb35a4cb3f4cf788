import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fixtures_physics import DIMUON, density, dimuon_table, direct_sample, fold, kernel_total, mixed_table

from tridentjax.nucleus.nuclei import load_nucleus
from tridentjax.nucleus.regimes import nucleon_regime, nucleus_regimes
from tridentjax.process.cross_section import total_cross_section
from tridentjax.process.kernel import build_kernel, energy_weights
from tridentjax.process.leptonic_table import LARGEST_ENERGY
from tridentjax.process.phase_space import (
    DIMENSION,
    threshold_energy,
)
from tridentjax.quadrature import sobol_rule
from tridentjax.theory.domain import SMALLEST_MEDIATOR_MASS

MASSES = [1e-3, 0.05, 1.0, 30.0, 1000.0]


def coherent(name, form_factor="helm"):
    return nucleus_regimes(load_nucleus(name, form_factor))[0]


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("regime", "E_nu"),
    [
        (coherent("Ar40"), 2.7),
        (coherent("Pb208"), 43.0),
        (nucleon_regime("proton", 18, 0.235), 6.3),
    ],
    ids=["Ar40", "Pb208", "bound-proton"],
)
def test_kernel_equals_direct_integral(regime, E_nu):
    estimate = total_cross_section(DIMUON, regime, E_nu, rtol=5e-4, points=2**14, seed=2)
    pulls = (kernel_total(dimuon_table(), regime, E_nu) - np.asarray(estimate.value)) / np.asarray(estimate.error)
    assert np.abs(pulls).max() < 3


@pytest.mark.slow
def test_unequal_masses_against_the_direct_integral():
    """nu_mu -> nu_e mu- e+: collinear positrons, and an interference term that is not zero."""
    regime, channel = coherent("Fe56"), mixed_table().channel
    estimate = total_cross_section(channel, regime, 9.1, rtol=5e-3, points=2**14)
    exact = kernel_total(mixed_table(), regime, 9.1)
    assert np.abs((exact - np.asarray(estimate.value)) / np.asarray(estimate.error)).max() < 3
    assert abs(exact[2]) > 5 * float(estimate.error[2])


def propagator_averages(table, regime, E_nu):
    """<1/(K2+M^2)> and <1/(K2+M^2)^2> over the VV and AA densities, for every mass."""
    rho = fold(density(table, E_nu, regime.mass), table, regime)[:2]
    propagator = 1 / (np.asarray(table.K2) + np.square(MASSES)[:, None])
    return np.stack([rho @ propagator.T, rho @ propagator.T**2]) / rho.sum(-1)[None, :, None]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("regime", "E_nu"), [(coherent("Ar40"), 10.0), (nucleon_regime("proton"), 3.9)], ids=["Ar", "p"]
)
def test_mediator_averages_against_the_uncompressed_sum(regime, E_nu):
    propagator = lambda K2: 1 / (K2 + jnp.square(jnp.asarray(MASSES))[:, None])  # noqa: E731

    @jax.jit
    def one(nodes):
        rule = type(template)(nodes, template.weights)
        K2, weight = direct_sample(DIMUON, regime, jnp.asarray(E_nu), rule)
        p = propagator(K2[None])
        return jnp.stack([weight[:2] @ p.T, weight[:2] @ (p**2).T]), weight[:2].sum(-1)

    template = sobol_rule(2**14, DIMENSION, 0)
    sums, totals = (
        np.stack(x) for x in zip(*(one(sobol_rule(2**14, DIMENSION, s).nodes) for s in range(40, 72)), strict=True)
    )
    ratio = sums.mean(0) / totals.mean(0)[None, :, None]
    # error of a ratio of means over 32 scrambles
    residual = (sums - ratio[None] * totals[:, None, :, None]) / totals.mean(0)[None, None, :, None]
    error = residual.std(0, ddof=1) / np.sqrt(32)
    assert (error[0] / ratio[0]).max() < 2e-3
    ours = propagator_averages(dimuon_table(), regime, E_nu)
    assert np.abs((ours - ratio) / error).max() < 4.0  # 20 numbers
    assert (error[0] < 2e-3 * ratio[0]).all() and (error[1] < 2e-2 * ratio[1]).all()


def test_heavy_mediator_is_a_contact_interaction():
    averages = propagator_averages(dimuon_table(), coherent("Ar40"), 10.0)
    np.testing.assert_allclose(averages[0, :, -1] * 1000.0**2, 1.0, rtol=1e-4)
    np.testing.assert_allclose(averages[1, :, -1] * 1000.0**4, 1.0, rtol=1e-4)
    assert SMALLEST_MEDIATOR_MASS == 1e-3


def test_small_momentum_transfer():
    """rho_VV ~ K2 (conserved current), rho_AA -> constant, physics.md section 3; first node left out."""
    rho = fold(density(dimuon_table(), 12.0, coherent("Fe56").mass), dimuon_table(), coherent("Fe56"))
    K2 = np.asarray(dimuon_table().K2)
    small = (K2 < 1e-6) & (K2 > 2e-10)
    slopes = np.diff(np.log(rho[:2, small] / K2[small]), axis=1) / np.diff(np.log(K2[small]))
    np.testing.assert_allclose(slopes[0], 1.0, atol=0.02)
    np.testing.assert_allclose(slopes[1], 0.0, atol=0.02)


# energy interpolation -----------------------------------------------------------------------------
def total_of_kernel(kernel, regime, E_nu):
    contracted = jnp.einsum("shejk,hj->se", kernel.sigma, regime.structure(kernel.Q2))
    return energy_weights(kernel, E_nu) @ contracted.T


def argon_kernel():
    regime = coherent("Ar40", "default")
    return build_kernel(dimuon_table(), regime.mass, (0.05, 400.0), regime.hadronic, regime.largest_Q2), regime


@pytest.mark.slow
def test_energy_interpolation():
    kernel, regime = argon_kernel()
    energies = np.array([1.07, 1.9, 4.3, 11.1, 37.0, 151.0, 390.0])
    exact = np.stack([kernel_total(dimuon_table(), regime, E)[:2] for E in energies])
    np.testing.assert_allclose(total_of_kernel(kernel, regime, jnp.asarray(energies)), exact, rtol=1e-4)


def test_energy_interpolation_near_threshold():
    """Below 1 GeV the rate is tiny; it must stay positive, small and reasonable."""
    kernel, regime = argon_kernel()
    energies = np.array([0.32, 0.45, 0.7])
    exact = np.stack([kernel_total(dimuon_table(), regime, E)[:2] for E in energies])
    np.testing.assert_allclose(total_of_kernel(kernel, regime, jnp.asarray(energies)), exact, rtol=2e-2)


@pytest.mark.slow
def test_kernel_is_exactly_zero_at_and_below_threshold():
    kernel, regime = argon_kernel()
    threshold = threshold_energy(DIMUON, regime.mass)
    below = total_of_kernel(kernel, regime, jnp.asarray([threshold, 0.9 * threshold, 0.01, 0.0]))
    np.testing.assert_array_equal(below, np.zeros((4, 2)))
    assert (np.asarray(total_of_kernel(kernel, regime, jnp.asarray([1.02 * threshold]))) >= 0).all()


def test_kernel_range_starts_above_threshold():
    kernel, regime = argon_kernel()
    assert kernel.energy_range == pytest.approx((1.2 * threshold_energy(DIMUON, regime.mass), 400.0))
    assert float(kernel.Q2[-2]) < regime.largest_Q2


@pytest.mark.parametrize("energy_range", [(0.01, 0.1), (5.0, 5.0), (1.0, 2 * LARGEST_ENERGY), (7.0, float("nan"))])
def test_bad_energy_range_is_refused(energy_range):
    with pytest.raises(ValueError, match=r"build_kernel: energy_range = .* allowed: within \(0.2119, 6000\] GeV"):
        build_kernel(dimuon_table(), 37.2, energy_range)
