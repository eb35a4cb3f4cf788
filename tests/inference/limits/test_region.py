"""Statements and regions on real chains: where the boundaries lie, against closed forms, SciPy and the literature."""

import functools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fixtures_statistics import OFF, scipy_deviance, statistical_model
from regions import ratios, region, settings
from ruamel.yaml import YAML
from scipy.optimize import minimize

from tridentjax import InputError
from tridentjax.inference.build import make_model, settings_of
from tridentjax.inference.limits.region import ContourSettings, Rays, find_region, make_plane
from tridentjax.inference.limits.statistics import bayesian
from tridentjax.runs.config import load_config

LIMITS = YAML(typ="safe", pure=True).load(Path(__file__).parents[2] / "references" / "limits.yaml")["entries"]
Z = 1.959963984540054


# --- gaussian ------------------------------------------------------------------------------------------------


@pytest.mark.slow
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


@pytest.mark.few(1)
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


@pytest.mark.slow
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


# --- profile -------------------------------------------------------------------------------------------------


@pytest.mark.slow
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


@pytest.mark.slow
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
