"""Belle II: Poisson limits and the coupling that reaches them."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import poisson

from tridentjax.experiment.belle2 import Belle2Assumptions
from tridentjax.faults import InputError
from tridentjax.inference.limits.belle2_reach import expected_reach, first_crossing, lmutau_events, signal_upper_limit

ROOT_S = math.sqrt(112.0)
WINDOW = Belle2Assumptions(min_energy=1.3, max_energy=5.9, min_angle=23.0, max_angle=117.0, luminosity=3.7)


def test_limit_without_background():
    for statistic in ("cls", "classical"):
        assert signal_upper_limit(0.9, statistic=statistic) == pytest.approx(math.log(10), rel=1e-12)
        assert signal_upper_limit(0.95, statistic=statistic) == pytest.approx(math.log(20), rel=1e-12)


@pytest.mark.parametrize("background", [0.4, 0.8, 3.3, 41.7])
def test_limits_against_sums_of_probabilities(background):
    median = int(poisson.median(background))
    for observed in (None, 2, 60):
        n = median if observed is None else observed
        ratio = lambda s: poisson.cdf(n, s + background) / poisson.cdf(n, background)  # noqa: B023, E731
        expected = brentq(lambda s: ratio(s) - 0.07, 1e-6, 300, xtol=1e-12)  # noqa: B023
        found = signal_upper_limit(0.93, background, None if observed is None else float(observed))
        assert found == pytest.approx(expected, rel=1e-8)
    classical = signal_upper_limit(0.93, background, statistic="classical")
    assert poisson.cdf(median, classical + background) == pytest.approx(0.07, rel=1e-9)


def test_a_classical_limit_below_zero_is_refused():
    with pytest.raises(InputError, match=r"classical limit at n = 1, b = 9: no signal count is allowed; use cls"):
        signal_upper_limit(0.9, 9.0, 1.0, "classical")
    with pytest.raises(InputError, match=r"observed = -2; allowed: 0 or more"):
        signal_upper_limit(0.9, 9.0, -2.0)


@pytest.mark.few(1)
@pytest.mark.parametrize(("mixing", "g"), [("loop", None), ("tree", None), ("tree", 1.7e-5)])
def test_events_at_the_reach_equal_the_limit(mixing, g):
    masses = jnp.asarray([0.004, 0.19, 0.6, 3.9, 9.7])
    record = Belle2Assumptions(luminosity=1.3, background=2.2, confidence_level=0.95)
    reach = expected_reach(mixing, masses, record, g)
    events = lmutau_events(mixing, masses, reach, record, g)
    np.testing.assert_allclose(events, signal_upper_limit(0.95, 2.2), rtol=1e-11)


@pytest.mark.slow
def test_visible_decays_weaken_the_tree_reach_at_small_g():
    """Mixing then dominates the width: above 2 m_tau no eps gives enough events, as a dense lattice confirms."""
    masses = jnp.asarray([0.19, 3.9, 0.3, 0.5, 9.0])
    alone, small = (np.asarray(expected_reach("tree", masses, Belle2Assumptions(), g)) for g in (None, 1e-6))
    assert small[0] > 2 * alone[0] and np.isnan(small[1]) and np.isfinite(alone[1])
    epsilon = jnp.geomspace(1e-9, 1.0, 4001)
    most = jax.jit(lmutau_events, static_argnums=0)(
        "tree", jnp.full_like(epsilon, 3.9), epsilon, Belle2Assumptions(), 1e-6
    ).max()
    assert 0.0 < float(most) < math.log(10)


@pytest.mark.slow
def test_no_reach_is_nan_never_a_number():
    masses = jnp.asarray([0.3, 9.99, 10.58, ROOT_S, 15.0])
    for mixing, g in (("loop", None), ("tree", None), ("tree", 1e-3)):
        assert np.isnan(np.asarray(expected_reach(mixing, masses, Belle2Assumptions(), g))[2:]).all()
    faint = Belle2Assumptions(luminosity=1e-12)
    assert np.isnan(np.asarray(expected_reach("loop", masses[:2], faint))).all()
    # the invisible share falls as fast as production rises: at this g no eps is reached
    assert np.isnan(np.asarray(expected_reach("tree", masses[:2], Belle2Assumptions(), 1e-9))).all()


@pytest.mark.slow
def test_reach_is_differentiable_in_the_mass():
    log_reach = jax.jit(lambda mass: jnp.log(expected_reach("loop", mass, WINDOW)).sum())

    masses, h = jnp.asarray([0.05, 0.44, 5.1]), 1e-5
    slope = jax.jit(jax.grad(log_reach))(masses)
    for i in range(3):
        step = jnp.asarray(h * np.eye(3)[i])
        np.testing.assert_allclose(slope[i], (log_reach(masses + step) - log_reach(masses - step)) / (2 * h), rtol=1e-5)
    beyond = jax.jit(jax.grad(lambda m: jnp.nansum(expected_reach("loop", m, WINDOW))))(jnp.asarray([0.3, 11.0]))
    assert np.isfinite(beyond).all() and float(beyond[1]) == 0.0


def test_first_crossing_is_the_first_of_two():
    peak = jnp.asarray([3e-4, 2e-2])
    found = first_crossing(lambda c: 10.0 * (c / peak) ** 2 * jnp.exp(1 - (c / peak) ** 2), 4.0, 2)
    root = brentq(lambda u: 10 * u * math.exp(1 - u) - 4, 1e-6, 1)
    np.testing.assert_allclose(found, math.sqrt(root) * np.asarray(peak), rtol=1e-11)
