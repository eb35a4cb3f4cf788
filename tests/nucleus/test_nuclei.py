import jax.numpy as jnp
import numpy as np
import pytest

from tridentjax.constants import HBARC, MASS_NEUTRON, MASS_PROTON
from tridentjax.faults import InputError
from tridentjax.nucleus.form_factors import FermiDensity, FourierBessel, GaussianDensity, Helm
from tridentjax.nucleus.nuclei import (
    FORM_FACTORS,
    density_rows,
    load_nucleon,
    load_nucleus,
    nucleus_names,
    nucleus_row,
    vary_density,
)
from tridentjax.nucleus.regimes import Coherent, Incoherent, Q2_scale, nucleon_regime, nucleus_regimes

EVERY = [name for name in nucleus_names() if name != "H1"]
WITH_DENSITY = [name for name in EVERY if density_rows(name)]


def rms_radius(factor):
    """From F(Q2) near zero by a small finite difference [fm]."""
    step = 1e-6
    return float(np.sqrt(6 * (1 - factor(jnp.asarray(step))) / step)) * HBARC


def test_every_nucleus_has_a_density():
    assert [name for name in EVERY if name not in WITH_DENSITY] == []


@pytest.mark.few(12)
@pytest.mark.parametrize("name", EVERY)
def test_default_density_reproduces_the_measured_radius(name):
    """Angeli-Marinova radius of nuclei.csv within 1.5 %; C12's Fourier-Bessel set is 2.48 fm."""
    measured = float(nucleus_row(name)["rms_radius"])
    assert rms_radius(load_nucleus(name).form_factor) == pytest.approx(measured, rel=0.02)


@pytest.mark.parametrize("name", EVERY)
def test_masses_are_consistent(name):
    nucleus = load_nucleus(name)
    binding = nucleus.Z * MASS_PROTON + nucleus.neutrons * MASS_NEUTRON - nucleus.mass
    assert 6e-3 < binding / nucleus.A < 9e-3  # GeV per nucleon
    assert 0.2 < nucleus.p_fermi < 0.28


def test_argon():
    argon = load_nucleus("Ar40")
    assert (argon.Z, argon.A, argon.neutrons) == (18, 40, 22)
    assert argon.mass == pytest.approx(39.9623831 * 0.93149410 - 18 * 0.00051099895, abs=2e-4)
    assert isinstance(argon.form_factor, FourierBessel)
    assert load_nucleus("Ar40", p_fermi=0.25).p_fermi == 0.25


@pytest.mark.parametrize(
    ("name", "kind", "parameters", "record"),
    [
        ("Fe56", "fourier-bessel", None, FourierBessel),
        ("Fe56", "helm", None, Helm),
        ("Fe56", "helm", {"R0": 4.1, "s": 0.95}, Helm),
        ("Si28", "fermi3", None, FermiDensity),
        ("Ar40", "fermi3", {"c": 3.73, "z": 0.62, "w": -0.19}, FermiDensity),
        ("W184", "fermi2", {"c": 6.5}, FermiDensity),
        ("Pb208", "gaussian3", None, GaussianDensity),
        ("O16", "gaussian3", {"c": 2.1, "z": 1.9, "w": 0.1}, GaussianDensity),
        ("Na23", "woods-saxon", {"r0": 1.1}, FermiDensity),
    ],
)
def test_chosen_form_factors(name, kind, parameters, record):
    factor = load_nucleus(name, kind, parameters).form_factor
    assert isinstance(factor, record)
    for key, value in (parameters or {}).items():
        if key not in ("r0", "a"):
            assert float(getattr(factor, key)) == value
    np.testing.assert_allclose(factor(jnp.zeros(())), 1.0, rtol=1e-13)


def test_fermi2_ignores_a_tabulated_third_parameter():
    assert float(load_nucleus("Ar40", "fermi2", {"c": 3.5, "z": 0.5}).form_factor.w) == 0.0


def test_hydrogen_is_one_free_proton():
    hydrogen = load_nucleus("H1")
    assert hydrogen.form_factor is None and hydrogen.neutrons == 0 and hydrogen.p_fermi == 0.0
    (regime,) = nucleus_regimes(hydrogen)
    assert isinstance(regime, Incoherent) and regime.count == 1
    np.testing.assert_allclose(
        regime.structure(jnp.asarray([0.001, 0.2])),
        load_nucleon("proton").structure(jnp.asarray([0.001, 0.2])),
        rtol=1e-14,
    )


def test_regimes_of_a_nucleus():
    argon = load_nucleus("Ar40", "woods-saxon")
    coherent, protons, neutrons = nucleus_regimes(argon, "dipole")
    assert [r.name for r in (coherent, protons, neutrons)] == ["coherent", "incoherent_proton", "incoherent_neutron"]
    x = jnp.asarray([0.0, 0.003, 0.08])
    assert isinstance(coherent, Coherent)
    np.testing.assert_allclose(coherent.structure(x)[0], 18**2 * np.asarray(argon.form_factor(x)) ** 2, rtol=1e-13)
    free = nucleus_regimes(argon, "dipole", pauli=False)
    assert (protons.count, neutrons.count) == (18, 22)
    assert (np.asarray(protons.structure(x)) <= np.asarray(free[1].structure(x)) * (1 + 1e-15)).all()
    assert float(protons.structure(x)[0, 0]) == 0.0
    assert coherent.mass == argon.mass and protons.mass == MASS_PROTON and neutrons.mass == MASS_NEUTRON
    assert 0 < Q2_scale(coherent) < Q2_scale(protons) < 1


def test_count_scales_a_nucleon_regime():
    x = jnp.asarray([0.01, 0.7])
    np.testing.assert_allclose(
        nucleon_regime("neutron", 7, 0.25).structure(x), 7 * nucleon_regime("neutron", 1, 0.25).structure(x), rtol=1e-14
    )


def test_nuisances_of_the_density():
    iron = load_nucleus("Fe56")
    factor = vary_density(iron, 1.02, 1.0)
    assert rms_radius(factor) > rms_radius(iron.form_factor) * 1.01
    np.testing.assert_allclose(
        vary_density(iron, 1.0, 1.0)(jnp.asarray(0.04)), iron.form_factor(jnp.asarray(0.04)), rtol=1e-12
    )


# error texts --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("Ar4",), r"unknown nucleus 'Ar4'; did you mean 'Ar40'\?"),
        (("fe56",), r"unknown nucleus 'fe56'; did you mean 'Fe56'\?"),
        (("Ar40", "helmm"), r"unknown form factor 'helmm'; did you mean 'helm'\?"),
        (
            ("Mn55", "fourier-bessel"),
            r"Mn55 has no tabulated 'fourier-bessel' density \(it has fermi, helm\); use woods-saxon",
        ),
        (
            ("B11", "fermi3"),
            r"B11 has no tabulated 'fermi3' density \(it has helm\); give its parameters or use woods-saxon",
        ),
        (("Ar40", "fermi2", {"radius": 3.0}), r"unknown parameter of form factor fermi2 'radius'; Allowed: c, z"),
        (("Ar40", "default", {"c": 3.0}), r"unknown parameter of form factor default 'c'"),
        (("Ar40", "fermi2", {"c": -3.0}), r"form factor parameter c = -3.0; allowed: a positive length in fm"),
        (("Ar40", "woods-saxon", {"a": 0.0}), r"form factor parameter a = 0.0; allowed: a positive length"),
        (("Ar40", "helm", {"R0": float("nan")}), r"form factor parameter R0 = nan"),
        (
            ("H1", "default", None, 0.2),
            r"H1 is a free proton, never Pauli-blocked, received p_fermi = 0.2 GeV; allowed: 0",
        ),
        (("H1", "helm"), r"H1 has no coherent form factor, received 'helm'"),
    ],
)
def test_bad_nucleus_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        load_nucleus(*arguments)


def test_several_faults_are_reported_at_once():
    with pytest.raises(InputError) as caught:
        load_nucleus("Ar40", "fermi3", {"c": -1.0, "zz": 0.5, "z": 99.0})
    assert len(caught.value.faults) == 3
    with pytest.raises(InputError) as caught:
        load_nucleus("Pb207", "helmm", None, 1.2)
    assert [fault[:12] for fault in caught.value.faults] == ["p_fermi = 1.", "unknown form"]
    with pytest.raises(InputError) as caught:
        load_nucleon("deuteron", "bbba07")
    assert [fault.split(";")[0] for fault in caught.value.faults] == [
        "unknown nucleon 'deuteron'",
        "unknown nucleon form factor 'bbba07'",
    ]


@pytest.mark.parametrize("w", [float("nan"), float("inf")])
def test_non_finite_third_parameter_is_refused(w):
    with pytest.raises(InputError, match=r"form factor parameter w = (nan|inf)"):
        load_nucleus("Ar40", "fermi3", {"c": 3.73, "z": 0.62, "w": w})


@pytest.mark.parametrize("p_fermi", [-0.2, float("nan")])
def test_bad_fermi_momentum_is_refused(p_fermi):
    with pytest.raises(InputError, match="p_fermi"):
        load_nucleus("Ar40", p_fermi=p_fermi)


def test_varying_hydrogen_is_refused():
    with pytest.raises(InputError, match="H1 has no nuclear density to vary"):
        vary_density(load_nucleus("H1"), 1.0, 1.0)


@pytest.mark.parametrize("name", ["B10", "B11", "C13"])
def test_light_nuclei_without_a_fermi_density_vary_through_helm(name):
    nucleus, Q2 = load_nucleus(name), jnp.asarray([0.0, 0.004, 0.03])
    factor = nucleus.form_factor(Q2)
    assert jnp.allclose(vary_density(nucleus, 1.0, 1.0)(Q2), factor, rtol=1e-12)
    wider = vary_density(nucleus, 1.02, 1.0)(Q2)
    assert wider[0] == pytest.approx(1.0, abs=1e-12)
    # Helm's mean square radius (3/5) R0^2 + 3 s^2 grows with R0^2: F falls by Q2 <r^2>/6 (hbar c)^2 near 0
    more = 0.6 * float(nucleus.fit.R0) ** 2 * (1.02**2 - 1.0)
    tiny = jnp.asarray([1e-5])
    fall = float((nucleus.form_factor(tiny) - vary_density(nucleus, 1.02, 1.0)(tiny))[0])
    assert fall == pytest.approx(1e-5 * more / (6.0 * HBARC**2), rel=1e-2)


def test_all_form_factor_kinds_are_described():
    assert all(text for text in FORM_FACTORS.values())
