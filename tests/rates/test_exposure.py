"""Numbers of events: exposures, Asimov counts, the error budget and all channels of a beam."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exposed_experiment import ANTI, BEAM, OWN, SM, slopes, write
from scipy import stats

from tridentjax import InputError, Nuisances, fold, load_experiment, log_likelihood, prepare, rate_ratio
from tridentjax.experiment.load import load_beams
from tridentjax.experiment.measurement import with_signal
from tridentjax.rates.budget import theory_budget
from tridentjax.rates.exposure import channel_rates, complete, expected_events, exposure_factor, lepton_pairs
from tridentjax.theory import theories


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    return prepare(load_experiment(write(tmp_path_factory.mktemp("own"))))


# --- numbers of events ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_events_by_hand(chain):
    """Nuclei of 2.3 t of hydrogen and lead, flux times cross section summed over the nodes of the spectrum."""
    masses = {"H1": 1.007825032, "Pb208": 207.976652005}  # AME2020 [u]
    nuclei = {name: 2.3e6 * share / masses[name] * 6.02214076e23 for name, share in (("H1", 0.2), ("Pb208", 0.8))}
    response, events = fold(chain), expected_events(fold(chain), chain.experiment)
    fraction = dict(zip(("H1", "Pb208"), chain.experiment.number_fractions, strict=True))
    beam = (3e-6 + 1e-6) * 4 + (5e-7 + 2e-7) * 12  # neutrinos/m^2/POT
    sigma = np.asarray((response.weights * jnp.asarray(SM)[None, :, None]).sum((1, 2)))
    for component, found, average in zip(response.components, events, sigma, strict=True):
        per_nucleus = average / fraction[component.nucleus]
        expected = per_nucleus * beam * 1e-4 * 7.0e22 * nuclei[component.nucleus]
        assert float(found) == pytest.approx(expected, rel=1e-9, abs=0.0)


@pytest.mark.slow
def test_events_of_a_theory_are_those_of_the_standard_model_times_R(chain):
    response, parameters = fold(chain), {"mass": jnp.asarray(0.3), "g": jnp.asarray(2e-3)}
    ratio = rate_ratio(response, theories.zprime, parameters)
    ours = expected_events(response, chain.experiment, theories.zprime, parameters).sum()
    np.testing.assert_allclose(ours, ratio * expected_events(response, chain.experiment).sum(), rtol=1e-12)


def test_mass_amount_and_efficiency_scale_the_events(tmp_path, chain):
    text = OWN.replace("2300, unit: kg", "4.6, unit: tonne").replace("7.0e22", "2.1e23")
    other = load_experiment(write(tmp_path, text))
    assert exposure_factor(other) == pytest.approx(6.0 * exposure_factor(chain.experiment), rel=1e-12)
    assert other.exposure.years == pytest.approx(0.2, rel=1e-12)
    small = OWN.replace("0.2}, {nucleus: Pb208, mass_fraction: 0.8}", "1.0}").replace(ANTI, "")
    both = small, small.replace("measurement:", "efficiency: 0.37\nmeasurement:")
    chains = [prepare(load_experiment(write(tmp_path, text))) for text in both]
    events = [float(expected_events(fold(c), c.experiment).sum()) for c in chains]
    assert events[1] / events[0] == pytest.approx(0.37, rel=1e-9)


@pytest.fixture(scope="module")
def counted(chain):
    """Total number of events as a function of (stretch, tilt, coherent, incoherent), compiled."""

    @jax.jit
    def events(x):
        nuisances = Nuisances(x[0], x[1], coherent_normalisation=x[2], incoherent_normalisation=x[3])
        return expected_events(fold(chain, nuisances), chain.experiment).sum()

    return events


@pytest.mark.slow
def test_events_follow_the_nuisances(chain, counted):
    """A tilt changes the number of neutrinos too; forward, reverse and finite differences agree."""
    x = jnp.asarray([1.07, -0.4, 0.9, 1.2])
    reverse = jax.jit(jax.grad(counted))(x)
    np.testing.assert_allclose(jax.jit(jax.jacfwd(counted))(x), reverse, rtol=1e-11)
    np.testing.assert_allclose(slopes(counted, x), reverse, rtol=1e-7)
    energy = np.concatenate([np.asarray(flux.energy) / flux.pivot for flux in chain.experiment.fluxes])
    weight = np.concatenate([np.asarray(flux.weight) for flux in chain.experiment.fluxes])
    tilted = fold(chain, Nuisances(flux_tilt=-0.4))
    np.testing.assert_allclose(tilted.flux_integral, weight @ energy**-0.4, rtol=1e-12)


def test_no_exposure_no_events():
    with pytest.raises(InputError, match=r"ccfr has no exposure; add exposure: \{target_mass, amount\} to its file"):
        exposure_factor(load_experiment("ccfr"))


@pytest.mark.slow
def test_dune_makes_the_published_number_of_dimuons():
    """About 240 a year in 147 t before cuts (1902.06765), of an exposure and a spectrum that it does not give."""
    dune = prepare(load_experiment("dune_fhc"))
    response = fold(dune)
    events = expected_events(response, dune.experiment)
    numu = sum(float(n) for c, n in zip(response.components, events, strict=True) if c.species == "numu")
    assert numu == pytest.approx(240, rel=0.1) and float(events.sum()) == pytest.approx(240, rel=0.3)


# --- Asimov counts -------------------------------------------------------------------------------------------


def test_asimov_count_is_background_plus_signal(chain):
    measurement = chain.experiment.measurement
    assert measurement.missing == ("value", "signal_sm") and measurement.kind == "projection"
    assert measurement.notice == "projection, not data"
    with pytest.raises(ValueError, match="value and signal_sm missing"):
        log_likelihood(measurement, 1.0)
    done = complete(chain).experiment.measurement
    events = float(expected_events(fold(chain), chain.experiment).sum())
    assert (done.signal_sm, done.value, done.missing) == (events, 1.7 + events, ())
    expected = done.value * np.log(1.7 + 1.3 * events) - 1.7 - 1.3 * events - float(jax.lax.lgamma(done.value + 1))
    expected += stats.norm(1.7, 0.6).logpdf(1.7)
    np.testing.assert_allclose(log_likelihood(done, 1.3, 1.7), expected, rtol=1e-12)
    best = [float(log_likelihood(done, R)) for R in (0.9, 1.0, 1.1)]
    assert best[1] > max(best[0], best[2])
    assert complete(complete(chain)).experiment.measurement == done


def test_only_what_is_missing_is_filled_in(chain):
    measured = dataclasses.replace(chain.experiment.measurement, value=12.0, missing=("signal_sm",), kind="measurement")
    done = with_signal(measured, 4.4)
    assert (done.value, done.signal_sm, done.kind) == (12.0, 4.4, "measurement")
    asimov = dataclasses.replace(chain.experiment.measurement, signal_sm=3.1, missing=("value",))
    assert with_signal(asimov, 99.0).value == pytest.approx(4.8, rel=1e-14)
    ratio = load_experiment("dune_0p25").measurement
    assert with_signal(ratio, 99.0) == ratio and ratio.kind == "projection"


# --- error budget --------------------------------------------------------------------------------------------


# --- all channels --------------------------------------------------------------------------------------------


def test_pairs_of_a_species():
    assert lepton_pairs("numu") == [("e", "e"), ("mu", "e"), ("mu", "mu"), ("mu", "tau"), ("tau", "tau")]
    assert lepton_pairs("antinue") == [("e", "e"), ("mu", "e"), ("mu", "mu"), ("tau", "e"), ("tau", "tau")]


@pytest.mark.slow
def test_dimuon_channel_is_the_experiment(chain, tmp_path):
    beams = load_beams(write(tmp_path))
    found = list(channel_rates(chain.experiment, beams, [("mu", "mu")]))
    assert [item.channel.name for item in found] == ["numu -> mu- mu+", "antinumu -> mu- mu+"]
    total = expected_events(fold(chain), chain.experiment).sum()
    np.testing.assert_allclose(sum(item.events for item in found), total, rtol=1e-6)  # kernels of the same range
    budget = theory_budget(chain)
    shares = [item.events / float(total) for item in found]
    mean = sum(share * item.budget.coherent for share, item in zip(shares, found, strict=True))
    np.testing.assert_allclose(mean, budget.coherent, rtol=1e-6)


def test_closed_channels_are_left_out(chain, tmp_path):
    """Pairs with a tau start at 3.5 GeV; this beam ends at 2."""
    beam = BEAM.replace("5,9", "0.6,1.1").replace("9,21", "1.1,2.0")
    own = load_experiment(write(tmp_path, beam=beam))
    assert list(channel_rates(own, load_beams(tmp_path / "own.yaml"), [("tau", "tau")])) == []


@pytest.mark.slow
def test_beam_that_reaches_the_threshold_on_nuclei_only(chain, tmp_path):
    """Dimuons start at 0.2114 GeV on lead and at 0.2356 GeV on a proton."""
    own = load_experiment(write(tmp_path, beam=BEAM.replace("5,9", "0.1,0.15").replace("9,21", "0.15,0.23")))
    found = list(channel_rates(own, own.fluxes, [("mu", "mu")]))
    assert len(found) == 2
    for item in found:
        assert 0.0 < item.events < 1e-6 * float(expected_events(fold(chain), chain.experiment).sum())
        assert item.budget.coherent == pytest.approx(0.06, rel=1e-12) and item.budget.incoherent == 0.0


def test_beams_of_a_table_that_the_experiment_does_not_use(tmp_path):
    text = OWN.replace("flux: [{species: numu, table: beam.csv}, {species: antinumu", "flux: [{species: antinumu")
    assert [f.species for f in load_experiment(write(tmp_path, text)).fluxes] == ["antinumu"]
    beams = load_beams(write(tmp_path, text))
    assert sorted((f.species, f.name) for f in beams) == [("antinumu", "beam"), ("numu", "beam")]
    empty = BEAM.replace(",numu,", ",nue,").replace("3e-6", "0").replace("5e-7", "0")
    assert [f.species for f in load_beams(write(tmp_path, text, empty))] == ["antinumu"]


# --- refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("unit: POT", "unit: fb^-1", r"own.yaml: exposure.amount is in fb\^-1, the flux in 1/GeV/m\^2/POT; give the"),
        ("2300, unit: kg", "2300, unit: lb", "exposure.target_mass.unit = 'lb'.*'kg' or 'tonne'"),
        ("value: 2300", "value: 0", "exposure.target_mass.value = 0: .*greater than 0"),
        ("73.05, unit: day", "73.05, unit: week", "exposure.duration.unit = 'week'.*'year' or 'day'"),
        ("target_mass: {value: 2300, unit: kg, status: invented}", "", "exposure.target_mass is missing; add it"),
    ],
)
def test_bad_exposure(tmp_path, old, new, message):
    assert old in OWN
    with pytest.raises(InputError, match=message):
        load_experiment(write(tmp_path, OWN.replace(old, new)))


def test_a_relative_flux_has_no_events(tmp_path):
    with pytest.raises(InputError, match="a relative flux gives no events: leave the exposure out or use an absolute"):
        load_experiment(write(tmp_path, beam=BEAM.replace("1/GeV/m^2/POT", "1/GeV")))


def test_a_signal_from_the_flux_needs_an_exposure(tmp_path):
    start, end = OWN.index("exposure:"), OWN.index("measurement:")
    with pytest.raises(InputError, match=r"measurement.signal_sm = flux needs an exposure; add exposure"):
        load_experiment(write(tmp_path, OWN[:start] + OWN[end:]))
