"""The packaged experiments hold what their papers say, with status, sharing and variants."""

import numpy as np
import pytest

from tridentjax import experiment_names, load_experiment
from tridentjax.files import data_folder


def test_all_packaged_experiments_load():
    assert experiment_names() == (
        "ccfr", "charm2", "charm2_0p64", "dune_0p25", "dune_0p40", "dune_fhc", "dune_rhc", "fasernu", "fasernu2",
        "nova", "nutev", "nutev_1998",
    )  # fmt: skip
    for name in experiment_names():
        experiment = load_experiment(name)
        assert experiment.name == name and experiment.reference and experiment.measurement.status
        assert (experiment.lepton_minus, experiment.lepton_plus) == ("mu", "mu")
        np.testing.assert_allclose(sum(experiment.number_fractions), 1.0, rtol=1e-12)
        theory = {"nuclear_radius": "nucleus", "nuclear_diffuseness": "nucleus", "coherent_normalisation": "all",
                  "incoherent_normalisation": "all", "sin2_theta_w": "all"}  # fmt: skip
        shape = {"flux_stretch": "own", "flux_tilt": "own"} if name[:4] in ("ccfr", "char", "nute") else {}
        assert {key: nuisance.shared for key, nuisance in experiment.nuisances.items()} == theory | shape
        assert f"{experiment.reference}:" in (data_folder() / "references.yaml").read_text()


# what the papers say, typed in from them (experiments.md section 1)
@pytest.mark.parametrize(
    ("name", "value", "low", "high", "distribution"),
    [
        ("ccfr", 0.82, 0.28, 0.28, "normal"),
        ("charm2", 1.58, 0.57, 0.57, "normal"),
        ("charm2_0p64", 1.58, 0.64, 0.64, "normal"),
        ("nutev", 0.72, 0.72, 1.73, "split_normal"),
        ("dune_0p40", 1.0, 0.40, 0.40, "normal"),
        ("dune_0p25", 1.0, 0.25, 0.25, "normal"),
        ("dune_rhc", 1.0, 0.40, 0.40, "normal"),
    ],
)
def test_ratios_of_record(name, value, low, high, distribution):
    m = load_experiment(name).measurement
    assert (m.value, m.uncertainty_low, m.uncertainty_high, m.distribution) == (value, low, high, distribution)
    assert (m.observable, m.unit) == ("rate_ratio", "1")
    assert m.kind == ("projection" if name.startswith("dune") else "measurement")


def test_counts_of_record():
    m = load_experiment("nutev_1998").measurement
    assert (m.value, m.background, m.background_uncertainty, m.signal_sm) == (17, 9.8, 2.9, 10.8)
    assert (m.observable, m.distribution, m.unit, m.kind) == ("counts", "poisson", "events", "measurement")
    assert not m.includes_theory_error and load_experiment("charm2_0p64").measurement.includes_theory_error


def test_limit_of_record():
    m = load_experiment("nova").measurement
    assert (m.value, m.confidence_level) == (1.95, 0.90)
    assert (m.observable, m.distribution, m.unit, m.kind) == ("upper_limit", "half_normal", "1", "measurement")
    assert "surrogate" in m.status


@pytest.mark.parametrize(("name", "mass", "luminosity"), [("fasernu", 1.2, 150), ("fasernu2", 10, 3000)])
def test_projected_counts_of_record(name, mass, luminosity):
    experiment = load_experiment(name)
    m, exposure = experiment.measurement, experiment.exposure
    assert (m.kind, m.missing, m.background, m.background_uncertainty) == ("projection", ("value", "signal_sm"), 0, 0)
    assert (exposure.target_mass, exposure.amount, exposure.amount_unit) == (mass, luminosity, "fb^-1")
    assert {nucleus.name for nucleus in experiment.nuclei} == {"W182", "W183", "W184", "W186"}


def test_beams_of_dune():
    for name, table in (("dune_0p40", "DUNE_ND_120"), ("dune_fhc", "DUNE_ND_FHC"), ("dune_rhc", "DUNE_ND_RHC")):
        experiment = load_experiment(name)
        assert [(f.species, f.name) for f in experiment.fluxes] == [("numu", table), ("antinumu", table)]
        assert [nucleus.name for nucleus in experiment.nuclei] == ["Ar40"]
        assert (experiment.exposure is None) == (name == "dune_0p40")
    assert load_experiment("dune_fhc").exposure.status.endswith("recalled, not confirmed")


def test_variants_of_one_measurement_say_so():
    by_data = {}
    for name in experiment_names():
        by_data.setdefault(load_experiment(name).data_set, set()).add(name)
    assert sorted(map(sorted, by_data.values())) == [
        ["ccfr"], ["charm2", "charm2_0p64"], ["dune_0p25", "dune_0p40", "dune_fhc", "dune_rhc"], ["fasernu"],
        ["fasernu2"], ["nova"], ["nutev", "nutev_1998"],
    ]  # fmt: skip


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
