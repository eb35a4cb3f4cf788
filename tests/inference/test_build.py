"""How a config becomes a model: auxiliary terms, variants of one data set, theory errors."""

import re

import jax.numpy as jnp
import numpy as np
import pytest
from fixtures_statistics import OFF, expanded_model, statistical_model

from tridentjax import Belle2Assumptions, InputError, belle2_log_likelihood
from tridentjax.experiment.load import load_experiment
from tridentjax.experiment.measurement import Nuisance
from tridentjax.inference.build import build_model, make_model, settings_of
from tridentjax.inference.checks.calibration import CalibrationSettings
from tridentjax.inference.coordinates import Prior
from tridentjax.inference.limits.region import ContourSettings
from tridentjax.inference.nuisances import Correlation
from tridentjax.inference.posterior import Sampling
from tridentjax.runs.config import load_config
from tridentjax.schema.calibration import CalibrationSpec
from tridentjax.schema.contour import ContourSpec
from tridentjax.schema.run import SamplerSpec
from tridentjax.theory.binding import Range, bind_theory


def experiments(*names):
    return [load_experiment(name) for name in names]


@pytest.mark.parametrize("names", ["[nutev_1998, nutev]", "[ccfr, charm2, charm2_0p64]"])
def test_variants_of_one_data_set_are_refused(names):
    with pytest.raises(InputError, match=r"variants of the same data \(.*\), which would count twice; keep one"):
        make_model(load_config("zprime_ccfr", (f"experiments={names}",)))


@pytest.mark.slow
def test_theory_error_is_counted_once():
    """At the Standard Model ccfr, whose error holds that of the theory, stays at 1; nutev_1998 follows the rate."""
    assert [x.measurement.includes_theory_error for x in experiments("ccfr", "charm2", "nutev_1998")] == [
        True, False, False
    ]  # fmt: skip
    off = {"mass": jnp.asarray(0.3), "g": jnp.asarray(0.0)}

    def at(coherent, incoherent):
        values = {"coherent_normalisation": jnp.asarray(coherent), "incoherent_normalisation": jnp.asarray(incoherent)}
        return [float(expanded_model(name).rate_ratios(off | values)[0]) for name in ("ccfr", "nutev_1998")]

    np.testing.assert_allclose(at(1.0, 1.0), 1.0, rtol=1e-14)
    share = (at(1.23, 1.0)[1] - 1) / 0.23  # of the coherent rate
    assert 0.5 < share < 1.0
    for coherent, incoherent in ((0.93, 1.4), (1.08, 0.66), (1.31, 1.31)):
        ccfr, nutev = at(coherent, incoherent)
        assert ccfr == pytest.approx(1.0, rel=1e-14)
        assert nutev == pytest.approx(share * coherent + (1 - share) * incoherent, rel=1e-12)


LOOP = "params.loop_mixing={value: true}"


@pytest.mark.slow
def test_auxiliary_term_is_off_unless_asked_for_and_adds_to_the_likelihood():
    values = {"mass": jnp.asarray(0.13), "g": jnp.asarray(4.1e-4)}
    without, with_term = (
        make_model(load_config("zprime_ccfr", ("nuisances=false", LOOP, *extra)))
        for extra in ((), ("auxiliary.belle2={background: 2.5, min_energy: 1.8}",))
    )
    assert without.auxiliary is None
    term = belle2_log_likelihood({**values, "loop_mixing": True}, Belle2Assumptions(background=2.5, min_energy=1.8))
    found = with_term.log_likelihood(values) - without.log_likelihood(values)
    assert float(found) == pytest.approx(float(term), rel=1e-12) and float(term) < -2.0


@pytest.mark.parametrize(
    ("config", "settings", "text"),
    [
        ("zprime_ccfr", (), "does not couple to electrons; set loop_mixing to true or give kinetic_mixing"),
        ("contact_plane", (), "theory contact has no e+e- -> gamma X; it needs zprime"),
        ("zprime_ccfr", (LOOP, "auxiliary.belle2.efficiency=1.7"), "efficiency = 1.7; allowed: above 0, up to 1"),
    ],
)
def test_auxiliary_terms_that_are_refused(config, settings, text):
    with pytest.raises(InputError, match=re.escape(text)):
        make_model(load_config(config, ("auxiliary.belle2.background=1.5", *settings)))


# --- records, without a config -------------------------------------------------------------------------------


def built(*experiments, priors=None, **changes):
    priors = (
        {"mass": Prior(2e-3, 40.0, "loguniform"), "g": Prior(1e-5, 0.7, "loguniform")} if priors is None else priors
    )
    theory = bind_theory("zprime", {"mass": Range(2e-3, 40.0), "g": Range(1e-5, 0.7)})
    loaded = [load_experiment(name) for name in experiments]
    return build_model(experiments=loaded, theory=theory, priors=priors, **changes)


@pytest.mark.slow
def test_a_model_of_records_has_the_likelihood_of_its_config():
    model, at = built("ccfr", nuisances=False), {"mass": jnp.asarray(0.31), "g": jnp.asarray(2.3e-3)}
    assert float(model.log_likelihood(at)) == pytest.approx(float(statistical_model("ccfr", OFF).log_likelihood(at)))
    assert model.names == ("mass", "g") and model.nuisances == {} and model.edge is None
    assert (model.units["mass"], model.units["g"]) == ("GeV", "1")


def test_nuisances_change_and_correlate():
    tilt, names = Nuisance(0.37, False, "wider", ""), ("flux_tilt_nutev_1998", "coherent_normalisation")
    model = built(
        "nutev_1998",
        nuisances={"flux_tilt": tilt, "nuclear_radius": None},
        correlations=[Correlation(names, [[1.0, -0.6], [-0.6, 1.0]])],
    )
    assert model.nuisances[names[0]].width == 0.37 and model.nuisances[names[0]].shared == "own"
    assert "nuclear_radius" not in model.nuisances and model.profiled == model.ordered[:-1]
    background = model.nuisances["background_nutev_1998"]
    assert (background.part, background.centre, background.width) == ("background", 9.8, 2.9)
    assert model.background_names == ("background_nutev_1998",) and model.units["background_nutev_1998"] == "events"
    place = [model.ordered.index(name) for name in names]
    matrix = np.asarray(model.correlation @ model.correlation.T)
    assert matrix[place[0], place[1]] == pytest.approx(-0.6)
    assert float(model.nuisance_values(jnp.zeros(len(model.ordered)))["sin2_theta_w"]) == pytest.approx(
        0.2312, abs=2e-3
    )


def test_every_fault_of_the_records_at_once():
    with pytest.raises(InputError) as caught:
        built("ccfr", "ccfr", priors={}, nuisances={"charm": None}, edge=("g", "mass"))
    text = "\n".join(caught.value.faults)
    assert len(caught.value.faults) == 5 and "ccfr is named twice" in text and "nothing is sampled" in text
    assert "nuisances.charm: no experiment" in text and "sampler.edge = 'g'" in text and "sampler.along" in text


@pytest.mark.parametrize(
    ("record", "block"),
    [
        (Sampling(), SamplerSpec()),
        (CalibrationSettings(), CalibrationSpec()),
        (ContourSettings("mass", "g"), ContourSpec(x="mass", y="g")),
    ],
    ids=["sampler", "calibration", "contour"],
)
def test_records_and_config_blocks_have_the_same_defaults(record, block):
    assert settings_of(type(record), block) == record
