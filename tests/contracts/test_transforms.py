"""jit = eager, vmap = loop, forward = reverse = central difference, traced once: the public functions."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fixtures_physics import DIMUON, dimuon_table, random_points

import tridentjax as tj
from tridentjax.constants import MASS_PROTON
from tridentjax.nucleus.form_factors import (
    FermiDensity,
    FourierBessel,
    GaussianDensity,
    Helm,
    VariedDensity,
    pauli_blocking,
)
from tridentjax.nucleus.nuclei import load_nucleon
from tridentjax.nucleus.regimes import Coherent
from tridentjax.process.cross_section import integrate
from tridentjax.process.kernel import build_kernel, density_at_energy, energy_weights
from tridentjax.process.phase_space import map_unit_cube, threshold_energy
from tridentjax.process.weighted_points import differential_cross_section
from tridentjax.quadrature import sobol_rule


def fermi(Q2, c, z, w):
    return FermiDensity(c, z, w)(Q2)


def gaussian(Q2, c, z, w):
    return GaussianDensity(c, z, w)(Q2)


def helm(Q2, R0, s, _):
    return Helm(R0, s)(Q2)


def bessel(Q2, a, b, c):
    return FourierBessel(jnp.stack([a, b, c]), 8.0)(Q2)


def varied(Q2, c, z, w):
    return VariedDensity(Helm(jnp.asarray(3.9), jnp.asarray(0.9)), FermiDensity(c, z, w), c / 3.4, z / 0.6)(Q2)


def nucleon(Q2, a, b, c):
    """Both structure functions in a random combination."""
    proton, neutron = load_nucleon("proton"), load_nucleon("neutron", "ye2018")
    return a * proton.structure(Q2)[0] + b * proton.structure(Q2)[1] + c * neutron.structure(Q2).sum(0)


def blocking(Q2, p_fermi, _, __):
    return pauli_blocking(Q2, MASS_PROTON, p_fermi)


@jnp.vectorize
def vector(K2, mass, g_nu, g_V):
    shift = tj.mediator_shift(tj.VectorMediator(mass, g_nu, g_V, -0.4 * g_V), K2[None])
    return shift[0][0] + 2.0 * shift[1][0]


@jnp.vectorize
def scalar(K2, mass, g_nu, g_S):
    shift = tj.scalar_shift(tj.ScalarMediator(mass, g_nu, g_S, 0.7 * g_S), K2[None])
    return shift[0][0] - shift[1][0]


@jnp.vectorize
def loops(K2, a, b, c):
    real, imaginary = tj.loop_mixing_timelike(K2)
    return 100.0 * (a * tj.loop_mixing(K2) + b * real + c * imaginary)


@jnp.vectorize
def couplings(K2, a, b, c):
    """Through every normalisation and back, then what multiplies VV, AA, VA."""
    current = tj.from_chiral(*tj.to_chiral(tj.LeptonCurrent((a + K2)[None], (b - K2)[None])))
    VV, AA, VA = tj.quadratic_couplings(tj.from_doubled(*tj.to_doubled(current)))
    return VV + c * AA - 2.0 * VA


@jnp.vectorize
def wilson(K2, a, b, s2):
    """A Warsaw point and a LEFT one, the first through its scheme."""
    warsaw = {"ll_2222": 1e-6 * (a + K2), "le_2222": 1e-6 * b, "phil3_22": 2e-6 * b, "phiD": 1e-6 * a}
    left = {"nueLL_2222": 1e-6 * a * b, "nueLR_2222": 1e-6 * K2}
    shifts = (tj.smeft_shift(warsaw, DIMUON, "alpha_mZ_GF", s2), tj.left_shift(left, DIMUON))
    return sum(shift.g_V[1] - 0.3 * shift.g_A[1] for shift in shifts)


@jnp.vectorize
def boson(K2, mass, g, chi):
    given = {"mass": mass, "g": 1e-3 * g, "kinetic_mixing": 1e-3 * chi}
    current = tj.theories.zprime(given, DIMUON, K2[None])
    return tj.quadratic_couplings(current)[:2].sum()


NUTEV = tj.load_experiment("nutev").measurement


@jnp.vectorize
def measured(ratio, value, low, high):
    """NuTeV's split normal likelihood with other numbers."""
    numbers = lambda m: (m.value, m.uncertainty_low, m.uncertainty_high)  # noqa: E731
    return tj.log_likelihood(eqx.tree_at(numbers, NUTEV, (value, low, high)), ratio)


@jnp.vectorize
def belle2(x, g, background, efficiency):
    assumptions = tj.Belle2Assumptions(background=background, efficiency=efficiency, observed=7.0)
    parameters = {"mass": 0.27 + x, "g": 1e-3 * g, "loop_mixing": True}
    return tj.belle2_log_likelihood(parameters, assumptions)


FORM_FACTORS = {
    "fermi": (fermi, (3.4818, 0.569, -0.13)),
    "gaussian": (gaussian, (3.4, 2.3, 0.29)),
    "helm": (helm, (4.1, 0.93, 0.0)),
    "fourier-bessel": (bessel, (0.0301, 0.0553, 0.0202)),
}
FUNCTIONS = FORM_FACTORS | {
    "varied": (varied, (3.47, 0.58, -0.1)),
    "nucleon": (nucleon, (0.7, -0.3, 1.4)),
    "pauli": (blocking, (0.223, 0.0, 0.0)),
    "vector mediator": (vector, (0.31, 1.1e-3, 0.9e-3)),
    "scalar mediator": (scalar, (0.31, 1.1e-3, -0.9e-3)),
    "loop mixing": (loops, (0.7, -1.3, 0.4)),
    "couplings": (couplings, (0.96, 0.51, 1.7)),
    "left, smeft": (wilson, (0.7, -1.2, 0.2312)),
    "zprime": (boson, (0.17, 0.6, 0.2)),
    "likelihood": (measured, (0.72, 0.64, 1.73)),
    "belle2": (belle2, (0.9, 3.2, 0.61)),
}
Q2_VALUES = [3e-8, 2.7e-4, 0.0113, 0.17, 1.3]
each = pytest.mark.parametrize("name", FUNCTIONS)


def arguments(name):
    function, parameters = FUNCTIONS[name]
    return function, tuple(jnp.asarray(x) for x in parameters)


def central(function, x, step):
    return (function(x + step) - function(x - step)) / (2 * step)


@pytest.mark.few(5)
@each
def test_jit_equals_eager_and_vmap_equals_loop(name):
    function, parameters = arguments(name)
    Q2 = jnp.asarray(Q2_VALUES)
    eager = function(Q2, *parameters)
    np.testing.assert_allclose(jax.jit(function)(Q2, *parameters), eager, rtol=1e-12, atol=1e-15)
    loop = [function(x, *parameters) for x in Q2]
    np.testing.assert_allclose(jax.vmap(lambda x: function(x, *parameters))(Q2), loop, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(eager, loop, rtol=1e-12, atol=1e-15)


@pytest.mark.few(9)
@each
@pytest.mark.parametrize("Q2", Q2_VALUES)
def test_gradient_in_Q2_three_ways(name, Q2):
    function, parameters = arguments(name)
    f = jax.jit(lambda x: function(x, *parameters))
    forward, reverse = jax.jacfwd(f)(jnp.asarray(Q2)), jax.grad(f)(jnp.asarray(Q2))
    np.testing.assert_allclose(forward, reverse, rtol=1e-12, atol=1e-14)
    step = 1e-4 * max(Q2, 1e-7 if name == "pauli" else 1e-3)
    np.testing.assert_allclose(reverse, central(f, jnp.asarray(Q2), step), rtol=1e-4, atol=1e-6)


@pytest.mark.few(4)
@each
def test_gradient_in_the_parameters_three_ways(name):
    function, parameters = arguments(name)
    f = jax.jit(lambda p: function(jnp.asarray([0.004, 0.041]), *p).sum())
    forward, reverse = jax.jacfwd(f)(parameters), jax.grad(f)(parameters)
    for i, value in enumerate(parameters):
        np.testing.assert_allclose(forward[i], reverse[i], rtol=1e-11, atol=1e-14)
        one = lambda x, i=i: f((*parameters[:i], x, *parameters[i + 1 :]))  # noqa: E731
        np.testing.assert_allclose(reverse[i], central(one, value, 1e-5), rtol=1e-6, atol=1e-8)


@pytest.mark.few(5)
@each
def test_gradients_are_finite_at_zero(name):
    function, parameters = arguments(name)
    zero = jnp.asarray(0.0)
    gradients = jax.grad(function, argnums=(0, 1, 2, 3))(zero, *parameters)
    assert np.isfinite(np.asarray(gradients)).all()
    if name in FORM_FACTORS:
        np.testing.assert_allclose(function(zero, *parameters), 1.0, rtol=1e-13)
        np.testing.assert_allclose(gradients[1:], 0.0, atol=1e-12)  # F(0) = 1 for every parameter
        near = jax.grad(function)(jnp.asarray(1e-10), *parameters)
        np.testing.assert_allclose(near, gradients[0], rtol=1e-7)


def test_pauli_blocking_is_smooth_where_it_ends():
    """|q| = 2 p_F: the value joins continuously and its slope, 3/2 - 3 x^2/2, vanishes there."""
    p_fermi = 0.235
    M = MASS_PROTON
    edge = 2 * M**2 * (np.sqrt(1 + 4 * p_fermi**2 / M**2) - 1)  # Q2 (1 + Q2/4M^2) = 4 p_F^2
    f = lambda x: pauli_blocking(x, M, p_fermi)  # noqa: E731
    for x in (edge * (1 - 1e-9), edge, edge * (1 + 1e-9)):
        np.testing.assert_allclose(f(jnp.asarray(x)), 1.0, rtol=1e-8)
        np.testing.assert_allclose(jax.grad(f)(jnp.asarray(x)), 0.0, atol=1e-6)
    gradients = jax.grad(lambda p: pauli_blocking(jnp.asarray([0.0, 0.1, edge, 3.0]), M, p).sum())(jnp.asarray(p_fermi))
    assert np.isfinite(gradients) and gradients < 0


def test_each_function_is_traced_once_per_shape():
    traces = []

    @jax.jit
    def counted(Q2, c, z, w):
        traces.append(Q2.shape)
        return fermi(Q2, c, z, w)

    for c in (3.1, 3.3, 3.9):
        counted(jnp.asarray([0.1, 0.2]), jnp.asarray(c), jnp.asarray(0.5), jnp.asarray(0.0))
    counted(jnp.asarray([0.1, 0.2, 0.3]), jnp.asarray(3.0), jnp.asarray(0.5), jnp.asarray(0.0))
    assert traces == [(2,), (3,)]


def argon_kernel():
    return build_kernel(dimuon_table(), 37.21554072, (0.05, 60.0), hadronic=1, largest_Q2=2.0, energies=16)


@pytest.mark.slow
def test_kernel_gradient_in_energy():
    kernel = argon_kernel()
    profile = kernel.sigma.sum((0, 1, 3, 4))
    rate = jax.jit(lambda E: (energy_weights(kernel, E[None]) @ profile)[0])
    for E in (0.31, 1.7, 8.8, 44.0):
        x = jnp.asarray(E)
        reverse = jax.grad(rate)(x)
        np.testing.assert_allclose(jax.jacfwd(rate)(x), reverse, rtol=1e-11)
        np.testing.assert_allclose(reverse, central(rate, x, 1e-5 * E), rtol=1e-6)
    below = threshold_energy(DIMUON, kernel.target_mass)
    for E in (0.0, 0.5 * below, below, below * (1 + 1e-12), 0.9 * kernel.energy_range[0], 77.0):
        assert np.isfinite(jax.grad(rate)(jnp.asarray(E)))
    assert float(jax.grad(rate)(jnp.asarray(0.5 * below))) == 0.0


@pytest.mark.slow
def test_kernel_gradient_in_a_form_factor_and_a_mediator():
    kernel = argon_kernel()

    def rate(p):
        c, z, mass = p
        structure = 18.0**2 * fermi(kernel.Q2, c, z, jnp.asarray(0.0)) ** 2
        propagator = 1 / (kernel.K2 + mass**2)
        return jnp.einsum("shejk,j,k->", kernel.sigma, structure, propagator) * 1e40

    parameters = jnp.asarray([3.5, 0.56, 0.03])
    forward, reverse = jax.jit(jax.jacfwd(rate))(parameters), jax.jit(jax.grad(rate))(parameters)
    np.testing.assert_allclose(forward, reverse, rtol=1e-11)
    f = jax.jit(rate)
    for i in range(3):
        step = jnp.zeros(3).at[i].set(1e-6)
        np.testing.assert_allclose(reverse[i], (f(parameters + step) - f(parameters - step)) / 2e-6, rtol=1e-6)


@pytest.mark.slow
def test_density_at_energy_gradient():
    total = jax.jit(lambda E: density_at_energy(dimuon_table(), E, jnp.asarray(37.2))[:2, 0].sum() * 1e35)
    E = jnp.asarray(6.1)
    reverse = jax.jit(jax.grad(total))(E)
    np.testing.assert_allclose(jax.jit(jax.jacfwd(total))(E), reverse, rtol=1e-9)
    np.testing.assert_allclose(reverse, central(total, E, 1e-4), rtol=1e-5)


@pytest.mark.slow
def test_direct_integral_gradient_in_the_radius():
    """Nodes do not depend on the form factor, so the integral has an exact derivative."""
    rule = sobol_rule(2**10, 7, 5)

    def total(R0):
        regime = Coherent(Helm(R0, jnp.asarray(0.9)), 18, 37.2, 3.4)
        return integrate(DIMUON, regime, jnp.asarray(5.5), rule)[:2].sum() * 1e42

    x = jnp.asarray(3.9)
    reverse = jax.grad(total)(x)
    np.testing.assert_allclose(reverse, central(total, x, 1e-5), rtol=1e-6)
    assert float(reverse) < 0


@pytest.mark.slow
def test_differential_cross_section_jit_equals_eager():
    points = random_points(DIMUON, 5.5, MASS_PROTON)
    eager = differential_cross_section(DIMUON, points, jnp.asarray(5.5), jnp.asarray(MASS_PROTON))
    jitted = jax.jit(differential_cross_section)(DIMUON, points, jnp.asarray(5.5), jnp.asarray(MASS_PROTON))
    scale = np.abs(np.asarray(eager)[:2]).sum(0)
    np.testing.assert_allclose(np.asarray(jitted) / scale, np.asarray(eager) / scale, atol=1e-9)


@pytest.mark.slow
def test_phase_space_map_is_differentiable_in_energy():
    rule = sobol_rule(2**6, 7, 1)
    volume = jax.jit(lambda E: map_unit_cube(DIMUON, E, 37.2, 0.01, 2.0, rule).jacobian.mean() * 1e6)
    E = jnp.asarray(4.2)
    np.testing.assert_allclose(jax.jacfwd(volume)(E), jax.grad(volume)(E), rtol=1e-10)
    np.testing.assert_allclose(jax.grad(volume)(E), central(volume, E, 1e-5), rtol=1e-6)
