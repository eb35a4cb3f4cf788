"""Scalar mediators end to end: tables, chains, cuts, totals, distributions and events with SS and PP."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fixtures_physics import DIMUON, dimuon_table
from small_experiment import ENERGY_CUT, experiment, folder  # noqa: F401 - a fixture

from tridentjax import Nuisances, fold, prepare, rate_ratio, signal
from tridentjax.constants import G_F
from tridentjax.currents import Channel, LeptonCurrent
from tridentjax.events.generate import generate_events
from tridentjax.events.sample import reweight, reweighted
from tridentjax.events.source import beam_source
from tridentjax.faults import InputError
from tridentjax.nucleus.nuclei import load_nucleus
from tridentjax.nucleus.regimes import nucleon_regime, nucleus_regimes
from tridentjax.process.cross_section import integrate, total_cross_section
from tridentjax.process.cuts import CutRequest, make_cuts
from tridentjax.process.kernel import build_kernel, join_structures
from tridentjax.process.leptonic_table import load_leptonic_table
from tridentjax.process.matrix_element import SCALAR_STRUCTURES
from tridentjax.process.phase_space import DIMENSION
from tridentjax.process.selection import select
from tridentjax.process.totals import cross_sections, tabulated_cross_section
from tridentjax.process.weighted_points import map_constants, weigh
from tridentjax.quadrature import sobol_rule
from tridentjax.rates.chain import unselected
from tridentjax.rates.distributions import differential_distribution
from tridentjax.rates.response import component_ratios
from tridentjax.theory.theories import contact, has_scalars, sm

E_E, MU_E = Channel("mu", "e", "e"), Channel("mu", "mu", "e")
ARGON, IRON = (nucleus_regimes(load_nucleus(name)) for name in ("Ar40", "Fe56"))
LIGHT = {"mass": 5e-3, "g_S": 3e-4, "g_P": 8e-4, "g_nu": 2e-3}
MIDDLE = {"mass": 1.0, "g_S": 0.06, "g_P": -0.04, "g_nu": 0.1}
HEAVY = {"mass": 900.0, "g_S": -20.0, "g_P": 35.0, "g_nu": 40.0}


def flip(parameters, channel, K2):
    """Standard Model plus a scalar of any flavour structure, written out."""
    strength = parameters["g_nu"] / (jnp.sqrt(2.0) * G_F * (parameters["mass"] ** 2 + K2))
    ones = jnp.ones((len(channel.outgoing_neutrinos), 1))
    return sm({}, channel, K2) + LeptonCurrent(
        0.0 * ones * strength[None],
        0.0 * ones * strength[None],
        ones * (parameters["g_S"] * strength)[None],
        ones * (parameters["g_P"] * strength)[None],
    )


def arrays(parameters):
    return {name: jnp.asarray(x) for name, x in parameters.items()}


@functools.cache
def chain(folder, *arguments, scalar=True):
    return prepare(experiment(folder, *arguments), scalar=scalar)


# --- totals --------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("channel", "regime", "E_nu"),
    [
        (DIMUON, IRON[0], 161.0),
        (DIMUON, ARGON[0], 2.9),
        (DIMUON, nucleon_regime("proton"), 23.0),
        pytest.param(MU_E, ARGON[0], 9.7, marks=pytest.mark.slow),
        pytest.param(E_E, IRON[0], 6.1, marks=pytest.mark.slow),
    ],
    ids=["Fe", "Ar", "p", "mu e on Ar", "e e on Fe"],
)
def test_tables_equal_event_integrals(channel, regime, E_nu):
    """Every structure, and the rate of a light, a middle and a heavy mediator."""
    plain = total_cross_section(channel, regime, E_nu, rtol=4e-3, points=2**12, seed=3)
    for parameters in (LIGHT, MIDDLE, HEAVY):
        table = tabulated_cross_section(channel, regime, [E_nu], flip, parameters)
        events = total_cross_section(
            channel, regime, E_nu, theory=flip, parameters=parameters, rtol=4e-3, points=2**12, seed=3
        )
        error = 3 * np.asarray(events.error) + table.error[0]
        assert (np.abs(table.value[0] - np.asarray(events.value)) <= error).all()
        assert (events.error[3:] < 6e-3 * events.value[3:]).all() and events.value.shape == (5,)
        assert (table.error[0, [0, 1, 3, 4]] < 1e-3 * table.value[0, [0, 1, 3, 4]]).all()
        ours, theirs = table.sigma[0], float(events.sigma)
        error_of_both = float(jnp.hypot(events.sigma_error, plain.sigma_error))
        assert abs(ours - theirs) < 3 * float(events.sigma_error) + table.sigma_error[0]
        if parameters is not LIGHT or channel is not E_E:  # which no event sample of this size resolves
            assert events.sigma_error < 0.05 * theirs
        assert theirs > float(plain.sigma) + 5 * error_of_both  # so that the scalar part is tested


def test_contact_limit_and_sum_of_structures():
    """Far above every K2, sigma = SM + g_S^2 SS + g_P^2 PP with the propagator 1/M^2."""
    far = {"mass": 1e5, "g_S": 130.0, "g_P": 90.0, "g_nu": 1500.0}
    found, plain = (tabulated_cross_section(DIMUON, ARGON[0], [17.0], *entry) for entry in ((flip, far), (sm, {})))
    strength = far["g_nu"] / (np.sqrt(2) * G_F * far["mass"] ** 2)
    SS, PP = found.value[0, 3:]
    expected = plain.sigma[0] + (130.0 * strength) ** 2 * SS + (90.0 * strength) ** 2 * PP
    np.testing.assert_allclose(found.sigma[0], expected, rtol=1e-6)
    assert expected > 1.3 * plain.sigma[0]
    np.testing.assert_array_equal(found.value[0, :3], plain.value[0])
    assert 0.0 < SS < 0.5 * plain.value[0, 0] and abs(SS / PP - 1.0) > 1e-2


def test_structures_only_where_the_theory_has_them():
    assert has_scalars(flip, MIDDLE, DIMUON) and not has_scalars(sm, {}, DIMUON)
    below = total_cross_section(DIMUON, ARGON[0], 0.2, theory=flip, parameters=MIDDLE)
    assert below.value.shape == (5,) and not below.value.any()
    assert tabulated_cross_section(DIMUON, ARGON[0], [0.1], flip, MIDDLE).value.shape == (1, 5)
    assert total_cross_section(DIMUON, ARGON[0], 0.2).value.shape == (3,)
    forbidden = cross_sections(Channel("mu", "e", "mu"), ARGON, [5.0], theory=flip, parameters=MIDDLE)
    assert all(part.value.shape == (1, 5) and not part.value.any() for part in forbidden)


@pytest.mark.slow
def test_totals_with_cuts_are_those_of_the_distribution():
    cuts = make_cuts([CutRequest("E_minus", "GeV", min=1.3, resolution=0.2)])
    sums = cross_sections(DIMUON, ARGON[:1], [8.0], theory=flip, parameters=MIDDLE, cuts=cuts, rtol=5e-3)[0]
    found = differential_distribution(
        DIMUON, [(1.0, ARGON[0])], 8.0, {"m_ll": [0.2, 0.4, 0.8]}, theory=flip, parameters=MIDDLE, cuts=cuts
    )
    assert sums.sampled.all() and sums.value.shape == (1, 5)
    np.testing.assert_allclose(found.total, sums.sigma[0], rtol=1e-2)
    bare = differential_distribution(DIMUON, [(1.0, ARGON[0])], 8.0, {"m_ll": [0.2, 0.4, 0.8]}, cuts=cuts)
    assert found.total > 1.1 * bare.total


# --- chains --------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [(("numu", "antinumu"), ("mu", "mu")), pytest.param((("numu", "antinue"), ("mu", "e")), marks=pytest.mark.slow)],
    ids=["mu mu", "mu e"],
)
def test_scalar_rows_join_the_others(folder, arguments):
    both, plain = fold(chain(folder, *arguments)), fold(chain(folder, *arguments, scalar=False))
    assert both.structures == (*plain.structures, "SS", "PP")
    np.testing.assert_array_equal(both.weights[:, : len(plain.structures)], plain.weights)
    assert (np.asarray(both.weights[:, -2:]).sum(-1) > 0.0).all()
    for function, parameters in ((sm, {}), (contact, {"delta_g_V": 0.3, "delta_g_A": -0.7})):
        ours, theirs = (signal(response, function, arrays(parameters)) for response in (both, plain))
        np.testing.assert_allclose(ours, theirs, rtol=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("parameters", [LIGHT, MIDDLE, HEAVY], ids=["5 MeV", "1 GeV", "900 GeV"])
def test_chain_equals_tables_at_the_nodes_of_the_flux(folder, parameters):
    own = chain(folder, ("numu",), ("mu", "mu"))
    (flux,) = own.experiment.fluxes
    ours = signal(fold(own), flip, arrays(parameters))
    share = np.asarray(flux.weight / flux.weight.sum())
    for number, regime in enumerate(own.regimes[0]):
        sigma = tabulated_cross_section(DIMUON, regime, np.asarray(flux.energy).tolist(), flip, parameters).sigma
        np.testing.assert_allclose(ours[number], share @ sigma, rtol=2e-4)


@pytest.mark.slow
def test_selected_rates_are_event_integrals(folder):
    own = chain(folder, ("numu",), ("mu", "mu"), ENERGY_CUT)
    (flux,), regime = own.experiment.fluxes, own.regimes[0][0]
    response = fold(own)
    assert response.structures == ("VV", "AA", "VA", "SS", "PP")
    share = np.asarray(flux.weight / flux.weight.sum())
    for parameters in (LIGHT, MIDDLE, HEAVY):
        sums = np.zeros(8)
        for seed in range(8):
            rule = sobol_rule(2**12, DIMENSION, 70 + seed)
            for E_nu, part in zip(flux.energy, share, strict=True):
                cuts = own.experiment.cuts
                sums[seed] += part * integrate(DIMUON, regime, E_nu, rule, flip, arrays(parameters), cuts=cuts)[-1]
        error = 1.4 * sums.std(ddof=1) / np.sqrt(8)
        ours = float(signal(response, flip, arrays(parameters))[0])
        assert error < 2e-2 * ours
        assert abs(ours - sums.mean()) < 3.5 * np.hypot(error, 3e-3 * ours)
        whole = float(signal(fold(unselected(own)), flip, arrays(parameters))[0])
        assert 0.1 * whole < ours < 0.95 * whole


@pytest.mark.slow
def test_acceptance_of_the_scalar_structures_is_a_probability(folder):
    own = chain(folder, ("numu",), ("mu", "mu"), ENERGY_CUT)
    for factor in own.selections:
        assert factor.shape[0] == 6 and (factor[4:] >= 0.0).all() and (factor[4:] <= 1.0).all()
        assert np.ptp(np.asarray(factor[4])) > 0.05
    without = select(
        DIMUON, ARGON[0], jnp.asarray([5.0, 9.0]), jnp.ones(2), jnp.ones(2), dimuon_table().K2, own.experiment.cuts
    )
    assert without.factor.shape[0] == 4


def test_a_chain_without_scalars_refuses_them(folder):
    plain = fold(chain(folder, ("numu",), ("mu", "mu"), scalar=False))
    with pytest.raises(ValueError, match=r"scalar couplings g_S or g_P.*prepare it with scalar=True"):
        rate_ratio(plain, flip, arrays(MIDDLE))


@pytest.mark.slow
def test_gradients_through_the_chain(folder):
    """Forward = reverse = finite differences, jit = eager, vmap = loop, with every nuisance."""
    own = chain(folder, ("numu",), ("mu", "mu"), ENERGY_CUT)

    def ratio(x):
        parameters = dict(zip(("mass", "g_S", "g_P", "g_nu"), x, strict=False))
        return rate_ratio(fold(own, Nuisances(*x[4:])), flip, parameters)

    x = jnp.asarray([0.4, 0.02, -0.03, 0.09, 1.07, -0.1, 1.01, 0.97, 1.05, 0.9])
    f = jax.jit(ratio)
    forward, reverse = jax.jit(jax.jacfwd(ratio))(x), jax.jit(jax.jacrev(ratio))(x)
    np.testing.assert_allclose(forward, reverse, rtol=1e-10)
    assert float(f(x)) == pytest.approx(float(ratio(x)), rel=1e-13) and f(x) > 1.05
    for i in range(x.size):
        h = jnp.zeros(x.size).at[i].set(1e-4 * abs(float(x[i])))
        central = (8 * (f(x + h) - f(x - h)) - (f(x + 2 * h) - f(x - 2 * h))) / (12 * h[i])
        np.testing.assert_allclose(reverse[i], central, rtol=1e-5)
    several = jnp.stack([x, 1.1 * x, 0.9 * x])
    np.testing.assert_allclose(jax.vmap(f)(several), np.stack([f(row) for row in several]), rtol=1e-13)


@pytest.mark.slow
def test_massless_and_decoupled_mediators_have_finite_gradients(folder):
    response = fold(chain(folder, ("numu",), ("mu", "mu")))

    @jax.jit
    def ratio(mass, g):
        parameters = {"mass": mass, "g_S": g, "g_P": 2.0 * g, "g_nu": g}
        return rate_ratio(response, flip, parameters)

    for mass, g in ((0.0, 2e-3), (1e-3, 2e-3), (0.3, 0.0), (1e5, 1.0)):
        value, slope = jax.value_and_grad(ratio, argnums=(0, 1))(jnp.asarray(mass), jnp.asarray(g))
        assert value >= 1.0 and np.isfinite(value) and np.isfinite(slope).all()
    # SS ~ K2 at small K2 against 1/(M^2 + K2)^2: only a logarithm of the mass is left
    low, lower = (float(ratio(jnp.asarray(mass), jnp.asarray(2e-3))) - 1 for mass in (4e-3, 2e-3))
    assert 1.05 < lower / low < 1.5
    shares, ratios = component_ratios(response, flip, arrays(MIDDLE))
    assert float(shares.sum()) == pytest.approx(1.0) and (ratios > 1.0).all()


@pytest.mark.slow
def test_kernels_that_do_not_fit_are_refused():
    table = load_leptonic_table(DIMUON, structures=SCALAR_STRUCTURES)
    one, other = (build_kernel(t, 37.2, (2.0, 9.0), energies=4) for t in (dimuon_table(), table))
    joined = join_structures(one, other)
    assert joined.structures == ("VV", "AA", "SS", "PP") and joined.sigma.shape[0] == 4
    for wrong in (build_kernel(table, 37.2, (2.0, 8.0), energies=4), one):
        with pytest.raises(ValueError, match=r"join_structures: .* allowed: the same mass, energies, nodes"):
            join_structures(one, wrong)


# --- events --------------------------------------------------------------------------------------------------


@functools.cache
def sample(theory=sm, count=6000, seed=5, **options):
    given = MIDDLE if theory is flip else {}
    source = beam_source(9.0, DIMUON, "Ar40")
    return generate_events(source, count, seed=seed, theory=theory, parameters=given, **options)


@pytest.mark.slow
def test_scalar_events_are_reweighted_ones():
    """Events of the theory itself and Standard-Model events with new weights: rate and mean K2."""
    own, other = sample(flip), reweighted(sample(scalar=True), flip, MIDDLE)
    assert own.structures.shape == other.structures.shape == (6000, 5)
    assert abs(own.cross_section - other.cross_section) < 4 * np.hypot(own.error, other.error)
    exact = sum(part.sigma[0] for part in cross_sections(DIMUON, ARGON, [9.0], theory=flip, parameters=MIDDLE))
    assert abs(own.cross_section - exact) < 4 * own.error and own.error < 2e-2 * exact
    means = [np.average(np.log(x.K2), weights=x.weight) for x in (own, other, sample())]
    assert abs(means[0] - means[1]) < 0.1 < means[2] - means[0]  # its propagator prefers small K2
    np.testing.assert_allclose(reweight(own, flip, MIDDLE), own.weight, rtol=1e-10)


@pytest.mark.slow
def test_samples_without_scalar_structures_refuse_scalars():
    assert sample().structures.shape == (6000, 3)
    with pytest.raises(InputError, match=r"flip has scalar couplings .* generate_events\(\.\.\., scalar=True\)"):
        reweight(sample(), flip, MIDDLE)
    np.testing.assert_array_equal(sample(scalar=True).momenta, sample().momenta)  # the same events


@pytest.mark.slow
def test_weights_of_both_kinds_are_consistent():
    rule = sobol_rule(256, DIMENSION, 2)
    both, plain = (
        eqx.filter_jit(weigh)(DIMUON, jnp.asarray(9.0), map_constants(ARGON[0]), rule, scalar=s) for s in (True, False)
    )
    np.testing.assert_allclose(both.weight[:3], plain.weight, rtol=1e-12)
    assert both.weight.shape == (5, 2, 256) and (both.weight[3:, 0] >= 0.0).all()
