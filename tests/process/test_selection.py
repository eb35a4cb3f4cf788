"""Cuts in the chain: rates after a selection against sums over events with uncompressed couplings."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_experiment import ENERGY_CUT, experiment, folder  # noqa: F401 - a fixture

from tridentjax import Nuisances, fold, prepare, rate_ratio, signal
from tridentjax.currents import quadratic_couplings
from tridentjax.faults import InputError
from tridentjax.nucleus.regimes import Q2_scale
from tridentjax.process.cuts import acceptance
from tridentjax.process.laboratory import kinematics
from tridentjax.process.phase_space import DIMENSION, map_unit_cube
from tridentjax.process.selection import _lagrange
from tridentjax.process.totals import tabulated_cross_section
from tridentjax.process.weighted_points import differential_cross_section
from tridentjax.quadrature import Rule, sobol_rule
from tridentjax.rates import chain as rates
from tridentjax.rates.chain import unselected
from tridentjax.theory import theories

ANGLE_CUT = "{observable: opening_angle, unit: deg, min: 1.5}"
LOOSE = "{observable: E_minus, unit: MeV, min: 1.0, resolution: 0.5}"
THEORIES = {
    "1 MeV": (theories.zprime, {"mass": 1e-3, "g": 4e-4}),
    "50 MeV": (theories.zprime, {"mass": 0.05, "g": 9e-4}),
    "3 GeV": (theories.zprime, {"mass": 3.0, "g": 0.02}),
    "300 GeV": (theories.zprime, {"mass": 300.0, "g": 0.9}),
    "axial": (theories.contact, {"delta_g_V": 0.0, "delta_g_A": -1.4}),
    "sm": (theories.sm, {}),
}


@functools.cache
def chain(folder, *arguments):
    """With the relative error of every component's selection."""
    errors, original = [], rates.select

    def recording(*args, **options):
        found = original(*args, **options)
        errors.append(found.error)
        return found

    rates.select = recording
    try:
        return prepare(experiment(folder, *arguments)), errors
    finally:
        rates.select = original


@eqx.filter_jit
def event_sums(channel, regime, energy, probability, weight, nodes, cuts, couplings_of):
    """Selected sum with couplings at the K2 of each event; energies drawn with given probabilities."""
    index = jnp.searchsorted(jnp.cumsum(probability), nodes[:, -1])
    index = jnp.minimum(index, energy.size - 1)
    E_nu = energy[index]
    rule = Rule(nodes[:, :DIMENSION], jnp.full(len(nodes), 1 / len(nodes)))
    points = map_unit_cube(channel, E_nu, regime.mass, Q2_scale(regime), regime.largest_Q2, rule)
    each = differential_cross_section(channel, points, E_nu, regime.mass)[:, : regime.hadronic]
    each = (each * regime.structure(points.Q2)[None]).sum(1) * (rule.weights * (weight / probability)[index])[None]
    each = each * acceptance(cuts, kinematics(channel, points, E_nu, regime.mass))[None]
    return jnp.stack([(each * couplings_of(points.K2)).sum() for couplings_of in couplings_of])


def oracle(folder, regime_number, *arguments, seeds=16, points=2**12):
    """Flux-averaged selected cross section of one regime for every theory, and its error."""
    own = experiment(folder, *arguments)
    (flux,) = own.fluxes
    channel = own.channel(flux)
    regime = chain(folder, *arguments)[0].regimes[0][regime_number]
    probability = flux.weight * flux.energy**1.3
    probability = probability / probability.sum()

    def couplings(entry):
        function, parameters = entry
        given = {name: jnp.asarray(x) for name, x in parameters.items()}
        return lambda K2: quadratic_couplings(function(given, channel, K2))

    functions = tuple(couplings(entry) for entry in THEORIES.values())
    numbers = (flux.energy, probability, flux.weight / flux.weight.sum())
    sums = np.stack(
        [
            event_sums(channel, regime, *numbers, sobol_rule(points, DIMENSION + 1, 900 + s).nodes, own.cuts, functions)
            for s in range(seeds)
        ]
    )
    return sums.mean(0), 1.4 * sums.std(0, ddof=1) / np.sqrt(seeds)


def rates_of(folder, *arguments):
    """Signal of every theory (axis 0) and component."""
    response = fold(chain(folder, *arguments)[0])
    return np.stack([signal(response, f, {n: jnp.asarray(x) for n, x in p.items()}) for f, p in THEORIES.values()])


CASES = [(("numu",), ("mu", "mu"), ENERGY_CUT), (("antinumu",), ("mu", "mu"), ENERGY_CUT + ", " + ANGLE_CUT)]


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 1], ids=["coherent", "proton"])
@pytest.mark.parametrize(
    "arguments", [CASES[0], pytest.param(CASES[1], marks=pytest.mark.slow)], ids=["numu", "antinumu"]
)
def test_selected_rates_are_event_sums(folder, arguments, number):
    """Every mediator mass, and an axial shift under a cut that treats mu- and mu+ differently."""
    ours = rates_of(folder, *arguments)[:, number]
    error_of_ours = chain(folder, *arguments)[1][number]
    exact, error = oracle(folder, number, *arguments)
    z = (ours - exact) / np.hypot(error, error_of_ours * ours)
    assert error_of_ours < 5e-3 and (error < 2e-2 * exact).all()
    assert np.abs(z).max() < 3.5, dict(zip(THEORIES, z, strict=True))


@pytest.mark.slow
def test_interference_matters_under_a_charge_asymmetric_cut(folder):
    """VA of mu- mu+ vanishes without a cut; with one on E(mu-) it has opposite sign for the two beams."""
    for (species, pair, cuts), sign in zip([CASES[0], (("antinumu",), *CASES[0][1:])], (1, -1), strict=True):
        response = fold(chain(folder, species, pair, cuts)[0])
        VV, _, VA = np.asarray(response.weights[0]).sum(-1)
        assert abs(VA) > 0.03 * VV
        if sign > 0:
            first = VA / VV
        else:
            assert first * VA < 0
    assert unselected(chain(folder, *CASES[0])[0]).selections is None
    assert fold(unselected(chain(folder, *CASES[0])[0])).weights.shape[1] == 2  # without cuts there is no VA


@pytest.mark.slow
def test_very_loose_cuts_change_nothing(folder):
    loose, bare = (rates_of(folder, ("numu",), ("mu", "mu"), c) for c in (LOOSE, ""))
    np.testing.assert_allclose(loose / bare, 1.0, rtol=1e-6)
    half = rates_of(folder, ("numu",), ("mu", "mu"), LOOSE, 0.41)
    np.testing.assert_allclose(half / bare, 0.41, rtol=1e-6)


def test_acceptance_depends_on_the_mediator(folder):
    cut, bare = (rates_of(folder, ("numu",), ("mu", "mu"), c) for c in (ENERGY_CUT, ""))
    accepted = dict(zip(THEORIES, (cut / bare)[:, 0], strict=True))
    assert all(0.1 < x < 0.95 for x in accepted.values())
    # a light mediator acts at small K2, that is on other events
    assert abs(accepted["1 MeV"] / accepted["300 GeV"] - 1) > 0.01


@pytest.mark.slow
def test_nuisances_stay_live_after_a_selection(folder):
    loaded, _ = chain(folder, *CASES[0])

    def ratio(x):
        parameters = {"mass": x[0], "g": x[1]}
        return rate_ratio(fold(loaded, Nuisances(*x[2:])), theories.zprime, parameters)

    x = jnp.asarray([0.05, 1.2e-3, 1.07, -0.1, 1.01, 0.97, 1.05, 0.9])
    slope = jax.jit(jax.grad(ratio))(x)
    assert np.isfinite(slope).all() and (np.abs(np.asarray(slope)) > 1e-9).all()
    f = jax.jit(ratio)
    for i in range(x.size):
        h = jnp.zeros(x.size).at[i].set(1e-4 * abs(float(x[i])))
        central = (8 * (f(x + h) - f(x - h)) - (f(x + 2 * h) - f(x - 2 * h))) / (12 * h[i])
        np.testing.assert_allclose(slope[i], central, rtol=1e-5)
    scaled = fold(loaded, Nuisances(coherent_normalisation=1.3, incoherent_normalisation=0.4))
    np.testing.assert_allclose(
        scaled.weights, np.asarray(fold(loaded).weights) * np.array([1.3, 0.4, 0.4])[:, None, None], rtol=1e-13
    )


def test_no_event_passes(folder):
    cut = "{observable: E_minus, unit: GeV, min: 70.0}"  # above the flux
    with pytest.raises(InputError, match=r"numu -> mu- mu\+, coherent: no event passes the cuts; open the windows"):
        prepare(experiment(folder, ("numu",), ("mu", "mu"), cut))


def test_faults_of_cuts_in_a_file(folder):
    cuts = "{observable: E_minos, unit: GeV, min: 1}, {observable: E_plus, unit: rad, max: 3}"
    with pytest.raises(InputError) as caught:
        experiment(folder, ("numu",), ("mu", "mu"), cuts)
    text = str(caught.value)
    assert "did you mean 'E_minus'" in text and "cuts E_plus: unit 'rad'; allowed: GeV, MeV" in text
    with pytest.raises(InputError, match="efficiency"):
        experiment(folder, ("numu",), ("mu", "mu"), "", 1.7)


# --- unequal leptons, beams of neutrinos and antineutrinos ---------------------------------------------------


@pytest.mark.slow
def test_beams_with_opposite_interference(folder):
    """nu_mu -> mu- e+ and antinu_e -> mu- e+ in one file: as each beam alone, and as the table at every energy."""
    pair, both = ("mu", "e"), ("numu", "antinue")
    response = fold(chain(folder, both, pair)[0])
    assert response.weights.shape[1] == 3
    flux_sum, signs = 0.0, []
    for species in both:
        own = experiment(folder, (species,), pair)
        alone = fold(chain(folder, (species,), pair)[0])
        (flux,) = own.fluxes
        flux_sum += float(alone.flux_integral)
        rows = [i for i, c in enumerate(response.components) if c.species == species]
        together = np.asarray(response.weights)[rows] * float(response.flux_integral)
        # the energy nodes of the kernels follow the range of all beams
        single = np.asarray(alone.weights).sum(-1) * float(alone.flux_integral)
        np.testing.assert_allclose(together.sum(-1), single, rtol=1e-3)
        VV, _, VA = together[0].sum(-1)
        assert abs(VA) > 0.1 * VV
        signs.append(np.sign(VA))
        regime = chain(folder, (species,), pair)[0].regimes[0][0]
        table = tabulated_cross_section(own.channel(flux), regime, flux.energy.tolist())
        exact = np.asarray(flux.weight) @ table.value / float(flux.weight.sum())
        np.testing.assert_allclose(np.asarray(alone.weights[0]).sum(-1), exact, rtol=1e-3)
    np.testing.assert_allclose(float(response.flux_integral), flux_sum, rtol=1e-13)
    assert signs[0] == -signs[1]


@pytest.mark.slow
@pytest.mark.parametrize("species", ["numu", "antinue"])
def test_loose_cuts_keep_the_interference_of_unequal_leptons(folder, species):
    loose, bare = (fold(chain(folder, (species,), ("mu", "e"), c)[0]).weights for c in (LOOSE, ""))
    np.testing.assert_allclose(loose, bare, rtol=1e-6, atol=1e-6 * float(jnp.abs(bare).max()))


@pytest.mark.slow
def test_a_beam_that_cannot_make_the_pair_adds_nothing(folder):
    """antinu_mu -> mu- e+ is forbidden: no rate, but its neutrinos count in the average."""
    both, alone = (fold(chain(folder, s, ("mu", "e"))[0]) for s in (("numu", "antinumu"), ("numu",)))
    found = np.asarray(signal(both, theories.sm, {}))
    species = [c.species for c in both.components]
    assert not found[[s == "antinumu" for s in species]].any()
    ratio = float(alone.flux_integral / both.flux_integral)
    np.testing.assert_allclose(found.sum(), ratio * np.asarray(signal(alone, theories.sm, {})).sum(), rtol=2e-4)
    assert ratio < 0.9


# --- deposition ----------------------------------------------------------------------------------------------


def test_deposition_is_exact_for_cubics_and_accurate_for_propagators():
    nodes = jnp.asarray(1e-6 * np.exp(0.6 * np.arange(30)))
    K2 = jnp.asarray(np.exp(np.random.default_rng(3).uniform(np.log(1e-6), np.log(float(nodes[-1])), 400)))
    index, share = (np.asarray(x) for x in _lagrange(K2, nodes))
    np.testing.assert_allclose(share.sum(0), 1.0, rtol=1e-12)
    cubic = lambda x: 0.3 - 0.1 * np.log(x) + 0.02 * np.log(x) ** 2 - 0.004 * np.log(x) ** 3  # noqa: E731
    np.testing.assert_allclose((share * cubic(np.asarray(nodes))[index]).sum(0), cubic(np.asarray(K2)), rtol=1e-10)
    # interpolated at a point to a percent; the error alternates and averages out in a sum over events
    propagator = lambda x: 1 / (x + 0.05**2)  # noqa: E731
    ours, exact = (share * propagator(np.asarray(nodes))[index]).sum(0), propagator(np.asarray(K2))
    np.testing.assert_allclose(ours, exact, rtol=1e-2)
    np.testing.assert_allclose(ours.sum(), exact.sum(), rtol=1e-3)
    assert (index >= 0).all() and (index < 30).all()
