"""Models and settings of records, without a config."""

import jax.numpy as jnp
import numpy as np
import pytest
from fixtures_statistics import OFF, statistical_model

from tridentjax.experiment.load import load_experiment
from tridentjax.experiment.measurement import Nuisance
from tridentjax.faults import InputError
from tridentjax.inference.build import build_model, settings_of
from tridentjax.inference.checks.calibration import CalibrationSettings
from tridentjax.inference.coordinates import Prior
from tridentjax.inference.limits.region import ContourSettings
from tridentjax.inference.nuisances import Correlation
from tridentjax.inference.posterior import Sampling
from tridentjax.schema.calibration import CalibrationSpec
from tridentjax.schema.contour import ContourSpec
from tridentjax.schema.run import SamplerSpec
from tridentjax.theory.binding import Range, bind_theory


def built(*experiments, priors=None, **changes):
    priors = (
        {"mass": Prior(2e-3, 40.0, "loguniform"), "g": Prior(1e-5, 0.7, "loguniform")} if priors is None else priors
    )
    theory = bind_theory("zprime", {"mass": Range(2e-3, 40.0), "g": Range(1e-5, 0.7)})
    loaded = [load_experiment(name) for name in experiments]
    return build_model(experiments=loaded, theory=theory, priors=priors, **changes)


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
