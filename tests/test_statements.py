"""Statements and regions on real chains: where the boundaries lie, against closed forms, SciPy and the literature."""

import dataclasses
import functools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fixtures_statistics import OFF, analytic_model, scipy_deviance, statistical_model
from ruamel.yaml import YAML
from scipy.optimize import minimize

from tridentjax import InputError
from tridentjax.inference.build import make_model, settings_of
from tridentjax.inference.coordinates import Prior
from tridentjax.inference.limits.region import ContourSettings, Rays, find_region, make_plane
from tridentjax.inference.limits.statistics import STATISTICS, bayesian, describe, gaussian, profile_ratio
from tridentjax.runs.config import load_config

LIMITS = YAML(typ="safe", pure=True).load(Path(__file__).with_name("references") / "limits.yaml")["entries"]
Z = 1.959963984540054


def settings(**changes):
    return ContourSettings(**({"x": "mass", "y": "g", "points": 7, "samples": 24, "refinements": 0} | changes))


@functools.cache
def region(key, interest=1):
    model = statistical_model(nuisances=OFF)
    spec = settings(parameters_of_interest=interest)
    return find_region(model, make_plane(model, spec), key, spec)


def ratios(found):
    """R at the boundary, at both ends of its bracket, for every ray."""
    responses = found.model.responses({})
    at = jax.jit(lambda point: found.model.rate_ratios(point, responses)[0])
    rows = []
    for ray in found.rays:
        for b in ray.boundaries:
            rows.append([float(at(found.point(b, t))) for t in (b.t, b.t_allowed, b.t_excluded)])
    return np.asarray(rows)


# --- gaussian ------------------------------------------------------------------------------------------------


def test_gaussian_boundary_is_the_quoted_interval():
    found = region("gaussian")
    assert all(len(ray.boundaries) == 1 and ray.open_low and not ray.open_high for ray in found.rays)
    at = ratios(found)
    np.testing.assert_allclose(at[:, 0], 0.82 + Z * 0.28, rtol=1e-6)
    assert (at[:, 1] <= 0.82 + Z * 0.28).all() and (at[:, 2] > 0.82 + Z * 0.28).all()
    assert found.statement.text == "95 % CL, two-sided Gaussian in R: |R - 0.82| < 1.95996 sigma"
    assert found.experiments == ("ccfr",) and found.statement.key == "gaussian"


def limit_at(mass):
    """Coupling at the gaussian boundary for one mass."""
    model = statistical_model(nuisances=OFF)
    spec = settings(points=3)
    plane = make_plane(model, spec)
    narrow = plane.priors | {"mass": plane.priors["mass"].__class__(mass / 1.001, mass * 1.001, "loguniform")}
    found = find_region(model, plane._replace(priors=narrow), "gaussian", spec)
    (b,) = found.rays[1].boundaries
    point = found.point(b)
    assert float(point["mass"]) == pytest.approx(mass, rel=1e-12)
    return float(point["g"])


@functools.cache
def literature_limits():
    return {entry["name"]: limit_at(entry["mass"]) for entry in LIMITS}


@pytest.mark.parametrize("entry", LIMITS, ids=lambda entry: entry["name"])
def test_limits_of_the_literature(entry):
    assert literature_limits()[entry["name"]] == pytest.approx(entry["value"], rel=entry["tolerance"])


def test_contact_region():
    """m/g' = 551 +- 8 GeV in the digitised contour; ours from the closed form of the contact limit as well."""
    masses = np.asarray([entry["mass"] for entry in LIMITS if entry["mass"] > 20])
    found = masses / [literature_limits()[entry["name"]] for entry in LIMITS if entry["mass"] > 20]
    np.testing.assert_allclose(found, 551, rtol=0.03)
    found = region("gaussian")  # its last ray, 1000 GeV, is a contact interaction
    (response,) = found.model.responses({})
    VV, AA = (float(response.weights[:, i].sum()) for i in (0, 1))
    a, bound, v2 = 1 + 4 * 0.23122, 0.82 + Z * 0.28, 1 / (np.sqrt(2) * 1.1663788e-5)
    shift = np.sqrt((bound * (AA + VV * a**2) - AA) / VV) - a  # 2 v^2 g'^2/m^2
    g = float(found.point(found.rays[-1].boundaries[0])["g"])
    assert 1000 / g == pytest.approx(np.sqrt(2 * v2 / shift), rel=1e-4)


def test_ring_of_a_contact_interaction_has_two_boundaries():
    config = load_config("contact_plane", (*OFF, "contour.points=5"))
    model = make_model(config)
    assert config.contour is not None and config.contour.rays is not None
    spec = settings_of(ContourSettings, config.contour)
    found = find_region(model, make_plane(model, spec), "gaussian", spec)
    assert all([b.above for b in ray.boundaries] == [False, True] for ray in found.rays)
    at = ratios(found)[:, 0].reshape(-1, 2)
    np.testing.assert_allclose(at[:, 0], 0.82 - Z * 0.28, rtol=1e-6)
    np.testing.assert_allclose(at[:, 1], 0.82 + Z * 0.28, rtol=1e-6)


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


# --- profile -------------------------------------------------------------------------------------------------


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


def test_certified_brackets_with_all_nuisances():
    """F at both ends of a bracket and at the best point, each minimised with SciPy on the exact chain."""
    model = statistical_model()
    spec = settings(points=3, samples=16)
    plane = make_plane(model, spec)
    found = find_region(model, plane, "profile", spec)
    at = jax.jit(lambda point, z: model.ratios_at(point, z))  # noqa: PLW0108 - a bound method has no hash

    def F(ray, t):
        point = plane.point(jnp.asarray(ray.position), jnp.asarray(t))
        function = lambda z: scipy_deviance(model, at(point, jnp.asarray(z)), [0.82], [0.0]) + (z**2).sum()  # noqa: E731
        return minimize(function, np.full(7, 0.05), method="BFGS", options={"gtol": 1e-6}).fun

    for ray in found.rays[:2]:
        (b,) = ray.boundaries
        threshold = F(ray, ray.best) + 3.841458820694124
        away = max(abs(b.t_excluded - b.t_allowed), 2e-6)  # beyond the error of SciPy
        assert F(ray, b.t - away) < threshold < F(ray, b.t + away)
        assert b.above and b.excess_allowed <= 0.0 < b.excess_excluded and b.t_excluded - b.t_allowed < 1e-3


# --- credible region -----------------------------------------------------------------------------------------


def test_credible_region_holds_its_share_of_the_posterior():
    """Likelihood times a flat prior in (log mass, log g), summed on a grid of its own."""
    model = statistical_model(nuisances=OFF)
    statement = bayesian(model, 0.95, ("mass", "g"))
    responses = model.responses({})
    mass, g = np.geomspace(1e-3, 1e3, 151), np.geomspace(1e-5, 3.0, 601)
    R = jax.jit(
        jax.vmap(lambda m: jax.vmap(lambda x: model.rate_ratios({"mass": m, "g": x}, responses)[0])(jnp.asarray(g)))
    )
    F = ((np.asarray(R(jnp.asarray(mass))) - 0.82) / 0.28) ** 2 + np.log(2 * np.pi * 0.28**2)
    weight = np.exp(-0.5 * F)
    for axis in (0, 1):  # trapezoids
        ends = np.ones(weight.shape[axis])
        ends[[0, -1]] = 0.5
        weight = weight * (ends[:, None] if axis == 0 else ends[None])
    level = float(statement.levels(type("Rays", (), {"positions": np.zeros(1)})())[0])
    share = weight[level >= F].sum() / weight.sum()
    assert share == pytest.approx(0.95, abs=3e-3)  # a cell of 140 is 0.7 % of the range of log g
    point = {"mass": jnp.asarray(0.37), "g": jnp.asarray(2e-3)}
    expected = ((float(model.rate_ratios(point)[0]) - 0.82) / 0.28) ** 2 + np.log(2 * np.pi * 0.28**2)
    assert float(statement.function(point)) == pytest.approx(expected, rel=1e-12)
    assert statement.text.endswith("prior flat in log mass and log g over the range shown")


# --- names and refusals --------------------------------------------------------------------------------------


def test_statements_say_what_they_are():
    statement = profile_ratio(statistical_model(nuisances=OFF), 0.9, (0.1, 0.2, 3.0))
    assert describe(statement) == {
        "statistic": "profile", "definition": STATISTICS["profile"], "statement":
        "90 % CL, profile likelihood, 2 parameters of interest: -2 Delta ln L < 4.605",
    }  # fmt: skip
    assert statement.best == (0.1, 0.2) and statement.relative


def test_planes_that_are_refused():
    model = statistical_model(nuisances=OFF)
    with pytest.raises(InputError) as caught:
        make_plane(model, settings(x="mas", at={"g": 0.1, "h": 2.0}, rays=Rays(origin={"mass": 0.1})))
    for text in ("contour.x = 'mas'; allowed: a parameter with a prior (mass, g)", "contour.at: g is not among",
                 "contour.at: h is not among", "contour.rays.origin gives mass; needed: mas and g"):  # fmt: skip
        assert any(text in fault for fault in caught.value.faults), text
    with pytest.raises(InputError, match="x and y are both g"):
        make_plane(model, settings(x="g"))
    with pytest.raises(InputError, match=r"contour\.rays\.origin\.g = -0\.1; allowed: positive"):
        make_plane(model, settings(rays=Rays(origin={"mass": 0.1, "g": -0.1})))


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
