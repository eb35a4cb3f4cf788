"""Statements: what each statistic is, against closed forms."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from fixtures_statistics import OFF, analytic_model, statistical_model
from regions import ratios, region, settings

from tridentjax import InputError
from tridentjax.inference.coordinates import Prior
from tridentjax.inference.limits.region import find_region, make_plane
from tridentjax.inference.limits.statistics import STATISTICS, bayesian, describe, gaussian, profile_ratio


@pytest.mark.slow
@pytest.mark.parametrize(("name", "value", "low", "high"), [
    ("nutev", 0.72, 0.72, 1.73),
    ("nutev_1998", 7.2 / 10.8, np.hypot(np.sqrt(17), 2.9) / 10.8, np.hypot(np.sqrt(17), 2.9) / 10.8),
])  # fmt: skip
def test_gaussian_of_other_measurements(name, value, low, high):
    model = statistical_model(name, OFF)
    statement = gaussian(model, 0.9)
    for mass, g in ((0.05, 1e-4), (0.05, 2.2e-3)):
        point = {"mass": jnp.asarray(mass), "g": jnp.asarray(g)}
        R = float(model.rate_ratios(point)[0])
        assert float(statement.function(point)) == pytest.approx(((R - value) / (high if value < R else low)) ** 2)
    level = float(statement.levels(type("Rays", (), {"positions": np.zeros(2)})())[0])
    assert level == pytest.approx(1.6448536269514722**2, rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(("interest", "quantile"), [(1, 3.841458820694124), (2, 5.991464547107979)])
def test_profile_boundary_without_nuisances(interest, quantile):
    """((R - 0.82)^2 - (R_min - 0.82)^2)/0.28^2 is the chi2 quantile; R >= 1 here, least at the smallest coupling."""
    found = region("profile", interest)
    model = found.model
    least = [float(model.rate_ratios(found.plane.point(jnp.asarray(ray.position), jnp.asarray(0.0)))[0])
             for ray in found.rays]  # fmt: skip
    least = np.asarray(least) if interest == 1 else np.full(len(least), min(least))
    at = ratios(found)
    rise = [((R - 0.82) ** 2 - (least - 0.82) ** 2) / 0.28**2 for R in at.T]
    np.testing.assert_allclose(rise[0], quantile, rtol=1e-6)
    assert (rise[1] <= quantile).all() and (rise[2] > quantile).all()
    assert f"{interest} parameter{'s' * (interest - 1)} of interest: -2 Delta ln L < {quantile:.3f}" in (
        found.statement.text
    )


def test_statements_say_what_they_are():
    statement = profile_ratio(statistical_model(nuisances=OFF), 0.9, (0.1, 0.2, 3.0))
    assert describe(statement) == {
        "statistic": "profile", "definition": STATISTICS["profile"], "statement":
        "90 % CL, profile likelihood, 2 parameters of interest: -2 Delta ln L < 4.605",
    }  # fmt: skip
    assert statement.best == (0.1, 0.2) and statement.relative


def test_statistics_that_a_model_does_not_have():
    model = statistical_model(nuisances=OFF)
    for priors in (model.priors | {"g": Prior(0.1, 0.02, "normal")}, model.priors | {"h": Prior(0.1, 0.2, "uniform")}):
        with pytest.raises(InputError, match="bayesian needs two parameters with uniform or loguniform priors"):
            bayesian(dataclasses.replace(model, priors=priors), 0.95, ("mass", "g"))
    with pytest.raises(InputError, match=r"gaussian is that of one experiment; set contour\.combine to false"):
        gaussian(analytic_model("ccfr", "charm2"), 0.95)
    limit = analytic_model("nova")
    with pytest.raises(InputError, match="gaussian: nova is a published limit; choose profile"):
        gaussian(limit, 0.95)
    with pytest.raises(InputError, match="cls_toys: a published limit cannot be thrown; choose cls or profile"):
        find_region(limit, make_plane(model, settings()), "cls_toys", settings())
