"""Natural elements and materials; the oracle is arithmetic with atomic masses typed in here (AME2020, IAEA)."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from tridentjax.faults import InputError
from tridentjax.nucleus.form_factors import FermiDensity, FourierBessel, Helm
from tridentjax.nucleus.materials import (
    Material,
    atomic_mass,
    element_isotopes,
    element_names,
    load_material,
    material_names,
    material_rows,
    mix,
)
from tridentjax.nucleus.nuclei import FORM_FACTORS, load_nucleon, load_nucleus, nucleus_names, nucleus_row
from tridentjax.nucleus.regimes import nucleon_regime, nucleus_regimes

H1, C12, C13, O16, FE56 = 1.00782503, 12.0, 13.00335483, 15.99491462, 55.93493554
FE = {"Fe54": (5.845, 53.93960819), "Fe56": (91.754, FE56), "Fe57": (2.119, 56.93539195), "Fe58": (0.282, 57.93327358)}
AVOGADRO = 6.02214076e23


def fractions(material):
    return dict(zip((nucleus.name for nucleus in material.nuclei), material.number_fractions, strict=True))


def grams_of(material):
    """Mass fraction of every element, from number fractions."""
    masses = {}
    for name, share in fractions(material).items():
        symbol = name.rstrip("0123456789")
        masses[symbol] = masses.get(symbol, 0.0) + share * atomic_mass(name)
    return {symbol: mass / sum(masses.values()) for symbol, mass in masses.items()}


# data ---------------------------------------------------------------------------------------------
def test_offered_names():
    assert element_names() == ("H", "B", "C", "N", "O", "Na", "Al", "Si", "Ar", "Mn", "Fe", "W", "Pb")
    assert set(material_names()) == {
        "steel", "ccfr_calorimeter", "glass", "water", "LAr", "CH2", "CH", "tungsten", "lead", "fused_silica",
        "iron", "carbon",
    }  # fmt: skip
    everything = material_names() + element_names() + nucleus_names()
    assert len(set(everything)) == len(everything)  # a name means one thing


@pytest.mark.parametrize("name", nucleus_names())
def test_atomic_and_nuclear_masses_agree(name):
    """m_atom u = M + Z m_e - B_el, B_el = 14.4381 Z^2.39 + 1.55468e-6 Z^5.35 eV (Lunney et al. 2003)."""
    Z, A = int(nucleus_row(name)["Z"]), int(nucleus_row(name)["A"])
    binding = (14.4381 * Z**2.39 + 1.55468e-6 * Z**5.35) * 1e-9
    nuclear = atomic_mass(name) * 0.93149410372 - Z * 0.00051099895 + binding
    assert nuclear == pytest.approx(float(nucleus_row(name)["mass"]), abs=3e-8)
    assert abs(atomic_mass(name) - A) < 0.1


# standard atomic weights (IUPAC 2021, abridged)
@pytest.mark.parametrize(
    ("symbol", "weight"),
    [("H", 1.008), ("C", 12.011), ("N", 14.007), ("O", 15.999), ("Si", 28.085), ("Ar", 39.95),
     ("Fe", 55.845), ("W", 183.84), ("Pb", 207.2)],
)  # fmt: skip
def test_mean_mass_of_an_element_is_its_atomic_weight(symbol, weight):
    mean = sum(share * atomic_mass(name) for name, share in element_isotopes(symbol).items())
    assert mean == pytest.approx(weight, rel=5e-4)
    np.testing.assert_allclose(sum(element_isotopes(symbol).values()), 1.0, rtol=1e-14)


@pytest.mark.parametrize("name", [*material_names(), *element_names(), "Ar40", "Zn64", "O:0.3,Pb:0.25,H:0.45"])
def test_every_material_is_normalised_and_says_its_source(name):
    material = load_material(name)
    assert material.name == name and material.source
    assert len(set(fractions(material))) == len(material.nuclei)
    assert all(share > 0.0 for share in material.number_fractions)
    np.testing.assert_allclose(sum(material.number_fractions), 1.0, rtol=1e-14)
    mean = sum(share * atomic_mass(nuclide) for nuclide, share in fractions(material).items())
    np.testing.assert_allclose(material.nuclei_per_gram, AVOGADRO / mean, rtol=1e-12)


@pytest.mark.parametrize("name", material_names())
def test_rows_of_a_material_come_back_as_mass_fractions(name):
    rows = material_rows(name)
    assert all(row["source"] and row["status"] for row in rows)
    total = sum(float(row["mass_fraction"]) for row in rows)
    assert total == pytest.approx(1.0, abs=2e-4)
    grams = grams_of(load_material(name))
    for row in rows:
        expected = float(row["mass_fraction"]) / total
        assert grams[row["component"].rstrip("0123456789")] == pytest.approx(expected, rel=1e-12)


# compositions -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("water", {"H": 2, "O": 1}),
        ("CH2", {"C": 1, "H": 2}),
        ("CH", {"C": 1, "H": 1}),
        ("fused_silica", {"Si": 1, "O": 2}),
    ],
)
def test_formulas(name, formula):
    counts = dict.fromkeys(formula, 0.0)
    for nuclide, share in fractions(load_material(name)).items():
        counts[nuclide.rstrip("0123456789")] += share
    for symbol, number in formula.items():
        assert counts[symbol] == pytest.approx(number / sum(formula.values()), rel=1e-5)


def test_water_by_hand():
    water = load_material("water")
    assert water.nuclei_per_gram == pytest.approx(3 * AVOGADRO / (2 * H1 + O16), rel=1e-5)
    assert fractions(water)["H1"] / fractions(water)["O16"] == pytest.approx(2.0, rel=1e-5)


def test_natural_elements():
    total = sum(share for share, _ in FE.values())
    assert fractions(load_material("Fe")) == pytest.approx({k: share / total for k, (share, _) in FE.items()})
    assert fractions(load_material("LAr")) == fractions(load_material("Ar"))
    assert fractions(load_material("Ar")) == pytest.approx({"Ar36": 0.003336, "Ar38": 0.000629, "Ar40": 0.996035})
    assert fractions(load_material("Pb")) == pytest.approx({"Pb206": 241 / 986, "Pb207": 221 / 986, "Pb208": 524 / 986})
    assert sum(fractions(load_material("W")).values()) == pytest.approx(1.0)
    assert "0.12 % of the atoms missing" in load_material("W").source


def test_mass_fractions_become_numbers_through_atomic_masses():
    """Half iron, a third carbon, the rest hydrogen by mass, all isotopes by hand."""
    iron = sum(share * mass for share, mass in FE.values()) / 100.0
    carbon = 0.9894 * C12 + 0.0106 * C13
    moles = {name: 0.5 / iron * share / 100.0 for name, (share, _) in FE.items()}
    moles |= {"C12": 0.3 / carbon * 0.9894, "C13": 0.3 / carbon * 0.0106, "H1": 0.2 / H1}
    material = load_material("Fe: 0.5, C: 0.3, H: 0.2")
    total = sum(moles.values())
    assert fractions(material) == pytest.approx({k: x / total for k, x in moles.items()}, rel=1e-7)
    assert material.nuclei_per_gram == pytest.approx(total * AVOGADRO, rel=1e-7)


def test_an_element_and_its_nuclide_add_up():
    material = load_material("Fe56:0.7,Fe:0.3")
    natural = sum(share * mass for share, mass in FE.values()) / 100.0
    alone, mixed = 0.7 / FE56, 0.3 / natural
    assert fractions(material)["Fe56"] == pytest.approx((alone + 0.91754 * mixed) / (alone + mixed), rel=1e-7)
    assert len(material.nuclei) == 4


def test_rounded_mass_fractions_are_renormalised():
    rounded, exact = load_material("O:0.5355,Si:0.4685"), load_material("O:0.53336653,Si:0.46663347")
    assert fractions(rounded) == pytest.approx(fractions(exact), rel=1e-6)


def test_glass_agrees_with_the_recorded_sum():
    """sum Z^2/A per u of the CHARM-II glass, 5.589, computed independently of this code."""
    glass = load_material("glass")
    Z2 = sum(share * nucleus.Z**2 for nucleus, share in zip(glass.nuclei, glass.number_fractions, strict=True))
    assert Z2 * glass.nuclei_per_gram / AVOGADRO == pytest.approx(5.589, rel=1e-3)
    silica = load_material("fused_silica")
    Z2 = sum(share * nucleus.Z**2 for nucleus, share in zip(silica.nuclei, silica.number_fractions, strict=True))
    assert Z2 * silica.nuclei_per_gram / AVOGADRO == pytest.approx(5.393, rel=1e-3)


def test_what_was_not_verified_says_so():
    assert "recalled" in load_material("ccfr_calorimeter").source
    assert "assumed" in load_material("steel").source and "assumed" in load_material("glass").source


# hydrogen -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(("form_factor", "p_fermi"), [("default", None), ("helm", 0.21)])
def test_hydrogen_of_a_compound_is_one_free_proton(form_factor, p_fermi):
    material = load_material("CH2", form_factor, None, p_fermi)
    (hydrogen,) = (nucleus for nucleus in material.nuclei if nucleus.Z == 1)
    (regime,) = nucleus_regimes(hydrogen)
    assert (regime.name, regime.count, regime.p_fermi, hydrogen.p_fermi) == ("incoherent_proton", 1, 0.0, 0.0)
    Q2 = jnp.asarray([0.0002, 0.03, 0.9])
    np.testing.assert_allclose(regime.structure(Q2), load_nucleon("proton").structure(Q2), rtol=1e-14)
    carbon = material.nuclei[0]
    assert (carbon.name, carbon.p_fermi) == ("C12", p_fermi or 0.221)
    assert isinstance(carbon.form_factor, Helm if form_factor == "helm" else FourierBessel)


def test_protons_of_water_are_counted_once():
    """Ten protons and eight neutrons a molecule, two of the protons free."""
    water, counts = load_material("water"), {"incoherent_proton": 0.0, "incoherent_neutron": 0.0, "free": 0.0}
    for nucleus, share in zip(water.nuclei, water.number_fractions, strict=True):
        for regime in nucleus_regimes(nucleus):
            if regime.name != "coherent":
                counts[regime.name] += 3 * share * regime.count
                counts["free"] += 3 * share * regime.count * (regime.p_fermi == 0.0)
    assert counts == pytest.approx({"incoherent_proton": 10.0, "incoherent_neutron": 8.0, "free": 2.0}, rel=1e-5)
    assert [nucleon_regime(kind).p_fermi for kind in ("proton", "neutron")] == [0.0, 0.0]


def test_pauli_switch_leaves_hydrogen_as_it_is():
    hydrogen = load_material("water").nuclei[0]
    assert eqx.tree_equal(nucleus_regimes(hydrogen), nucleus_regimes(hydrogen, pauli=False))


# nuclear models -----------------------------------------------------------------------------------
def test_form_factor_of_every_nucleus():
    material = load_material("ccfr_calorimeter", "woods-saxon", {"r0": 1.09, "a": 0.51}, 0.26)
    for nucleus in material.nuclei:
        if nucleus.name != "H1":
            assert isinstance(nucleus.form_factor, FermiDensity) and nucleus.p_fermi == 0.26
            assert float(nucleus.form_factor.c) == pytest.approx(1.09 * nucleus.A ** (1 / 3))
            assert float(nucleus.form_factor.z) == 0.51
    assert fractions(material) == fractions(load_material("ccfr_calorimeter"))


def test_default_model_is_that_of_the_nucleus():
    for nucleus in load_material("O:0.4,W:0.6").nuclei:
        assert eqx.tree_equal(nucleus, load_nucleus(nucleus.name))
    assert set(FORM_FACTORS) >= {"helm", "woods-saxon"}


def test_mix_adds_a_nuclide_of_two_materials():
    both = mix("cell", (load_material("water"), load_material("CH2")), (0.5, 0.3))
    moles = {"H1": 0.5 * 2 / (2 * H1 + O16) + 0.3 * 2 / (2 * H1 + 0.9894 * C12 + 0.0106 * C13)}
    moles["O16"] = 0.5 / (2 * H1 + O16)
    assert fractions(both)["H1"] / fractions(both)["O16"] == pytest.approx(moles["H1"] / moles["O16"], rel=1e-5)
    assert [nucleus.name for nucleus in both.nuclei] == ["H1", "O16", "C12", "C13"]
    assert both.name == "cell" and "H2O" in both.source and "CH2" in both.source


# faults -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("stel",), r"unknown material, element or nuclide 'stel'; did you mean 'steel'\? Allowed: .*water; or give"),
        (("Ar41",), r"unknown material, element or nuclide 'Ar41'; did you mean 'Ar40'\?"),
        (("CH3",), r"'CH3'; did you mean 'CH2'\?"),
        (("",), r"unknown material, element or nuclide ''"),
        (("Mg",), r"element 'Mg' lacks isotopes: the tables hold Mg24, 78.97 % of .*; name the nuclide \(e.g. Mg24\)"),
        (("O:0.6,Cu:0.4",), r"element 'Cu' lacks isotopes: the tables hold Cu63, 69.15 %"),
        (("O:0.6,Sj:0.4",), r"unknown element or nuclide 'Sj'; did you mean 'Si'\?"),
        (("O:0.6,water:0.4",), r"unknown element or nuclide 'water'"),
        (("O:0.6,Si:0.3",), r"mass fractions of 'O:0.6,Si:0.3' sum to 0.9000; allowed: 1 within 0.005"),
        (("O:1.2,Si:-0.2",), r"mass fraction of 'Si' = '-0.2'; allowed: a positive number"),
        (("O:1,Si:0",), r"mass fraction of 'Si' = '0'; allowed: a positive number"),
        (("O:nan,Si:0.5",), r"mass fraction of 'O' = 'nan'; allowed: a positive number"),
        (("O:half,Si:0.5",), r"mass fraction of 'O' = 'half'; allowed: a positive number, NAME:FRACTION"),
        (("O,Si",), r"mass fraction of 'O' = ''; allowed: a positive number, NAME:FRACTION"),
        (("O:0.5,Si:0.2,O:0.3",), r"'O' is given twice in 'O:0.5,Si:0.2,O:0.3'; add its mass fractions up"),
        (("W", "fourier-bessel"), r"W182 has no tabulated 'fourier-bessel'"),
        (("W", "helmm"), r"unknown form factor 'helmm'; did you mean 'helm'\?"),
        (("W", "helm", {"r0": 1.1}), r"unknown parameter of form factor helm 'r0'"),
        (("W", "default", None, 1.5), r"p_fermi = 1.5 GeV; allowed: 0 \(free\) to 1"),
        (("H", "helm"), r"H1 has no coherent form factor, received 'helm'"),
        (("H1", "default", None, 0.2), r"H1 is a free proton, never Pauli-blocked, received p_fermi = 0.2 GeV"),
    ],
)
def test_bad_material_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        load_material(*arguments)


def test_all_faults_come_at_once():
    with pytest.raises(InputError) as caught:
        load_material("O:0.5,Si:-1,Qq:0.2,Mg:0.1,Si:0.1", "fermi3", {"c": -3.0}, 2.0)
    starts = [
        "mass fraction of 'Si' = '-1'",
        "'Si' is given twice",
        "unknown element or nuclide 'Qq'",
        "element 'Mg' lacks isotopes",
        "p_fermi = 2.0 GeV",
        "form factor parameter c = -3.0",
    ]
    assert [fault[: len(start)] for fault, start in zip(caught.value.faults, starts, strict=True)] == starts
    with pytest.raises(InputError) as caught:
        load_material("W", "fourier-bessel")
    assert [fault.split()[0] for fault in caught.value.faults] == ["W182", "W183", "W184", "W186"]


def test_two_models_of_one_nuclide_do_not_mix():
    with pytest.raises(InputError, match=r"C12 of CH2 has another form factor or p_fermi.*one nuclear model a nuclide"):
        mix("cell", (load_material("C"), load_material("CH2", "helm")), (0.5, 0.5))


def test_unknown_element_and_material():
    with pytest.raises(InputError, match=r"unknown element 'Sj'; did you mean 'Si'\?"):
        element_isotopes("Sj")
    with pytest.raises(InputError, match=r"unknown material 'gals'; did you mean 'glass'\?"):
        material_rows("gals")


def test_a_record_needs_one_fraction_a_nucleus():
    with pytest.raises(ValueError, match="2 nuclei and 1 number fractions; give one fraction a nucleus"):
        Material((load_nucleus("C12"), load_nucleus("H1")), (1.0,), "bad", "")
