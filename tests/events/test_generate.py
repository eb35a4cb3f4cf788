from functools import cache

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fixtures_physics import DIMUON, dimuon_table
from scipy.stats import chi2

from tridentjax.currents import Channel, quadratic_couplings
from tridentjax.events.generate import generate_events
from tridentjax.events.sample import effective_share, reweight, reweighted
from tridentjax.events.source import beam_source
from tridentjax.events.stream import EventStream
from tridentjax.experiment.flux import load_flux
from tridentjax.faults import InputError
from tridentjax.nucleus.nuclei import load_nucleus
from tridentjax.nucleus.regimes import Q2_scale, nucleus_regimes
from tridentjax.process.cuts import NO_CUTS, CutRequest, make_cuts
from tridentjax.process.kernel import build_kernel, energy_weights
from tridentjax.process.laboratory import OBSERVABLES, kinematics
from tridentjax.process.phase_space import map_unit_cube
from tridentjax.process.weighted_points import differential_cross_section
from tridentjax.quadrature import Rule, sobol_rule
from tridentjax.rates.chain import fold_target
from tridentjax.theory.theories import sm, zprime

MIXED = Channel("mu", "e", "mu", antineutrino=True)
PHOTON_LIKE = {"mass": 0.05, "g": 2e-3}


@cache
def dune(count=20000, seed=3, **options):
    return generate_events(beam_source("DUNE_ND_FHC", DIMUON, "Ar40"), count, seed=seed, **options)


@cache
def dune_zprime():
    source = beam_source("DUNE_ND_FHC", DIMUON, "Ar40")
    return generate_events(source, 20000, seed=8, theory=zprime, parameters=PHOTON_LIKE)


@cache
def mixed():
    return generate_events(beam_source(3.7, MIXED, "O16"), 3000, seed=11)


def mass2(momentum):
    return momentum[..., 0] ** 2 - (momentum[..., 1:] ** 2).sum(-1)


def observables(sample):
    """Observables recomputed from the momenta alone."""
    nu, _, nu_out, minus, plus, recoil = np.moveaxis(sample.momenta, 1, 0)
    return {
        "E_nu": nu[:, 0],
        "E_minus": minus[:, 0],
        "theta_plus": np.arctan2(np.hypot(plus[:, 1], plus[:, 2]), plus[:, 3]),
        "m_ll": np.sqrt(mass2(minus + plus)),
        "Q2": 2.0 * np.asarray(sample.masses)[sample.component] * (recoil[:, 0] - sample.momenta[:, 1, 0]),
        "K2": -mass2(nu - nu_out),
    }


@eqx.filter_jit
def evaluated(E_nu, mass, scale, cut, rule):
    """Phase-space points with all structures and observables."""
    points = map_unit_cube(DIMUON, E_nu, mass, scale, cut, rule)
    event = kinematics(DIMUON, points, E_nu, mass)
    seen = {name: OBSERVABLES[name].function(event) for name in ("E_minus", "theta_plus", "m_ll", "Q2", "K2")}
    return differential_cross_section(DIMUON, points, E_nu, mass), points, seen


@cache
def integrated(replicas=8, points=2**15):
    """Flux-averaged dimuon events on argon from Sobol points on the nodes of the flux: observables and weights."""
    flux = load_flux("DUNE_ND_FHC", "numu")
    energy, phi = np.asarray(flux.energy), np.asarray(flux.weight)
    proposal = phi * np.where(energy > 0.5, energy**1.4, 0.0)  # 1e-5 of the rate is below
    proposal /= proposal.sum()
    results = []
    for replica in range(replicas):
        rows = []
        for number, regime in enumerate(nucleus_regimes(load_nucleus("Ar40"))):
            rule = sobol_rule(points, 8, seed=100 * number + replica)
            node = np.searchsorted(np.cumsum(proposal), np.asarray(rule.nodes[:, 7])).clip(max=energy.size - 1)
            numbers = (energy[node], regime.mass, Q2_scale(regime), regime.largest_Q2)
            structures, mapped, seen = evaluated(*map(jnp.asarray, numbers), Rule(rule.nodes[:, :7], rule.weights))
            structures = (structures[:, : regime.hadronic] * regime.structure(mapped.Q2)[None]).sum(1)
            value = (structures * quadratic_couplings(sm({}, DIMUON, mapped.K2))).sum(0)
            weight = np.asarray(value) * phi[node] / proposal[node] / points / phi.sum()
            rows.append({"weight": weight, "E_nu": energy[node]} | {name: np.asarray(x) for name, x in seen.items()})
        results.append({name: np.concatenate([row[name] for row in rows]) for name in rows[0]})
    return results


@pytest.mark.slow
@pytest.mark.parametrize("make", [dune, mixed], ids=["dimuon on a flux", "antineutrino to mu+ e-"])
def test_momentum_is_conserved_and_particles_are_on_shell(make):
    sample = make()
    assert np.isfinite(sample.momenta).all()
    missing = sample.momenta[:, :2].sum(1) - sample.momenta[:, 2:].sum(1)
    for number, summary in enumerate(sample.summaries):
        mine = sample.component == number
        assert mine.sum() == summary.events > 50
        assert (np.abs(missing[mine]).max(1) <= 1e-12 * sample.E_nu[mine]).all()
    channel, M = sample.channels[0], np.asarray(sample.masses)[sample.component]
    for i, mass in enumerate((0.0, M, 0.0, channel.mass_minus, channel.mass_plus, M)):
        # the recoil is what is left over: its mass is a difference of large numbers
        np.testing.assert_allclose(mass2(sample.momenta[:, i]), mass**2 + 0.0 * M, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(sample.momenta[:, 0], sample.E_nu[:, None] * np.array([1, 0, 0, 1]), atol=0.0)


def test_invariants_are_those_of_the_momenta():
    sample = dune()
    seen = observables(sample)
    np.testing.assert_allclose(seen["Q2"], sample.Q2, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(seen["K2"], sample.K2, rtol=1e-6, atol=1e-9)


@pytest.mark.slow
def test_particle_codes():
    assert {tuple(row) for row in dune().codes} == {
        (14, target, 14, 13, -13, target) for target in (1000180400, 2212, 2112)
    }
    assert {tuple(row) for row in mixed().codes} == {
        (-14, target, -12, 11, -13, target) for target in (1000080160, 2212, 2112)
    }
    water = generate_events(beam_source(5.0, DIMUON, "water"), 400, seed=2)
    assert {row[1] for row in water.codes} == {1000080160, 2212, 2112}
    hydrogen = [s for s in water.summaries if "H1" in s.name]
    assert len(hydrogen) == 1 and hydrogen[0].events > 0
    neutron = generate_events(beam_source(5.0, DIMUON, "neutron"), 20, seed=2)
    assert set(neutron.codes[:, 5]) == {2112}


@pytest.mark.slow
def test_seed_fixes_the_sample():
    source = beam_source(3.7, MIXED, "O16")
    again, other = generate_events(source, 3000, seed=11), generate_events(source, 3000, seed=12)
    np.testing.assert_array_equal(again.momenta, mixed().momenta)
    np.testing.assert_array_equal(again.component, mixed().component)
    assert again.cross_section == mixed().cross_section
    assert not np.isin(other.momenta[:, 3, 0], again.momenta[:, 3, 0]).any()
    assert other.cross_section == pytest.approx(again.cross_section, abs=4.0 * np.hypot(other.error, again.error))


def test_events_are_in_random_order():
    """Any part of an unweighted sample is a sample: components and energies are mixed."""
    sample = dune()
    first, second = np.split(sample.component, 2)
    assert abs((first == 0).sum() - (second == 0).sum()) < 4.0 * np.sqrt(first.size)
    correlation = np.corrcoef(np.arange(sample.E_nu.size), sample.E_nu)[0, 1]
    assert abs(correlation) < 4.0 / np.sqrt(sample.E_nu.size)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["E_nu", "E_minus", "theta_plus", "m_ll", "Q2", "K2"])
def test_distributions_agree_with_the_differential_cross_section(name):
    sample = dune()
    assert not sample.weighted and np.ptp(sample.weight) == 0.0
    edges = np.quantile(observables(sample)[name], np.linspace(0.0, 1.0, 16))
    if name == "E_nu":  # the nodes of the reference are exact for whole intervals of the table
        knots = np.asarray(load_flux("DUNE_ND_FHC", "numu").intervals)[:, 1]
        edges = np.unique(knots[np.searchsorted(knots, edges).clip(max=knots.size - 2)])
    edges = np.concatenate([[0.0], edges[1:-1], [np.inf]])
    seen, _ = np.histogram(observables(sample)[name], edges)
    replicas = np.stack([np.histogram(part[name], edges, weights=part["weight"])[0] for part in integrated()])
    share = replicas / replicas.sum(1, keepdims=True)
    expected = seen.sum() * share.mean(0)
    error = seen.sum() * share.std(0, ddof=1) / np.sqrt(len(share))
    statistic = ((seen - expected) ** 2 / (expected + error**2)).sum()
    assert 1e-3 < chi2.sf(statistic, seen.size - 1) < 0.9999
    assert (error < np.sqrt(expected)).all()  # the reference does not hide a difference


@pytest.mark.slow
def test_cross_section_is_that_of_the_tables():
    flux = load_flux("DUNE_ND_FHC", "numu")
    weight, table = np.asarray(flux.weight) / float(flux.weight.sum()), dimuon_table()
    g_V, g_A = (float(g[0, 0]) for g in jax.tree.leaves(sm({}, DIMUON, jnp.ones(1))))
    sample, light = dune(), dune(5000, 4, weighted=True)
    assert sample.weight.sum() == pytest.approx(sample.cross_section, rel=1e-12, abs=0.0)
    assert light.weight.sum() == pytest.approx(light.cross_section, rel=1e-12, abs=0.0)
    assert light.weighted and np.ptp(light.weight) > 0.0 and light.efficiency == effective_share(light.weight)
    total = 0.0
    for regime, summary in zip(nucleus_regimes(load_nucleus("Ar40")), sample.summaries, strict=True):
        kernel = build_kernel(table, regime.mass, flux.range, regime.hadronic, regime.largest_Q2)
        VV, AA = np.asarray(fold_target(kernel, regime).sum(2) @ energy_weights(kernel, flux.energy).T)[:2]
        exact = weight @ (VV * g_V**2 + AA * g_A**2)
        assert summary.cross_section == pytest.approx(exact, abs=4.0 * summary.error + 1e-4 * exact)
        assert summary.error < 0.01 * exact
        total += exact
    assert light.cross_section == pytest.approx(total, abs=4.0 * light.error)
    # events of a component in proportion to its rate
    expected = np.array([s.cross_section for s in sample.summaries]) / sample.cross_section * sample.weight.size
    seen = np.array([s.events for s in sample.summaries])
    assert chi2.sf(((seen - expected) ** 2 / expected).sum(), 2) > 1e-3


def test_weighted_and_unweighted_events_agree():
    sample, light = dune(), dune(5000, 4, weighted=True)
    for name, values in observables(sample).items():
        cut = np.median(values)
        above = observables(light)[name] > cut
        share = light.weight[above].sum() / light.weight.sum()
        error = np.sqrt((light.weight**2).sum()) / light.weight.sum() + 0.5 / np.sqrt(values.size)
        assert share == pytest.approx(0.5, abs=3.0 * error), name


def test_a_risen_maximum_leaves_the_distribution_alone():
    """Start from maxima 30 times too small: what was accepted before they rose is thinned and topped up."""
    component = beam_source(10.0, DIMUON, "Ar40").components[0]
    numbers, shapes = [], []
    for factor in (1.0, 1.0 / 30.0):
        stream = EventStream(component, 1.0, 5, 0, sm, {}, NO_CUTS)
        stream.maxima *= factor
        low = stream.maxima.copy()
        numbers.append(stream.unweighted(20000.0 / stream.cross_section[0], lambda done: None))
        assert (stream.maxima > 5.0 * low).all() == (factor < 1.0)
        shapes.append(np.histogram(stream.events().u[:, 1], np.linspace(0.0, 1.0, 11))[0])
    assert numbers == pytest.approx([20000, 20000], abs=4.5 * np.sqrt(20000))
    statistic = ((shapes[0] - shapes[1]) ** 2 / (shapes[0] + shapes[1])).sum()
    assert 1e-3 < chi2.sf(statistic, 10) < 0.9999


@pytest.mark.slow
def test_reweighting_equals_direct_generation():
    sample, direct = dune(), dune_zprime()
    shifted = reweighted(sample, zprime, PHOTON_LIKE)
    np.testing.assert_array_equal(shifted.weight, reweight(sample, zprime, PHOTON_LIKE))
    assert shifted.cross_section > 2.0 * sample.cross_section
    assert shifted.cross_section == pytest.approx(direct.cross_section, abs=4.0 * np.hypot(shifted.error, direct.error))
    for name, values in observables(direct).items():
        edges = np.quantile(values, np.linspace(0.0, 1.0, 9))
        edges[0], edges[-1] = 0.0, np.inf
        seen, _ = np.histogram(values, edges)
        index = np.digitize(observables(sample)[name], edges[1:-1])
        share = np.bincount(index, shifted.weight) / shifted.cross_section
        spread = np.bincount(index, shifted.weight**2) / shifted.cross_section**2
        statistic = ((seen - seen.sum() * share) ** 2 / (seen + seen.sum() ** 2 * spread)).sum()
        assert chi2.sf(statistic, seen.size - 1) > 1e-3, name
    # there and back again
    back = reweight(shifted, sm, {})
    np.testing.assert_allclose(back, sample.weight, rtol=1e-10)
    np.testing.assert_allclose(reweight(sample, sm, {}), sample.weight, rtol=1e-10)


@pytest.mark.slow
def test_hard_cuts_are_respected():
    cuts = make_cuts([CutRequest("E_minus", "GeV", 2.0), CutRequest("theta_plus", "deg", None, 10.0)])
    sample, source = dune(), beam_source("DUNE_ND_FHC", DIMUON, "Ar40")
    selected = generate_events(source, 4000, seed=6, cuts=cuts)
    values, before = observables(selected), observables(sample)
    assert values["E_minus"].min() >= 2.0 and values["theta_plus"].max() <= np.deg2rad(10.0)
    passed = (before["E_minus"] >= 2.0) & (before["theta_plus"] <= np.deg2rad(10.0))
    ratio, error = passed.mean(), np.sqrt(passed.mean() * (1 - passed.mean()) / passed.size)
    assert selected.cross_section / sample.cross_section == pytest.approx(ratio, abs=4.0 * error + 0.01 * ratio)


@pytest.mark.slow
def test_smooth_cuts_accept_as_a_probability():
    cuts = make_cuts([CutRequest("E_minus", "GeV", 3.0, resolution=1.0)], efficiency=0.8)
    plain = dune(5000, 4, weighted=True)
    selected = generate_events(beam_source("DUNE_ND_FHC", DIMUON, "Ar40"), 5000, seed=9, cuts=cuts, weighted=True)
    from scipy.stats import norm

    acceptance = 0.8 * norm.cdf((observables(plain)["E_minus"] - 3.0) / 1.0)
    expected = (plain.weight * acceptance).sum()
    assert selected.cross_section == pytest.approx(expected, abs=4.0 * np.hypot(plain.error, selected.error))
    low = observables(selected)["E_minus"] < 3.0
    assert 0.0 < selected.weight[low].sum() / selected.cross_section < 0.5


def test_progress_counts_events():
    seen = []
    generate_events(beam_source(10.0, DIMUON, "proton"), 5000, seed=1, progress=seen.append)
    assert 0 < seen[0] < seen[1] and seen[-1] == 5000


@pytest.mark.slow
def test_refusals():
    source = beam_source(0.3, DIMUON, "Ar40")
    with pytest.raises(InputError, match="number of events 0; allowed: 1 or more") as caught:
        generate_events(source, 0)
    assert "energies up to 0.3 GeV, but the lowest threshold is 0.2119 GeV" not in str(caught.value)
    with pytest.raises(InputError, match=r"energies up to 0.2 GeV, but the lowest threshold is 0.21\d* GeV"):
        generate_events(beam_source(0.2, DIMUON, "Ar40"), 10)
    with pytest.raises(InputError, match="forbidden at tree level"):
        generate_events(beam_source(10.0, Channel("tau", "mu", "e"), "Ar40"), 10)
    with pytest.raises(InputError, match=r"no event passes, 1 component.s. with 524288 tries each; widen the cuts"):
        cuts = make_cuts([CutRequest("E_minus", "GeV", 50.0)])
        generate_events(beam_source(10.0, DIMUON, "proton"), 10, cuts=cuts)
    with pytest.raises(InputError, match=r"unknown flux 'DUNE'.*\n.*unknown material, element or nuclide 'Ar41'"):
        beam_source("DUNE", DIMUON, "Ar41")
    with pytest.raises(InputError, match="unknown species 'nutau' in flux DUNE_ND_FHC"):
        beam_source("DUNE_ND_FHC", Channel("tau", "mu", "mu"), "Ar40")
    with pytest.raises(InputError, match=r"--energy -1.0; allowed: positive and finite"):
        beam_source(-1.0, DIMUON, "Ar40")
