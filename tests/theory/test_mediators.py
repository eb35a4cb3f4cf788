import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import TypeCheckError

from tridentjax.theory.mediators import ScalarMediator, VectorMediator, loop_mixing, mediator_shift, scalar_shift

G_FERMI = 1.1663788e-5  # GeV^-2, PDG; written again here so that a changed constant is noticed
K2 = np.array([1e-7, 3.1e-4, 0.027, 1.9])


def mediator(mass, g_nu, g_V, g_A):
    return VectorMediator(*(jnp.asarray(x, dtype=float) for x in (mass, g_nu, g_V, g_A)))


def shifts(*fields):
    return tuple(np.asarray(x) for x in mediator_shift(mediator(*fields), jnp.asarray(K2)))


def test_shift_at_generic_values():
    delta_V, delta_A = shifts(0.137, 2.3e-3, -4.1e-3, 0.7e-3)
    propagator = 1 / (np.sqrt(2) * G_FERMI * (0.137**2 + K2))
    np.testing.assert_allclose(delta_V, 2.3e-3 * -4.1e-3 * propagator, rtol=1e-12)
    np.testing.assert_allclose(delta_A, 2.3e-3 * 0.7e-3 * propagator, rtol=1e-12)


def test_heavy_mediator_is_a_contact_interaction():
    delta_V, delta_A = shifts(1e4, 0.8, 0.3, -1.1)
    np.testing.assert_allclose(delta_V, 0.24 / (np.sqrt(2) * G_FERMI * 1e8), rtol=1e-7)
    np.testing.assert_allclose(delta_A, -0.88 / (np.sqrt(2) * G_FERMI * 1e8), rtol=1e-7)


def test_massless_mediator_is_coulomb_like():
    np.testing.assert_allclose(shifts(0.0, 1e-4, 1e-4, 0.0)[0] * K2, 1e-8 / (np.sqrt(2) * G_FERMI), rtol=1e-12)


def test_tower_adds_amplitudes():
    masses, g_nu, g_V, g_A = [0.02, 0.9, 31.0], [1e-3, 2e-2, -0.4], [3e-3, -1e-2, 0.5], [0.0, 5e-2, 0.2]
    together = shifts(masses, g_nu, g_V, g_A)
    alone = [shifts(*row) for row in zip(masses, g_nu, g_V, g_A, strict=True)]
    for i in (0, 1):
        np.testing.assert_allclose(together[i], sum(one[i] for one in alone), rtol=1e-12)


def test_fields_of_different_shape_are_refused():
    # the run-time shape checks of this test session speak first; without them the record itself does
    with pytest.raises((ValueError, TypeCheckError), match=r"different shapes|tower=\(2,\)"):
        mediator([1.0, 2.0], 0.1, 0.1, 0.1)


def test_transforms():
    function = lambda m, k: jnp.stack(mediator_shift(m, k))  # noqa: E731
    one = mediator(0.137, 2.3e-3, -4.1e-3, 0.7e-3)
    k = jnp.asarray(K2)
    np.testing.assert_allclose(eqx.filter_jit(function)(one, k), function(one, k), rtol=1e-14)
    masses = jnp.asarray([1e-3, 0.4, 90.0])
    batch = jax.vmap(lambda mass: function(eqx.tree_at(lambda m: m.mass, one, mass), k))(masses)
    loop = [function(eqx.tree_at(lambda m: m.mass, one, mass), k) for mass in masses]
    np.testing.assert_allclose(batch, jnp.stack(loop), rtol=1e-13)


@pytest.mark.slow
@pytest.mark.parametrize("mass", [1e-3, 0.21, 1e3])
def test_gradients(mass):
    def total(x):
        return jnp.stack(mediator_shift(VectorMediator(*x), jnp.asarray(K2[2:]))).sum()

    x = jnp.asarray([mass, 0.9, 0.6, -0.2])
    forward, reverse = jax.jacfwd(total)(x), jax.grad(total)(x)
    np.testing.assert_allclose(forward, reverse, rtol=1e-12)
    for i, unit in enumerate(np.eye(4)):
        h = 1e-5 * float(abs(x[i]))
        central = (total(x + h * unit) - total(x - h * unit)) / (2 * h)
        # below 1e-3 GeV the mass hardly matters beside K2: compare at the scale of the function
        np.testing.assert_allclose(reverse[i] * x[i], central * x[i], rtol=1e-6, atol=1e-8 * abs(float(total(x))))


def test_gradients_stay_finite_at_zero_coupling():
    gradient = jax.grad(lambda g: mediator_shift(VectorMediator(jnp.asarray(1e-3), g, g, g), jnp.asarray(K2))[0].sum())
    assert float(gradient(jnp.asarray(0.0))) == 0.0
    assert np.isfinite(gradient(jnp.asarray(1e-12)))


def scalar_couplings(*fields):
    found = scalar_shift(ScalarMediator(*(jnp.asarray(x, dtype=float) for x in fields)), jnp.asarray(K2))
    return tuple(np.asarray(x) for x in found)


def test_scalar_at_generic_values_and_tower():
    propagator = 1 / (np.sqrt(2) * G_FERMI * (0.137**2 + K2))
    found_S, found_P = scalar_couplings(0.137, 2.3e-3, -4.1e-3, 0.7e-3)
    np.testing.assert_allclose(found_S, 2.3e-3 * 4.1e-3 * propagator, rtol=1e-12)
    np.testing.assert_allclose(found_P, -2.3e-3 * 0.7e-3 * propagator, rtol=1e-12)
    tower = scalar_couplings([0.137, 2.0], [2.3e-3, 0.1], [-4.1e-3, 0.2], [0.7e-3, 0.0])
    heavy = scalar_couplings(2.0, 0.1, 0.2, 0.0)
    np.testing.assert_allclose(tower[0], found_S + heavy[0], rtol=1e-12)
    np.testing.assert_allclose(tower[1], found_P, rtol=1e-12)


def test_scalar_fields_of_one_shape():
    with pytest.raises((ValueError, TypeCheckError), match=r"different shapes|tower=\(2,\)"):
        ScalarMediator(jnp.ones(2), jnp.ones(2), jnp.ones(2), jnp.ones(()))


def test_loop_mixing_against_mpmath():
    """Vacuum polarisation of a muon and a tau of opposite charges: -1/69.3 at K2 = 0, decoupling as 1/K2."""
    from mpmath import log, mp, quad

    electron_charge = np.sqrt(4 * np.pi / 137.035999177)
    for transfer in (0.0, 3e-5, 0.021, 0.9, 27.0, 2500.0):

        def integrand(x, transfer=transfer):
            y = x * (1 - x)
            return y * log((mp.mpf("1.77693") ** 2 + y * transfer) / (mp.mpf("0.1056583755") ** 2 + y * transfer))

        expected = -electron_charge / (2 * np.pi**2) * float(quad(integrand, [0, 1e-4, 1e-2, 0.5, 0.99, 0.9999, 1]))
        np.testing.assert_allclose(loop_mixing(jnp.asarray(transfer)), expected, rtol=1e-7)
    np.testing.assert_allclose(1 / loop_mixing(jnp.asarray(0.0)), -69.3, atol=0.05)
    logarithm = 2 * np.log(1.77693 / 0.1056583755)
    closed = -electron_charge / (12 * np.pi**2) * logarithm
    np.testing.assert_allclose(loop_mixing(jnp.asarray(0.0)), closed, rtol=1e-13)


def test_loop_mixing_is_smooth_and_batched():
    points = jnp.asarray([[0.0, 0.02], [1.3, 400.0]])
    np.testing.assert_allclose(jax.vmap(jax.vmap(loop_mixing))(points), loop_mixing(points), rtol=1e-14)
    for x in (0.0, 0.02, 1.3):
        slope, h = jax.grad(loop_mixing)(jnp.asarray(x)), 1e-5
        one_sided = (
            -3 * loop_mixing(jnp.asarray(x)) + 4 * loop_mixing(jnp.asarray(x + h)) - loop_mixing(jnp.asarray(x + 2 * h))
        ) / (2 * h)
        np.testing.assert_allclose(slope, one_sided, rtol=1e-5)
