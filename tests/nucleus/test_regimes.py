"""Targets as sums of regimes and the spread over nuclear models; the oracles are sums written out here."""

import numpy as np
import pytest
from fixtures_physics import DIMUON

from tridentjax.faults import InputError
from tridentjax.nucleus.materials import load_material
from tridentjax.nucleus.nuclei import load_nucleus
from tridentjax.nucleus.regimes import material_regimes, nucleon_regime, nucleus_regimes, target_regimes
from tridentjax.process.model_spread import model_spread, summed
from tridentjax.process.totals import tabulated_cross_section

ENERGIES = [3.7, 52.0]


def table(regime):
    return tabulated_cross_section(DIMUON, regime, ENERGIES)


def test_water_is_two_hydrogens_and_an_oxygen():
    found = summed(DIMUON, target_regimes("water"), ENERGIES)
    coherent, bound_p, bound_n = (table(regime) for regime in nucleus_regimes(load_nucleus("O16")))
    free = table(nucleon_regime("proton"))
    assert set(found) == {"coherent", "incoherent_proton", "incoherent_neutron"}
    for name, exact in (
        ("coherent", coherent.value / 3),
        ("incoherent_proton", bound_p.value / 3 + 2 * free.value / 3),
        ("incoherent_neutron", bound_n.value / 3),
    ):
        np.testing.assert_allclose(found[name].value, exact, rtol=3e-6)  # 0.666667 of the mass table
    # errors of the tables are common to all nuclei: they add linearly
    exact = bound_p.error / 3 + 2 * free.error / 3
    np.testing.assert_allclose(found["incoherent_proton"].error, exact, rtol=1e-5)
    np.testing.assert_allclose(found["incoherent_proton"].sigma, bound_p.sigma / 3 + 2 * free.sigma / 3, rtol=3e-6)


@pytest.mark.slow
def test_a_composition_by_mass():
    """O:0.53, Si:0.47 by mass -> number fractions with atomic masses typed in here; Si from its isotopes."""
    oxygen, silicon = 0.53 / 15.999, 0.47 / 28.085
    share = oxygen / (oxygen + silicon)
    found = summed(DIMUON, target_regimes("O:0.53,Si:0.47"), ENERGIES)
    parts = [summed(DIMUON, target_regimes(name), ENERGIES) for name in ("O", "Si")]
    for name in found:
        exact = share * parts[0][name].sigma + (1 - share) * parts[1][name].sigma
        np.testing.assert_allclose(found[name].sigma, exact, rtol=1e-4)
    assert 0.6 < share < 0.7


def test_natural_iron():
    """Isotopes by their abundance; coherent rates go with Z^2, so they differ by radius and mass only."""
    found = summed(DIMUON, target_regimes("steel"), ENERGIES)
    exact = sum(
        abundance * tabulated_cross_section(DIMUON, nucleus_regimes(load_nucleus(name))[0], ENERGIES).sigma
        for name, abundance in (("Fe54", 0.05845), ("Fe56", 0.91754), ("Fe57", 0.02119), ("Fe58", 0.00282))
    )
    np.testing.assert_allclose(found["coherent"].sigma, exact, rtol=1e-6)


def test_free_hydrogen_is_never_blocked():
    proton = nucleon_regime("proton")
    for target in ("H", "H1", "proton"):
        blocked, free = (target_regimes(target, pauli=p) for p in (True, False))
        assert [r.name for _, r in blocked] == ["incoherent_proton"]
        for regimes in (blocked, free):
            np.testing.assert_allclose(table(regimes[0][1]).value, table(proton).value, rtol=1e-12)
    # in water, only the oxygen changes
    on, off = (summed(DIMUON, target_regimes("water", pauli=p), ENERGIES) for p in (True, False))
    bound = [table(nucleus_regimes(load_nucleus("O16"), pauli=p)[1]).sigma for p in (True, False)]
    difference = off["incoherent_proton"].sigma - on["incoherent_proton"].sigma
    np.testing.assert_allclose(difference, (bound[1] - bound[0]) / 3, rtol=1e-5)
    assert (difference > 0.02 * bound[0]).all()


def test_fermi_momentum_of_a_nucleon_and_of_a_nucleus():
    free, blocked, deep = (table(target_regimes("proton", p_fermi=p)[0][1]).sigma for p in (None, 0.2, 0.3))
    assert (free > blocked).all() and (blocked > deep).all()
    ours = table(target_regimes("O16", p_fermi=0.3)[1][1]).sigma
    np.testing.assert_allclose(ours, 8 * deep, rtol=1e-12)


@pytest.mark.parametrize("nucleon", ["proton", "neutron"])
def test_a_nucleon_takes_no_nuclear_form_factor(nucleon):
    for options in ({"form_factor": "helm"}, {"parameters": {"R0": 3.0}}):
        with pytest.raises(InputError, match=f"{nucleon} has no nuclear form factor, received .*; choose a nucleon"):
            target_regimes(nucleon, **options)
    assert table(target_regimes(nucleon, nucleon_form_factor="dipole")[0][1]).sigma[0] > 0


def test_unknown_target():
    with pytest.raises(InputError, match="did you mean 'Ar40'"):
        target_regimes("Ar41")
    with pytest.raises(InputError, match="'Ar41'"):
        model_spread(DIMUON, "Ar41", ENERGIES)


def test_material_regimes_carry_number_fractions():
    material = load_material("CH2")
    pairs = material_regimes(material)
    assert sum(f for f, r in pairs if r.name == "coherent") == pytest.approx(1 / 3, rel=1e-4)
    assert sum(f for f, r in pairs if r.name == "incoherent_proton") == pytest.approx(1.0, rel=1e-12)
