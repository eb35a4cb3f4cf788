"""Differential cross sections against totals, against the table, and under charge conjugation."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest
from fixtures_physics import DIMUON, density, dimuon_table
from scipy.interpolate import CubicSpline

from tridentjax.currents import Channel, LeptonCurrent
from tridentjax.experiment.flux import Flux
from tridentjax.faults import InputError
from tridentjax.nucleus.nuclei import load_nucleus
from tridentjax.nucleus.regimes import nucleon_regime, nucleus_regimes
from tridentjax.process.cross_section import integrate
from tridentjax.process.cuts import CutRequest, make_cuts
from tridentjax.process.phase_space import DIMENSION
from tridentjax.process.totals import tabulated_cross_section
from tridentjax.process.weighted_points import REPLICAS
from tridentjax.quadrature import sobol_rule
from tridentjax.rates.distributions import differential_distribution
from tridentjax.theory.theories import zprime

ANTI_DIMUON = Channel("mu", "mu", "mu", antineutrino=True)
MU_E, CP_OF_MU_E = Channel("mu", "mu", "e"), Channel("mu", "e", "mu", antineutrino=True)
COHERENT = nucleus_regimes(load_nucleus("Fe56"))[0]
PROTON = nucleon_regime("proton")
E_NU = 9.3
ENERGY = [0.4, 0.9, 1.6, 2.5, 4.0, 5.5, 7.0, 8.6]
ANGLE = [0.0, 0.02, 0.05, 0.1, 0.17, 0.3, 0.6]
COARSE = {"E": [0.4, 1.6, 4.0, 8.6], "t": [0.0, 0.04, 0.12, 0.5]}


@functools.cache
def distribution(channel, names, points=2**10, seed=0, theory=None, regime=COHERENT):
    edges = {name: {"E": ENERGY, "t": ANGLE, "o": ANGLE}[name[0]] for name in names}
    more = {} if theory is None else {"theory": theory}
    return differential_distribution(channel, [(1.0, regime)], E_NU, edges, points=points, seed=seed, **more)


def event_integral(channel, points, seed=0, **options):
    """Mean and error of the integral with the points of a distribution (whose last coordinate is the energy)."""
    rules = [sobol_rule(points, DIMENSION + 1, seed * REPLICAS + i) for i in range(REPLICAS)]
    values = [float(integrate(channel, COHERENT, E_NU, rule, **options)[3]) for rule in rules]
    return np.mean(values), 1.4 * np.std(values, ddof=1) / 4


def pulls(a, b, swap=False):
    value = b.value.T if swap else b.value
    error = b.error.T if swap else b.error
    return (a.value - value) / np.hypot(a.error, error)


# --- normalisation -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_bins_and_the_rest_make_up_the_cross_section():
    """Same points: exactly the event integral; the table: within errors (dimuons: other pairs cost a table)."""
    found = distribution(MU_E, ("E_minus",))
    np.testing.assert_allclose(found.total, event_integral(MU_E, 2**10)[0], rtol=1e-10)
    found = distribution(DIMUON, ("E_minus",))
    value, error = event_integral(DIMUON, 2**10)
    np.testing.assert_allclose(found.total, value, rtol=1e-10)
    table = tabulated_cross_section(DIMUON, COHERENT, [E_NU])
    assert abs(found.total - table.sigma[0]) < 3 * error + table.sigma_error[0] < 0.1 * found.total
    assert 0.005 < found.outside / found.total < 0.3
    assert found.value.shape == found.error.shape == (7,) and (found.error > 0).all()
    np.testing.assert_allclose((found.value * np.diff(ENERGY)).sum() + found.outside, found.total, rtol=1e-13)


@pytest.mark.slow
def test_two_observables():
    plane = distribution(MU_E, ("E_minus", "theta_plus"))
    line = distribution(MU_E, ("E_minus",))
    assert plane.value.shape == (7, 6) and plane.observables == ("E_minus", "theta_plus")
    np.testing.assert_allclose(plane.total, line.total, rtol=1e-12)
    # only what has theta_plus > 0.6 is missing from the projection
    projected = (plane.value * np.diff(ANGLE)[None]).sum(1)
    assert (projected <= line.value * (1 + 1e-12)).all() and (projected > 0.7 * line.value).all()
    wide = differential_distribution(
        MU_E, [(1.0, COHERENT)], E_NU, {"E_minus": ENERGY, "theta_plus": [0.0, 0.11, 3.2]}, points=2**10
    )
    np.testing.assert_allclose(wide.value @ [0.11, 3.09], line.value, rtol=1e-12)
    swapped = distribution(MU_E, ("theta_plus", "E_minus"))
    np.testing.assert_allclose(swapped.value.T, plane.value, rtol=1e-12)


@pytest.mark.slow
def test_regimes_add_with_their_fractions():
    parts = [
        differential_distribution(DIMUON, [(1.0, r)], E_NU, {"E_minus": ENERGY}, points=2**9, seed=s)
        for r, s in ((COHERENT, 5), (PROTON, 6))
    ]
    both = differential_distribution(
        DIMUON, [(0.03, COHERENT), (0.97, PROTON)], E_NU, {"E_minus": ENERGY}, points=2**9, seed=11
    )
    expected = 0.03 * parts[0].value + 0.97 * parts[1].value
    error = np.sqrt((0.03 * parts[0].error) ** 2 + (0.97 * parts[1].error) ** 2 + both.error**2)
    assert np.abs((both.value - expected) / error).max() < 3.5
    assert (np.abs(0.03 * parts[0].value - both.value) > 3 * error)[2]  # the proton is seen


@pytest.mark.slow
def test_cuts_and_theories_act_on_events():
    cuts = make_cuts([CutRequest("theta_minus", "rad", None, 0.1, 0.02)], 0.8)
    parameters = {"mass": 0.03, "g": 8e-4}
    found = differential_distribution(
        MU_E, [(1.0, COHERENT)], E_NU, {"E_minus": ENERGY}, cuts=cuts, points=2**10, seed=4,
        theory=zprime, parameters=parameters,
    )  # fmt: skip
    given = {name: jnp.asarray(x) for name, x in parameters.items()}
    value, _ = event_integral(MU_E, 2**10, seed=4, cuts=cuts, theory=zprime, parameters=given)
    np.testing.assert_allclose(found.total, value, rtol=1e-10)
    assert found.total < 0.75 * distribution(MU_E, ("E_minus",)).total


@pytest.mark.slow
def test_a_flux_average():
    """Total against the table at every energy of the flux; neutrinos below threshold count in the average."""
    energy, weight = [0.1, 1.1, 4.0, 17.0, 60.0], [3.0, 1.0, 2.0, 0.7, 0.2]
    flux = Flux(jnp.asarray(energy), jnp.asarray(weight), 6.0, "numu", "1/GeV", "lines")
    found = differential_distribution(DIMUON, [(1.0, COHERENT)], flux, {"E_minus": [0.5, 3.0, 30.0]}, points=2**12)
    exact = tabulated_cross_section(DIMUON, COHERENT, energy).sigma @ weight / sum(weight)
    assert found.total == pytest.approx(exact, rel=1e-2, abs=0.0)
    alone = [
        differential_distribution(DIMUON, [(1.0, COHERENT)], E, {"E_minus": [0.5, 3.0, 30.0]}, points=2**11, seed=i + 1)
        for i, E in enumerate(energy)
    ]
    mean = sum(w * x.value for w, x in zip(weight, alone, strict=True)) / sum(weight)
    error = np.sqrt(sum((w * x.error) ** 2 for w, x in zip(weight, alone, strict=True))) / sum(weight)
    assert np.abs((found.value - mean) / np.hypot(error, found.error)).max() < 3
    assert (found.error < 0.02 * found.value).all()


# --- shape ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_Q2_distribution_against_the_table():
    """Coherent dsigma/dQ2 = sum over K2 of the table's density, times the form factor: no events at all."""
    table, edges = dimuon_table(), np.array([2e-4, 6e-4, 1.5e-3, 4e-3, 9e-3, 2e-2, 5e-2])
    kernel = np.asarray(density(table, jnp.asarray(E_NU), COHERENT.mass))[:, 0].sum(-1)
    g_V, g_A = 0.5 + 2 * 0.23122, 0.5
    per_log = (g_V**2 * kernel[0] + g_A**2 * kernel[1]) * np.asarray(COHERENT.structure(table.Q2))[0]
    per_log = per_log / table.resolution.step_Q2  # dsigma/dlnQ2
    curve = CubicSpline(np.log(np.asarray(table.Q2)), per_log)
    exact = np.array([curve.integrate(a, b) for a, b in zip(np.log(edges[:-1]), np.log(edges[1:]), strict=True)])
    found = differential_distribution(DIMUON, [(1.0, COHERENT)], E_NU, {"Q2": edges.tolist()}, points=2**12)
    z = (found.value * np.diff(edges) - exact) / np.hypot(found.error * np.diff(edges), 1e-3 * exact)
    assert np.abs(z).max() < 3.5 and (found.error < 0.04 * found.value).all()


@pytest.mark.slow
def test_charge_conjugation():
    """nu_mu -> mu- e+ and antinu_mu -> e- mu+ are images: the spectra of mu- and mu+ agree, and of e+ and e-."""

    def plane(channel, names, seed):
        edges = {name: COARSE[name[0]] for name in names}
        return differential_distribution(channel, [(1.0, COHERENT)], E_NU, edges, points=2**12, seed=seed)

    pair, image = ("E_minus", "theta_plus"), ("E_plus", "theta_minus")
    ours = [plane(MU_E, names, 0) for names in (pair, image)]
    theirs = [plane(CP_OF_MU_E, names, 1) for names in (image, pair)]
    z = np.concatenate([pulls(a, b).ravel() for a, b in zip(ours, theirs, strict=True)])
    assert np.abs(z).max() < 3.3 and 0.1 < np.mean(z**2) < 1.3
    assert all((np.abs(pulls(a, b)).max() > 8) for a, b in zip(ours, theirs[::-1], strict=True))  # mu and e differ


def vector_like(parameters, channel, K2):
    """g_A = 0: no interference of V and A."""
    return LeptonCurrent(jnp.ones((1, K2.size)), jnp.zeros((1, K2.size)))


@pytest.mark.slow
def test_charge_asymmetry_of_muon_pairs():
    """The V-A interference makes mu- and mu+ differ event by event, and reverses for antineutrinos."""
    minus, plus = (distribution(DIMUON, (name,), points=2**12, seed=s) for s, name in enumerate(("E_minus", "E_plus")))
    anti = distribution(ANTI_DIMUON, ("E_plus",), points=2**12, seed=2)
    assert np.abs(pulls(minus, plus)).max() > 6
    assert np.abs(pulls(minus, anti)).max() < 3.5  # CP
    np.testing.assert_allclose(minus.total, plus.total, rtol=1e-2)
    symmetric = [
        distribution(DIMUON, (name,), points=2**12, seed=s, theory=vector_like)
        for s, name in enumerate(("E_minus", "E_plus"))
    ]
    assert np.abs(pulls(*symmetric)).max() < 3.5


# --- errors --------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_errors_shrink_and_are_honest():
    small, large = (distribution(DIMUON, ("E_minus",), points=n, seed=3) for n in (2**8, 2**12))
    assert (large.error < 0.5 * small.error).all()  # sixteen times the points
    runs = [distribution(DIMUON, ("E_minus",), points=2**8, seed=s) for s in range(20, 26)]
    z = np.concatenate([pulls(a, large) for a in runs])
    assert np.abs(z).max() < 3.2 and 0.2 < np.mean(z**2) < 1.4  # 42 numbers, errors scaled by 1.4


@pytest.mark.slow
def test_the_same_seed_gives_the_same_numbers():
    one, two, other = (
        differential_distribution(DIMUON, [(1.0, COHERENT)], E_NU, {"E_minus": ENERGY}, points=2**8, seed=s)
        for s in (8, 8, 9)
    )
    np.testing.assert_array_equal(one.value, two.value)
    assert (one.value != other.value).all()


# --- zeros and faults ----------------------------------------------------------------------------------------


def test_zero_below_threshold_and_for_a_forbidden_channel():
    for channel, E_nu in ((DIMUON, 0.2), (Channel("mu", "e", "mu"), 50.0)):
        found = differential_distribution(channel, [(1.0, COHERENT)], E_nu, {"E_plus": ENERGY}, points=2**8)
        assert not found.value.any() and not found.error.any() and found.outside == found.total == 0.0


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ({}, r"0 observables \(none\); allowed: one or two"),
        (
            {"E_minus": [1.0, 2.0], "E_plus": [1.0, 2.0], "Q2": [1.0, 2.0]},
            r"3 observables \(E_minus, E_plus, Q2\); allowed",
        ),
        ({"E_minos": [1.0, 2.0]}, "unknown observable 'E_minos'.*did you mean 'E_minus'"),
        ({"E_plus": [1.0]}, "edges of E_plus: .*at least two finite, increasing numbers"),
        ({"E_plus": [1.0, 3.0, 3.0]}, "edges of E_plus"),
        ({"E_plus": [1.0, 4.0, 3.0]}, "edges of E_plus"),
        ({"E_plus": [1.0, float("inf")]}, "edges of E_plus"),
        ({"E_plus": [float("nan"), 1.0]}, "edges of E_plus"),
    ],
)
def test_faults(edges, message):
    with pytest.raises(InputError, match=message):
        differential_distribution(DIMUON, [(1.0, COHERENT)], E_NU, edges, points=2**8)


def test_all_faults_at_once():
    with pytest.raises(InputError) as caught:
        differential_distribution(DIMUON, [(1.0, COHERENT)], E_NU, {"mll": [2.0, 1.0], "a": [1.0, 2.0], "Q2": [3.0]})
    assert len(caught.value.faults) == 5


def test_points_are_a_power_of_two():
    with pytest.raises(ValueError, match="count = 1000; allowed: a power of two"):
        differential_distribution(DIMUON, [(1.0, COHERENT)], E_NU, {"Q2": [0.1, 0.2]}, points=1000)
