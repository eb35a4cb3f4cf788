"""Experiment files: what the packaged ones hold, what a user's own may say, and every refusal."""

import re
from textwrap import dedent
from typing import get_args

import numpy as np
import pytest

from tridentjax import InputError, load_experiment, load_flux
from tridentjax.nucleus.form_factors import Helm
from tridentjax.nucleus.materials import load_material
from tridentjax.nucleus.nuclei import FORM_FACTORS
from tridentjax.schema.experiment import FormFactorName

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
      unit: "1"
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
        ("  unit: \"1\"\n", "", r"measurement.unit is missing; add it \('1' for a rate_ratio or an upper_limit\)"),
        ('unit: "1"', "unit: events", "measurement.unit = 'events'.*'1'"),
        ("  uncertainty: 0.3\n", "", "a normal measurement needs `uncertainty`"),
        ("{sd: 0.2}", "{sd: 0.2, shared: some}", "flux_tilt.shared = 'some'.*'own', 'nucleus' or 'all'"),
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


RATIO = GOOD[GOOD.index("  observable") : GOOD.index("nuisances")]
COUNTS = """\
  {observable: counts, distribution: poisson, unit: events, observed: 12, background: 3.3,
   background_uncertainty: 1.2, signal_sm: 7.1, includes_theory_error: false, status: invented}
"""
LIMIT = """\
  {observable: upper_limit, distribution: half_normal, unit: "1", value: 2.3, confidence_level: 0.95,
   includes_theory_error: true, status: invented}
"""


@pytest.mark.parametrize(
    ("text", "old", "new", "message"),
    [
        (
            COUNTS,
            "observed: 12",
            "observed: -3",
            r"measurement\.observed = -3: allowed: a whole number >= 0, or asimov",
        ),
        (COUNTS, "observed: 12", "observed: 1.5", r"measurement\.observed = 1\.5: allowed: a whole number"),
        (COUNTS, "observed: 12", "observed: true", r"measurement\.observed = True: allowed: a whole number"),
        (COUNTS, "background: 3.3", "background: -1", r"measurement\.background = -1: .*greater than or equal to 0"),
        (COUNTS, "background_uncertainty: 1.2, ", "", r"measurement\.background_uncertainty is missing; add it"),
        (COUNTS, "unit: events, ", "", r"measurement\.unit is missing; add it \(events for counts\)"),
        (COUNTS, "signal_sm: 7.1", "signal_sm: 0", r"measurement\.signal_sm = 0: allowed: a number > 0, or flux"),
        (COUNTS, "signal_sm: 7.1", "sgnal_sm: 7.1", r"unknown key 'sgnal_sm'.*did you mean 'signal_sm'"),
        (LIMIT, "confidence_level: 0.95", "confidence_level: 95", r"measurement\.confidence_level = 95.*less than 1"),
        (LIMIT, "confidence_level: 0.95,", "", r"measurement\.confidence_level is missing"),
        (LIMIT, "value: 2.3", "value: 0", r"measurement\.value = 0: .*greater than 0"),
    ],
)
def test_counts_and_limits_are_strict(tmp_path, text, old, new, message):
    good = GOOD.replace(RATIO, text)
    assert load_experiment(write(tmp_path, good)).measurement.value in (12.0, 2.3) and old in text
    found = faults(tmp_path, good.replace(old, new))
    assert any(re.search(message, fault) for fault in found), found


def test_asimov_count_with_a_known_signal(tmp_path):
    m = load_experiment(
        write(tmp_path, GOOD.replace(RATIO, COUNTS.replace("observed: 12", "observed: asimov")))
    ).measurement
    assert (m.value, m.signal_sm, m.kind, m.missing) == (pytest.approx(10.4), 7.1, "projection", ())


def test_sharing_of_a_nuisance_can_be_declared(tmp_path):
    assert load_experiment(write(tmp_path)).nuisances["flux_tilt"].shared == "own"
    text = GOOD.replace("{sd: 0.2}", "{sd: 0.2, shared: nucleus}")
    assert load_experiment(write(tmp_path, text)).nuisances["flux_tilt"].shared == "nucleus"


@pytest.mark.parametrize(
    ("beam", "threshold"),
    [
        ("4,8,0.5\n8,16,0.25", None),
        ("0.1,0.15,2.0\n0.15,0.21,0.5", r"mine\.yaml: flux beam of numu ends at 0\.21 GeV, below the threshold of a "
         r"mu- mu\+ pair, 0\.2114 GeV on Pb208: there are no events"),
    ],
)  # fmt: skip
def test_flux_that_ends_below_threshold(tmp_path, beam, threshold):
    """2 m_mu (2 m_mu + 2 M)/(2 M) = 0.21143 GeV on lead."""
    table = BEAM[: BEAM.index("4,8")] + beam + "\n"
    if threshold is None:
        assert load_experiment(write(tmp_path, beam=table)).fluxes[0].range[1] > 4.0
    else:
        found = faults(tmp_path, beam=table)
        assert len(found) == 1 and re.search(threshold, found[0]), found


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
