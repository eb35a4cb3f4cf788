import re
from textwrap import dedent
from typing import get_args

import numpy as np
import pytest

from tridentjax import InputError, experiment_names, load_experiment, load_flux
from tridentjax.form_factors import Helm
from tridentjax.materials import load_material
from tridentjax.nuclei import FORM_FACTORS
from tridentjax.schema import FormFactorName

GOOD = dedent("""\
    name: mine
    title: My beam
    reference: nobody:2026
    channel: {lepton_minus: mu, lepton_plus: mu}
    flux:
      - {species: numu, table: beam.csv}
    target:
      - {nucleus: O16, mass_fraction: 0.6}
      - {nucleus: Pb208, mass_fraction: 0.4}
    measurement:
      observable: rate_ratio
      distribution: normal
      value: 1.1
      uncertainty: 0.3
      includes_theory_error: false
      status: invented
    nuisances:
      flux_tilt: {sd: 0.2}
    """)
BEAM = "# unit: 1/GeV\n# energy_unit: GeV\nE_lo,E_hi,numu\n4,8,0.5\n8,16,0.25\n"


def write(folder, text=GOOD, beam=BEAM):
    (folder / "beam.csv").write_text(beam)
    path = folder / "mine.yaml"
    path.write_text(text)
    return path


def faults(folder, text=GOOD, beam=BEAM):
    with pytest.raises(InputError) as caught:
        load_experiment(write(folder, text, beam))
    return caught.value.faults


def test_all_packaged_experiments_load():
    assert experiment_names() == ("ccfr", "charm2", "charm2_0p64", "nutev", "nutev_1998")
    for name in experiment_names():
        experiment = load_experiment(name)
        assert experiment.name == name and experiment.reference and experiment.measurement.status
        assert (experiment.lepton_minus, experiment.lepton_plus) == ("mu", "mu")
        np.testing.assert_allclose(sum(experiment.number_fractions), 1.0, rtol=1e-12)
        assert set(experiment.nuisances) == {
            "flux_stretch", "flux_tilt", "nuclear_radius", "nuclear_diffuseness",
            "coherent_normalisation", "incoherent_normalisation", "sin2_theta_w",
        }  # fmt: skip


# what the papers say, typed in from them (experiments.md section 1)
@pytest.mark.parametrize(
    ("name", "value", "low", "high", "distribution"),
    [
        ("ccfr", 0.82, 0.28, 0.28, "normal"),
        ("charm2", 1.58, 0.57, 0.57, "normal"),
        ("charm2_0p64", 1.58, 0.64, 0.64, "normal"),
        ("nutev", 0.72, 0.72, 1.73, "split_normal"),
    ],
)
def test_ratios_of_record(name, value, low, high, distribution):
    m = load_experiment(name).measurement
    assert (m.value, m.uncertainty_low, m.uncertainty_high, m.distribution) == (value, low, high, distribution)
    assert m.observable == "rate_ratio"


def test_counts_of_record():
    m = load_experiment("nutev_1998").measurement
    assert (m.value, m.background, m.background_uncertainty, m.signal_sm) == (17, 9.8, 2.9, 10.8)
    assert (m.observable, m.distribution) == ("counts", "poisson")


def test_nuisance_widths_of_record():
    nuisances = load_experiment("ccfr").nuisances
    assert nuisances["coherent_normalisation"].width == 0.06 and nuisances["coherent_normalisation"].log
    assert nuisances["incoherent_normalisation"].width == 0.30 and nuisances["incoherent_normalisation"].log
    assert nuisances["flux_stretch"].width == 0.12 and nuisances["flux_stretch"].log
    assert not nuisances["flux_tilt"].log and not nuisances["sin2_theta_w"].log


def test_glass_of_charm2():
    experiment = load_experiment("charm2")
    glass = {"O16": 0.467, "Si28": 0.339, "Na23": 0.100, "Ca40": 0.064, "Mg24": 0.021, "Al27": 0.006, "K39": 0.003}
    assert [nucleus.name for nucleus in experiment.nuclei] == list(glass)
    masses = {"O16": 15.99491462, "Si28": 27.97692653, "Na23": 22.98976928, "Ca40": 39.96259085, "Mg24": 23.98504169,
              "Al27": 26.98153841, "K39": 38.96370649}  # AME2020 [u]  # fmt: skip
    numbers = np.array([share / masses[name] for name, share in glass.items()])
    np.testing.assert_allclose(experiment.number_fractions, numbers / numbers.sum(), rtol=1e-8)
    assert [flux.species for flux in experiment.fluxes] == ["numu", "antinumu"]


def test_mean_energies_of_record():
    assert load_experiment("ccfr").fluxes[0].pivot == pytest.approx(98, rel=0.02)  # flux mean, not event mean
    assert load_experiment("charm2").fluxes[0].pivot == pytest.approx(22, rel=0.15)


def test_own_experiment_with_its_own_flux_beside_it(tmp_path, monkeypatch):
    path = write(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    experiment = load_experiment(path)
    flux = experiment.fluxes[0]
    np.testing.assert_allclose(flux.weight.sum(), 0.5 * 4 + 0.25 * 8, rtol=1e-12)
    np.testing.assert_allclose((flux.weight * flux.energy).sum(), 0.5 * 4 * 6 + 0.25 * 8 * 12, rtol=1e-12)
    assert flux.pivot == pytest.approx(9.0)
    oxygen, lead = 0.6 / 15.994914619, 0.4 / 207.976652005
    np.testing.assert_allclose(experiment.number_fractions, np.array([oxygen, lead]) / (oxygen + lead), rtol=1e-12)
    assert experiment.channel(flux).name == load_experiment("ccfr").channel(load_flux("CCFR", "numu")).name


TARGET = "  - {nucleus: O16, mass_fraction: 0.6}\n  - {nucleus: Pb208, mass_fraction: 0.4}\n"


def load_target(folder, *entries):
    assert TARGET in GOOD
    return load_experiment(write(folder, GOOD.replace(TARGET, "".join(f"  - {entry}\n" for entry in entries))))


def target_faults(folder, *entries):
    with pytest.raises(InputError) as caught:
        load_target(folder, *entries)
    return caught.value.faults


@pytest.mark.parametrize(
    ("entry", "name"),
    [
        ("{element: Fe}", "Fe"),
        ("{material: glass}", "glass"),
        ("{nucleus: Fe56}", "Fe56"),
        ("{material: 'O:0.5333,Si:0.4667', mass_fraction: 1.0}", "O:0.5333,Si:0.4667"),
    ],
)
def test_target_of_one_material(tmp_path, entry, name):
    experiment, material = load_target(tmp_path, entry), load_material(name)
    assert [nucleus.name for nucleus in experiment.nuclei] == [nucleus.name for nucleus in material.nuclei]
    np.testing.assert_allclose(experiment.number_fractions, material.number_fractions, rtol=1e-12)


def test_a_nuclide_of_two_entries_appears_once(tmp_path):
    experiment = load_target(
        tmp_path, "{material: water, mass_fraction: 0.25}", "{nucleus: H1, mass_fraction: 0.15}",
        "{element: O, mass_fraction: 0.6}",
    )  # fmt: skip
    assert [nucleus.name for nucleus in experiment.nuclei] == ["H1", "O16"]
    H, O = 1.00782503, 15.99491462  # noqa: E741
    hydrogen, oxygen = 0.25 * 2 / (2 * H + O) + 0.15 / H, 0.25 / (2 * H + O) + 0.6 / O
    np.testing.assert_allclose(experiment.number_fractions[0], hydrogen / (hydrogen + oxygen), rtol=1e-5)
    np.testing.assert_allclose(sum(experiment.number_fractions), 1.0, rtol=1e-14)


def test_nuclear_model_of_a_target(tmp_path):
    experiment = load_target(
        tmp_path, "{material: CH2, mass_fraction: 0.3, form_factor: helm, p_fermi: 0.24}",
        "{nucleus: Pb208, mass_fraction: 0.7, form_factor: fermi2, form_factor_parameters: {c: 6.6, z: 0.5}}",
    )  # fmt: skip
    models = {nucleus.name: nucleus for nucleus in experiment.nuclei}
    assert isinstance(models["C13"].form_factor, Helm) and models["C13"].p_fermi == 0.24
    assert models["H1"].form_factor is None and models["H1"].p_fermi == 0.0
    assert (float(models["Pb208"].form_factor.c), float(models["Pb208"].form_factor.z)) == (6.6, 0.5)
    assert models["Pb208"].p_fermi == 0.26


def test_form_factor_names_of_files_are_those_of_the_library():
    assert get_args(FormFactorName) == tuple(FORM_FACTORS)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{mass_fraction: 1.0}", r"target\.0 = .*give exactly one of nucleus, element and material, received none"),
        ("{nucleus: Fe56, element: Fe}", r"target\.0 = .*exactly one .*received \['nucleus', 'element'\]"),
        ("{nucleus: Fe}", r"mine\.yaml: target\.0: unknown nucleus 'Fe'; did you mean 'Fe5"),
        ("{element: Fee}", r"target\.0: unknown element 'Fee'; did you mean 'Fe'"),
        ("{element: Mg}", r"target\.0: element 'Mg' lacks isotopes"),
        ("{material: galss}", r"target\.0: unknown material, element or nuclide 'galss'; did you mean 'glass'"),
        ("{material: 'O:0.5,Si:0.4'}", r"target\.0: mass fractions of 'O:0\.5,Si:0\.4' sum to 0\.9000"),
        ("{materail: glass}", r"unknown key 'materail' in mine\.yaml: target\.0.*did you mean 'material'"),
        ("{element: Fe, form_factor: helmm}", r"target\.0\.form_factor = 'helmm'.*'helm'"),
        ("{element: Fe, form_factor: helm, form_factor_parameters: {c: 4.0}}", r"target\.0: unknown parameter .*'c'"),
        ("{element: Fe, form_factor: helm, form_factor_parameters: {s: x}}", r"form_factor_parameters\.s = 'x'"),
        ("{element: Fe, p_fermi: 1.0}", r"target\.0\.p_fermi = 1\.0.*less than 1"),
        ("{nucleus: H1, p_fermi: 0.2}", r"target\.0: H1 is a free proton, never Pauli-blocked"),
        ("{material: steel, mass_fraction: 0.4}", r"mass fractions of the target sum to 0\.4000"),
    ],
)
def test_bad_target_is_refused(tmp_path, entry, message):
    found = target_faults(tmp_path, entry)
    assert len(found) == 1 and re.search(message, found[0]), found


def test_faults_of_all_targets_come_at_once(tmp_path):
    found = target_faults(
        tmp_path, "{element: Mg, mass_fraction: 0.2}", "{material: 'O:0.5,Sj:0.5', mass_fraction: 0.3}",
        "{element: W, mass_fraction: 0.5, form_factor: fourier-bessel}",
    )  # fmt: skip
    assert [fault.split(": ")[1] for fault in found] == ["target.0", "target.1"] + ["target.2"] * 4


def test_one_nuclide_has_one_nuclear_model(tmp_path):
    found = target_faults(
        tmp_path, "{nucleus: O16, mass_fraction: 0.4}", "{material: water, mass_fraction: 0.6, form_factor: helm}"
    )
    assert len(found) == 1 and "mine.yaml: target: O16 of water has another form factor" in found[0]


def test_unknown_experiment_has_a_suggestion():
    with pytest.raises(InputError, match=r"unknown experiment 'cfr'; did you mean 'ccfr'.*or give the path"):
        load_experiment("cfr")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("target:", "taget:", "unknown key 'taget' in mine.yaml.*did you mean 'target'"),
        ("O16", "O17", "unknown nucleus 'O17'; did you mean 'O16'"),
        ("beam.csv", "CCFRR", "unknown flux 'CCFRR'; did you mean 'CCFR'"),
        ("uncertainty: 0.3", "uncertainty: -0.3", "uncertainty = -0.3.*greater than 0"),
        ("value: 1.1", "value: .nan", "value = nan.*finite"),
        ("value: 1.1", "value: about one", "value = 'about one'.*number"),
        ("mass_fraction: 0.6", "mass_fraction: 0.5", "mass fractions of the target sum to 0.9000; allowed: 1 within"),
        ("species: numu", "species: muon", "species = 'muon'.*'numu'"),
        ("distribution: normal", "distribution: split_normal", "needs uncertainty_low and uncertainty_high only"),
        ("uncertainty: 0.3", "uncertainty_low: 0.3", "a normal measurement needs `uncertainty`"),
        ("distribution: normal", "distribution: gaussian", "distribution = 'gaussian'.*'normal'"),
        ("observable: rate_ratio", "observable: events", "rate_ratio.*counts"),
        ("{sd: 0.2}", "{log_sd: 0.2}", "nuisance flux_tilt takes sd"),
        ("{sd: 0.2}", "{sd: 0.2, log_sd: 0.1}", "exactly one of log_sd"),
        ("flux_tilt", "flux_tlit", "unknown nuisance 'flux_tlit'; did you mean 'flux_tilt'"),
        ("lepton_plus: mu}", "lepton_plus: nu}", "lepton_plus = 'nu'"),
        ("title: My beam\n", "", "title is missing; add it"),
        ("title: My beam", "title: My beam\ntitle: Other", "not valid YAML 1.2.*duplicate key"),
        ("name: mine", "- a list", "not valid YAML"),
    ],
)  # fmt: skip
def test_strictness(tmp_path, old, new, message):
    assert old in GOOD
    found = faults(tmp_path, GOOD.replace(old, new))
    assert any(re.search(message, fault) for fault in found), found


def test_flux_file_without_units_is_refused(tmp_path):
    found = faults(tmp_path, beam=BEAM.replace("# unit: 1/GeV\n", ""))
    assert len(found) == 1 and "beam.csv: the header has no '# unit: ...' line" in found[0]
    assert "furlong" in faults(tmp_path, beam=BEAM.replace("1/GeV", "1/furlong"))[0]


def test_two_faults_come_at_once(tmp_path):
    found = faults(tmp_path, GOOD.replace("value: 1.1", "value: x").replace("mass_fraction: 0.4", "mass_fraction: 4"))
    assert len(found) == 2 and "measurement.value" in found[0] + found[1] and "target.1.mass_fraction" in found[0]
    found = faults(tmp_path, GOOD.replace("O16", "Xx1").replace("beam.csv", "nowhere.csv"))
    assert len(found) == 2 and "nowhere.csv" in found[0] and "Xx1" in found[1]


def test_fluxes_of_different_units_do_not_add(tmp_path):
    text = GOOD.replace("table: beam.csv}", "table: beam.csv}\n  - {species: numu, table: DUNE_ND_FHC}")
    assert "different units" in faults(tmp_path, text)[0]


def test_a_file_that_is_no_mapping(tmp_path):
    assert "expected a mapping" in faults(tmp_path, "- 1\n- 2\n")[0]
