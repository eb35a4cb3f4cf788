"""Total cross sections: the tables against event integrals, exact zeros, symmetries, propagators of W and Z."""

import numpy as np
import pytest
from fixtures_physics import DIMUON

from tridentjax.currents import FLAVOURS, Channel
from tridentjax.nucleus.nuclei import load_nucleus
from tridentjax.nucleus.regimes import nucleon_regime, nucleus_regimes
from tridentjax.process.cross_section import total_cross_section
from tridentjax.process.cuts import CutRequest, make_cuts
from tridentjax.process.leptonic_table import LARGEST_ENERGY
from tridentjax.process.phase_space import threshold_energy
from tridentjax.process.totals import cross_sections, tabulated_cross_section
from tridentjax.theory.theories import zprime

ANTI_DIMUON = Channel("mu", "mu", "mu", antineutrino=True)
MU_E, E_MU = Channel("mu", "mu", "e"), Channel("e", "e", "mu")  # nu_mu -> mu- e+, nu_e -> e- mu+
ANTI_E_MU = Channel("mu", "e", "mu", antineutrino=True)  # antinu_mu -> e- mu+: CP of nu_mu -> mu- e+
ANTI_MU_E = Channel("e", "mu", "e", antineutrino=True)  # antinu_e -> mu- e+: CP of nu_e -> e- mu+
REGIMES = {name: nucleus_regimes(load_nucleus(name)) for name in ("O16", "Fe56", "Pb208")}
PROTON, BOUND_NEUTRON = nucleon_regime("proton"), REGIMES["Fe56"][2]
ZP = {"mass": 0.021, "g": 6.3e-4}


def names(x):
    return getattr(x, "name", None) or (f"{x:g}" if isinstance(x, float) else None)


# --- two independent integrals -------------------------------------------------------------------------------


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("channel", "regime", "E_nu"),
    [
        (DIMUON, REGIMES["O16"][0], 1.13),
        (DIMUON, REGIMES["Pb208"][0], 41.0),
        (DIMUON, BOUND_NEUTRON, 5.3),
        (DIMUON, PROTON, 870.0),
        (MU_E, REGIMES["Fe56"][0], 6.7),
        (MU_E, REGIMES["Fe56"][1], 93.0),
        (E_MU, REGIMES["O16"][0], 12.3),
        (ANTI_MU_E, REGIMES["Fe56"][0], 6.7),
    ],
    ids=names,
)
def test_tables_equal_event_integrals(channel, regime, E_nu):
    """Structures, their interference and a light mediator's rate, with the errors that both paths quote."""
    parameters = {"theory": zprime, "parameters": ZP}
    table = tabulated_cross_section(channel, regime, [E_nu], **parameters)
    events = total_cross_section(channel, regime, E_nu, rtol=4e-3, points=2**12, seed=17, **parameters)
    error = 3 * np.asarray(events.error) + table.error[0]
    assert (np.abs(table.value[0] - np.asarray(events.value)) < error).all()
    sigma_error = 3 * float(events.sigma_error) + table.sigma_error[0]
    assert abs(table.sigma[0] - float(events.sigma)) < sigma_error < 0.03 * table.sigma[0]
    assert (table.error[0, :2] < 1e-3 * table.value[0, :2]).all() and not table.sampled.any()
    if channel.lepton_minus == channel.lepton_plus:
        assert table.value[0, 2] == table.error[0, 2] == 0.0
        assert abs(float(events.value[2])) < 3 * float(events.error[2])
    else:
        assert abs(float(events.value[2])) > 5 * float(events.error[2])  # the sign is seen


@pytest.mark.slow
def test_symmetries_of_the_interference():
    """VA reverses under l- <-> l+ and under nu <-> antinu; VV and AA do not care."""
    regime, energies = REGIMES["Fe56"][0], [2.9, 31.0]
    values = {c.name: tabulated_cross_section(c, regime, energies).value for c in (MU_E, E_MU, ANTI_E_MU, ANTI_MU_E)}
    reference = values[MU_E.name]
    assert (np.abs(reference[:, 2]) > 0.01 * reference[:, 0]).all()
    for channel, sign in ((E_MU, -1), (ANTI_E_MU, 1), (ANTI_MU_E, -1)):
        np.testing.assert_allclose(values[channel.name], reference * np.array([1, 1, sign]), rtol=1e-14)
    dimuons = [tabulated_cross_section(c, regime, energies) for c in (DIMUON, ANTI_DIMUON)]
    np.testing.assert_array_equal(dimuons[0].value, dimuons[1].value)
    assert not dimuons[0].value[:, 2].any()


@pytest.mark.slow
def test_quoted_errors_are_honest():
    """Random energies and targets: pulls of loose event integrals against the table behave like a normal's."""
    rng, pulls = np.random.default_rng(71), []
    for i, regime in enumerate((REGIMES["Fe56"][0], PROTON, REGIMES["Pb208"][0]) * 4):
        E_nu = float(np.exp(rng.uniform(np.log(1.5), np.log(400.0))))
        table = tabulated_cross_section(DIMUON, regime, [E_nu])
        events = total_cross_section(DIMUON, regime, E_nu, rtol=0.1, points=2**10, seed=500 + i)
        pulls.append((np.asarray(events.value) - table.value[0]) / np.hypot(events.error, table.error[0]))
    assert np.abs(pulls).max() < 3.0
    assert 0.15 < np.mean(np.square(pulls)) < 1.3  # errors are scaled by 1.4


@pytest.mark.slow
def test_sigma_contracts_the_structures():
    found = tabulated_cross_section(MU_E, PROTON, [3.3, 57.0])
    np.testing.assert_allclose(found.sigma, found.value.sum(1), rtol=1e-12)  # g_V = g_A = 1
    s2 = 0.2386
    found = tabulated_cross_section(DIMUON, PROTON, [3.3, 57.0], parameters={"sin2_theta_w": s2})
    np.testing.assert_allclose(found.sigma, found.value[:, :2] @ [(0.5 + 2 * s2) ** 2, 0.25], rtol=1e-12)


# --- zeros ---------------------------------------------------------------------------------------------------


@pytest.mark.few(1)
@pytest.mark.parametrize(("channel", "regime"), [(DIMUON, PROTON), (MU_E, REGIMES["O16"][0])], ids=names)
def test_threshold(channel, regime):
    threshold = threshold_energy(channel, regime.mass)
    factors = np.array([1e-3, 0.7, 1.0, 1.0001, 1.01, 1.1, 1.5, 3.0])
    found = tabulated_cross_section(channel, regime, (threshold * factors).tolist())
    for part in (found.value, found.error, found.sigma, found.sigma_error):
        assert not part[:3].any()
    assert np.isfinite(found.value).all() and np.isfinite(found.error[4:]).all()
    sums = found.value[:, :2].sum(1)
    assert (np.diff(sums[3:]) > 0).all() and 0 < sums[4] < 1e-6 * sums[7]
    # the narrow opening falls between the nodes of the table: it says so, and events fill in
    assert sums[3] == 0.0 and np.isinf(found.error[3, :2]).all() and np.isinf(found.sigma_error[3])
    (both,) = cross_sections(channel, [regime], [threshold * 0.999, threshold * 1.0001], rtol=3e-2)
    assert not any(part[0].any() for part in both) and both.sampled[1]
    assert 0 < both.sigma_error[1] < 0.1 * both.sigma[1] and both.sigma[1] < 1e-9 * found.sigma[7]


# nu_a -> nu_b l_i^- l_j^+ by hand: Z makes equal pairs of every flavour, W turns nu_a into l_a^-
ALLOWED = {
    "e": {"ee": "e", "mumu": "e", "tautau": "e", "emu": "mu", "etau": "tau"},
    "mu": {"ee": "mu", "mumu": "mu", "tautau": "mu", "mue": "e", "mutau": "tau"},
    "tau": {"ee": "tau", "mumu": "tau", "tautau": "tau", "taue": "e", "taumu": "mu"},
}


@pytest.mark.few(3)
@pytest.mark.parametrize("neutrino", FLAVOURS)
@pytest.mark.parametrize("antineutrino", [False, True])
def test_allowed_and_forbidden_channels(neutrino, antineutrino):
    allowed = 0
    for minus in FLAVOURS:
        for plus in FLAVOURS:
            channel = Channel(neutrino, minus, plus, antineutrino)
            pair = plus + minus if antineutrino else minus + plus
            outgoing = ALLOWED[neutrino].get(pair)
            assert channel.outgoing_neutrinos == ((outgoing,) if outgoing else ()), channel.name
            allowed += bool(outgoing)
            if not outgoing:
                table = tabulated_cross_section(channel, PROTON, [17.0, 400.0])
                events = total_cross_section(channel, PROTON, 400.0)
                assert not any(part.any() for part in table)
                assert float(events.sigma) == float(events.sigma_error) == 0.0 and events.points == 0
            elif set((minus, plus)) <= {"e", "mu"} and "mu" in (minus, plus):
                found = tabulated_cross_section(channel, PROTON, [17.0])
                assert found.sigma[0] > 1e-44 and found.sigma_error[0] < 1e-3 * found.sigma[0]
    assert allowed == 5


# --- both paths together -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_events_take_over_near_threshold_and_above_the_table():
    regime = REGIMES["Fe56"][0]
    threshold = threshold_energy(DIMUON, regime.mass)
    energies = [threshold * 1.02, 18.0, LARGEST_ENERGY * 1.3]
    (found,) = cross_sections(DIMUON, [regime], energies, rtol=2e-3, seed=3)
    assert found.sampled.tolist() == [True, False, True]
    table = tabulated_cross_section(DIMUON, regime, energies[:2])
    both = table.value[:, :2].sum(1)
    assert table.error[0, :2].sum() > 2e-3 * both[0] and table.error[1, :2].sum() <= 2e-3 * both[1]
    np.testing.assert_array_equal(found.value[1], table.value[1])
    # delivered: the errors of VV and AA are each within rtol of the sum
    assert (found.error[:, :2].max(1) <= 2e-3 * found.value[:, :2].sum(1)).all() and (found.error[:, :2] > 0).all()
    assert (np.abs(found.value[0, :2] - table.value[0, :2]) < 3 * found.error[0, :2] + table.error[0, :2]).all()
    edge = tabulated_cross_section(DIMUON, regime, [LARGEST_ENERGY / 1.3, LARGEST_ENERGY]).value[:, :2].sum(1)
    # grows like a slowly falling power of the energy: extrapolate by two more equal steps
    growth = edge[1] / edge[0]
    above = found.value[2, :2].sum() / edge[1]
    assert 0.97 * growth < above < 1.003 * growth


def test_a_negligible_regime_is_not_asked_for_its_own_accuracy():
    """Muon pairs on a free proton just above the nuclear threshold: 1e-3 of the total is enough."""
    regimes = REGIMES["Pb208"]
    energies = [threshold_energy(DIMUON, regimes[1].mass) * 1.005]
    found = cross_sections(DIMUON, regimes, energies, rtol=5e-3, seed=2)
    total = sum(part.value[0, :2].sum() for part in found)
    assert 0 < found[1].value[0, :2].sum() < 1e-3 * total
    for part in found:
        own = part.value[0, :2].sum()
        assert part.error[0, :2].max() <= 5e-3 * max(own, 1e-3 * total) * 1.001


@pytest.mark.parametrize("E_nu", [0.0, -2.0, float("nan"), float("inf"), 1.01 * LARGEST_ENERGY])
def test_table_energies(E_nu):
    with pytest.raises(ValueError, match="allowed: positive and at most 6000 GeV"):
        tabulated_cross_section(DIMUON, PROTON, [5.0, E_nu])


@pytest.mark.parametrize("E_nu", [0.0, -2.0, float("nan"), float("inf")])
def test_bad_energies(E_nu):
    with pytest.raises(ValueError, match="allowed: positive and"):
        cross_sections(DIMUON, [PROTON], [E_nu])


# --- cuts ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_complementary_windows_make_up_the_total():
    regime, E_nu = REGIMES["Fe56"][0], 14.0
    windows = ((None, 3.1), (3.1, 6.0), (6.0, None))
    parts = []
    for seed, (low, high) in enumerate(windows):
        cuts = make_cuts([CutRequest("E_minus", "GeV", low, high, 0.4)])
        (part,) = cross_sections(DIMUON, [regime], [E_nu], rtol=8e-3, seed=seed + 10, cuts=cuts)
        assert part.sampled.all() and part.sigma[0] > 0
        parts.append(part)
    whole = tabulated_cross_section(DIMUON, regime, [E_nu])
    for name, error in (("value", "error"), ("sigma", "sigma_error")):
        total = sum(getattr(p, name)[0] for p in parts)
        spread = np.sqrt(sum(getattr(p, error)[0] ** 2 for p in parts))
        assert (np.abs(total - getattr(whole, name)[0]) < 3 * spread).all()
    # the cut tells l- from l+: an interference that was not there
    assert max(abs(p.value[0, 2]) / p.error[0, 2] for p in parts) > 5


def test_an_impossible_window_is_zero():
    cuts = make_cuts([CutRequest("E_minus", "GeV", 14.0, 20.0, 1e-3)])
    (found,) = cross_sections(DIMUON, [PROTON], [13.0], rtol=1e-2, cuts=cuts)
    assert not found.value.any() and not found.sigma.any() and found.sampled.all()
