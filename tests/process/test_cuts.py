"""Cuts as weights; the oracle of a smooth cut is a detector that smears and then cuts."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fixtures_physics import map_jitted, random_points

from tridentjax.currents import Channel
from tridentjax.faults import InputError
from tridentjax.nucleus.nuclei import load_nucleus
from tridentjax.nucleus.regimes import Q2_scale, nucleus_regimes
from tridentjax.process.cross_section import integrate
from tridentjax.process.cuts import NO_CUTS, Cut, CutRequest, Cuts, acceptance, make_cuts
from tridentjax.process.laboratory import OBSERVABLES, kinematics
from tridentjax.process.weighted_points import map_constants, weigh
from tridentjax.quadrature import sobol_rule

MU_E = Channel("mu", "mu", "e")
E_NU, MASS = 11.0, 37.2155
RNG = np.random.default_rng(20261)


def events(count=512):
    points = random_points(MU_E, E_NU, MASS, count, seed=7)
    return eqx.filter_jit(kinematics)(MU_E, points, jnp.asarray(E_NU), jnp.asarray(MASS))


EVENTS = events()
VALUES = {name: np.asarray(o.function(EVENTS)) for name, o in OBSERVABLES.items()}


def accepted(*requests, efficiency=1.0):
    return np.asarray(acceptance(make_cuts([CutRequest(*r) for r in requests], efficiency), EVENTS))


# --- values --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OBSERVABLES)
def test_a_hard_cut_is_an_indicator(name):
    x, unit = VALUES[name], OBSERVABLES[name].unit
    low, high = np.quantile(x, [0.23, 0.71])
    inside = (x >= low) & (x <= high)
    assert 0.3 < inside.mean() < 0.6
    np.testing.assert_array_equal(accepted((name, unit, low, high)), inside)
    np.testing.assert_array_equal(accepted((name, unit, low, None)), x >= low)
    np.testing.assert_array_equal(accepted((name, unit, None, high)), x <= high)


@pytest.mark.parametrize(
    ("name", "unit", "scale", "low", "high", "resolution", "relative"),
    [
        ("E_minus", "GeV", 1.0, 1.7, 6.1, 0.9, 0.0),
        ("E_minus", "MeV", 1e-3, 2100.0, None, 0.0, 0.31),
        ("E_plus", "GeV", 1.0, None, 2.9, 0.4, 0.17),
        ("theta_minus", "deg", np.pi / 180, 3.0, 17.0, 2.3, 0.0),
        ("opening_angle", "mrad", 1e-3, 60.0, 410.0, 35.0, 0.2),
        ("K2", "GeV^2", 1.0, 0.2, 3.1, 0.5, 0.0),
    ],
)
def test_a_smooth_cut_is_the_chance_of_being_measured_inside(name, unit, scale, low, high, resolution, relative):
    """Smear by NumPy, count: every event within its binomial error, in the unit of the cut."""
    trials, size = 10000, 200
    x = VALUES[name][:size] / scale
    width = np.hypot(resolution, relative * x)
    measured = x[:, None] + width[:, None] * RNG.standard_normal((size, trials))
    counted = ((measured >= (low or -np.inf)) & (measured <= (high or np.inf))).mean(1)
    ours = accepted((name, unit, low, high, resolution, relative))[:size]
    error = np.sqrt(ours * (1 - ours) / trials + 1 / trials**2)
    pulls = (counted - ours) / error
    assert np.abs(pulls).max() < 4.5 and 0.5 < np.mean(pulls[(ours > 0.01) & (ours < 0.99)] ** 2) < 1.8
    assert ((ours > 0.05) & (ours < 0.95)).sum() > 12


@pytest.mark.parametrize("relative", [False, True])
def test_a_smooth_cut_becomes_hard(relative):
    x = VALUES["E_minus"]
    low, high = 1.234, 5.678
    hard = accepted(("E_minus", "GeV", low, high))
    distances = []
    for width in (0.3, 0.03, 0.003):
        smooth = accepted(("E_minus", "GeV", low, high, *((0.0, width) if relative else (width, 0.0))))
        distances.append(np.abs(smooth - hard).mean())
    assert distances[0] > 3 * distances[1] > 9 * distances[2] > 0
    far = np.minimum(np.abs(x - low), np.abs(x - high)) > 1e-4
    sharp = accepted(("E_minus", "GeV", low, high, 1e-6))
    np.testing.assert_allclose(sharp[far], hard[far], atol=1e-15)


def test_cuts_multiply_with_the_efficiency():
    one, two = ("E_minus", "GeV", 0.9, None, 0.4), ("theta_plus", "rad", None, 0.31, 0.05)
    hard = ("opening_angle", "rad", 0.02, 0.6)
    product = accepted(one) * accepted(two) * accepted(hard)
    np.testing.assert_allclose(accepted(one, two, hard, efficiency=0.37), 0.37 * product, rtol=1e-14)
    assert 0.05 < product.mean() < 0.9
    np.testing.assert_array_equal(accepted(efficiency=0.83), 0.83)
    np.testing.assert_array_equal(acceptance(NO_CUTS, EVENTS), 1.0)


def test_complementary_smooth_windows_add_up():
    low, middle, high = (accepted(("E_pair", "GeV", a, b, 0.7)) for a, b in ((None, 3.0), (3.0, 7.0), (7.0, None)))
    np.testing.assert_allclose(low + middle + high, 1.0, rtol=1e-14)
    assert low.max() > 0.9 and middle.max() > 0.9 and high.max() > 0.9


def test_units_are_equivalent():
    for same in (
        ("theta_minus", "deg", 4.0, 20.0, 1.0),
        ("theta_minus", "mrad", *(x * np.pi / 0.18 for x in (4, 20, 1))),
    ):
        reference = accepted(("theta_minus", "rad", *(np.radians(x) for x in (4.0, 20.0, 1.0))))
        np.testing.assert_allclose(accepted(same), reference, rtol=1e-12)


def test_whether_anything_is_selected():
    assert not NO_CUTS.active and not make_cuts([]).active
    assert make_cuts([], 0.9).active and make_cuts([CutRequest("Q2", "GeV^2", max=1.0)]).active
    assert Cuts((), jnp.asarray(1.0)).active  # a traced efficiency may become anything


# --- gradients and transforms --------------------------------------------------------------------------------


def threshold_cuts(p):
    """Smooth: low edge of E_minus, high edge of theta_plus, efficiency."""
    zero, infinity = jnp.asarray(0.0), jnp.asarray(jnp.inf)
    energy = Cut(p[0], infinity, jnp.asarray(0.5), zero, "E_minus", True)
    theta = Cut(-infinity, p[1], jnp.asarray(0.02), jnp.asarray(0.1), "theta_plus", True)
    return Cuts((energy, theta), p[2])


P = jnp.asarray([1.3, 0.24, 0.9])


def check_three_ways(f, x, step, rtol):
    forward, reverse = jax.jit(jax.jacfwd(f))(x), jax.jit(jax.jacrev(f))(x)
    np.testing.assert_allclose(forward, reverse, rtol=1e-9, atol=1e-12 * np.abs(reverse).max())
    f = jax.jit(f)
    for i in range(x.size):
        h = jnp.zeros(x.size).at[i].set(step * float(x[i]))
        central = (8 * (f(x + h) - f(x - h)) - (f(x + 2 * h) - f(x - 2 * h))) / (12 * step * float(x[i]))
        np.testing.assert_allclose(reverse[i], central, rtol=rtol)
    return np.asarray(reverse)


def test_gradient_of_the_acceptance():
    slope = check_three_ways(lambda p: acceptance(threshold_cuts(p), EVENTS).mean(), P, 1e-3, 1e-7)
    assert slope[0] < 0 < slope[1] and slope[2] > 0


REGIME, RULE = nucleus_regimes(load_nucleus("Fe56"))[0], sobol_rule(2**8, 7, 12)


@pytest.mark.slow
def test_gradient_of_a_fiducial_cross_section():
    """Nodes stay where they are, so the derivative is exact on a small rule."""
    f = lambda p: integrate(MU_E, REGIME, E_NU, RULE, cuts=threshold_cuts(p))[3] * 1e42  # noqa: E731
    forward, reverse = jax.jacfwd(f)(P), jax.grad(f)(P)
    np.testing.assert_allclose(forward, reverse, rtol=1e-9)
    for i in range(3):
        h = jnp.zeros(3).at[i].set(1e-3)
        central = (8 * (f(P + h) - f(P - h)) - (f(P + 2 * h) - f(P - 2 * h))) / 12e-3
        np.testing.assert_allclose(reverse[i], central, rtol=1e-6)
    assert float(reverse[0]) < 0 < float(reverse[1])
    np.testing.assert_allclose(reverse[2] * 0.9, f(P), rtol=1e-10)  # linear in the efficiency


@pytest.mark.slow
def test_nodes_do_not_move_with_a_threshold():
    """The integral with cuts is a sum over the same points at every threshold, weights times acceptance."""
    numbers = [jnp.asarray(x) for x in (E_NU, REGIME.mass, Q2_scale(REGIME), REGIME.largest_Q2)]
    event = eqx.filter_jit(kinematics)(MU_E, map_jitted(MU_E, *numbers, RULE), *numbers[:2])
    first, second = (weigh(MU_E, numbers[0], map_constants(REGIME), RULE, threshold_cuts(p)) for p in (P, P * 1.7))
    for a, b in zip(first[2:5], second[2:5], strict=True):  # Q2, K2, W2
        np.testing.assert_array_equal(a, b)
    one, two = (points.weight * points.accepted[None, None] for points in (first, second))
    a, b = (acceptance(threshold_cuts(p), event) for p in (P, P * 1.7))
    np.testing.assert_allclose(one * b[None, None], two * a[None, None], rtol=1e-8, atol=1e-10 * np.abs(one).max())
    assert np.abs(np.asarray(one - two)).max() > 0.1 * np.abs(one).max()


@pytest.mark.slow
def test_jit_equals_eager_and_vmap_equals_a_loop():
    rows = jnp.stack([P, P * 0.6, P * jnp.asarray([2.5, 0.3, 1.0])])
    loop = np.stack([acceptance(threshold_cuts(p), EVENTS) for p in rows])
    np.testing.assert_allclose(jax.vmap(lambda p: acceptance(threshold_cuts(p), EVENTS))(rows), loop, rtol=1e-13)
    np.testing.assert_allclose(jax.jit(lambda p: acceptance(threshold_cuts(p), EVENTS))(rows[2]), loop[2], rtol=1e-13)
    assert np.ptp(loop, axis=0).max() > 0.3


def test_a_new_threshold_needs_no_new_compilation():
    traces = []

    @eqx.filter_jit
    def counted(cuts):
        traces.append(1)
        return acceptance(cuts, EVENTS).sum()

    sums = [float(counted(make_cuts([CutRequest("E_minus", "GeV", low, None, 0.2)]))) for low in (0.4, 1.1, 3.7)]
    assert len(traces) == 1 and sums[0] > sums[1] > sums[2]


# --- faults --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (("E_mins", "GeV", 1.0), r"unknown observable 'E_mins'.*did you mean 'E_minus'"),
        (("E_minus", "rad", 1.0), r"cut E_minus: unit 'rad'; allowed: GeV, MeV"),
        (("E_minus", "GeV^2", 1.0), r"cut E_minus: unit 'GeV\^2'; allowed: GeV, MeV"),
        (("theta_plus", "GeV", 1.0), r"cut theta_plus: unit 'GeV'; allowed: rad, mrad, deg"),
        (("Q2", "MeV", 1.0), r"cut Q2: unit 'MeV'; allowed: GeV\^2"),
        (("m_ll", "TeV", 1.0), r"cut m_ll: unit 'TeV'; allowed: GeV, MeV"),
        (("E_plus", "GeV", 3.0, 2.0), r"cut E_plus: window \[3.0, 2.0\] GeV is empty; min must be below max"),
        (("E_plus", "GeV", 2.0, 2.0), r"window \[2.0, 2.0\] GeV is empty"),
        (("E_plus", "GeV", -0.5, 2.0), r"window \[-0.5, 2.0\] GeV; no such event: allowed from 0 upwards"),
        (("K2", "GeV^2", None, -2.0), r"cut K2: window \[None, -2.0\] GeV\^2; no such event"),
        (("K2", "GeV^2", None, 0.0), r"cut K2: window \[None, 0.0\] GeV\^2; no such event"),
        (("theta_minus", "deg", 181.0), r"cut theta_minus: window \[181.0, None\] deg; angles end at pi"),
        (("opening_angle", "mrad", 3200.0), r"angles end at pi"),
        (("E_pair", "GeV"), r"cut E_pair: neither min nor max; give at least one"),
        (("E_pair", "GeV", 1.0, None, -0.1), r"cut E_pair: resolution must not be negative; 0 or absent is a hard cut"),
        (("E_pair", "GeV", 1.0, None, 0.1, -0.1), r"resolution must not be negative"),
        (("E_pair", "GeV", float("nan")), r"with a number that is not finite; leave an open side out"),
        (("E_pair", "GeV", 1.0, float("inf")), r"with a number that is not finite; leave an open side out"),
        (("E_pair", "GeV", 1.0, 2.0, float("inf")), r"with a number that is not finite"),
    ],
)
def test_faults(request_, message):
    with pytest.raises(InputError, match=message) as caught:
        make_cuts([CutRequest(*request_)])
    assert len(caught.value.faults) == 1


@pytest.mark.parametrize("efficiency", [0.0, 1.2, -0.4, float("nan")])
def test_efficiency_is_a_probability(efficiency):
    with pytest.raises(InputError, match=rf"cut: efficiency = {efficiency}; allowed: above 0, up to 1"):
        make_cuts([], efficiency)


def test_all_faults_come_at_once():
    requests = [
        CutRequest("E_minus", "deg", 1.0),
        CutRequest("thetaplus", "rad", 1.0),
        CutRequest("E_plus", "MeV", 30.0, 20.0, -1.0),
        CutRequest("theta_minus", "rad", 4.0, 3.0),
        CutRequest("Q2", "GeV^2", 0.1, 0.4),
    ]
    with pytest.raises(InputError) as caught:
        make_cuts(requests, 1.5, "my.yaml")
    assert len(caught.value.faults) == 7
    text = str(caught.value)
    for fault in (
        "my.yaml: efficiency = 1.5", "my.yaml E_minus: unit 'deg'", "did you mean 'theta_plus'",
        "my.yaml E_plus: window [30.0, 20.0] MeV is empty", "my.yaml E_plus: resolution",
        "my.yaml theta_minus: window [4.0, 3.0] rad is empty", "angles end at pi",
    ):  # fmt: skip
        assert fault in text, fault
