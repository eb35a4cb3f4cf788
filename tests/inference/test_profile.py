"""Profile likelihood against direct minimisation with SciPy, and its derivatives by the envelope theorem."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fixtures_statistics import analytic_model, expanded_model, scipy_deviance
from scipy.optimize import minimize
from toy_model import SLOPES, toy_model

from tridentjax.inference.data import Data, deviances, observed
from tridentjax.inference.profile import profile

POINTS = [(0.0137, 7.9e-4), (0.41, 2.3e-3), (37.0, 0.081)]


def by_scipy(model, data, ratios):
    """Smallest F, and where."""

    def F(z):
        return (
            scipy_deviance(model, ratios(jnp.asarray(z)), data.value, data.background) + ((z - data.centre) ** 2).sum()
        )

    best = minimize(F, data.centre + 0.1, method="BFGS", options={"gtol": 1e-6})
    return best.fun, best.x


def thrown(model, seed):
    """Data that are none of the observed ones; counts stay whole."""
    rng = np.random.default_rng(seed)
    data = observed(model)
    counts = np.asarray([c.experiment.measurement.observable == "counts" for c in model.chains])
    value = np.where(counts, rng.poisson(19.0, counts.size), data.value + 0.3 * rng.normal(size=counts.size))
    background = np.where(counts, data.background + 2.0 * rng.normal(size=counts.size), 0.0)
    return Data(*(jnp.asarray(x, dtype=float) for x in (value, background, 0.6 * rng.normal(size=data.centre.size))))


@functools.cache
def kept(*experiments, nuisances=2):
    return analytic_model(*experiments, nuisances=nuisances)


# --- the chain of an experiment ------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param("ccfr", marks=pytest.mark.slow), "nutev_1998"])
def test_profile_of_an_experiment_with_all_nuisances(name):
    model = expanded_model(name)
    function = compiled_experiment(name)
    ratios_at = jax.jit(lambda values, z: model.ratios_at(values, z))  # noqa: PLW0108 - a bound method has no hash
    for (mass, g), data in zip(POINTS, (observed(model), thrown(model, 1), thrown(model, 2)), strict=True):
        point = {"mass": jnp.asarray(mass), "g": jnp.asarray(g)}
        (F, found), slopes = function(point, data, data.centre)
        expected, z = by_scipy(model, data, functools.partial(ratios_at, point))
        assert bool(found.converged) and float(F) == float(found.deviance)
        assert float(F) == pytest.approx(expected, rel=1e-9)
        np.testing.assert_allclose(found.z, z, atol=2e-4)
        for key, x in point.items():
            h = 1e-4 * float(x)
            up, down = (float(function(point | {key: x + s * h}, data, data.centre)[0][0]) for s in (1, -1))
            assert float(slopes[key]) == pytest.approx((up - down) / (2 * h), rel=2e-6)


@functools.cache
def compiled_experiment(name):
    model = expanded_model(name)

    def F(point, data, start):
        found = profile(model, data, model.ratios_at, point, start)
        return found.deviance, found

    return jax.jit(jax.value_and_grad(F, has_aux=True))


# --- the search, on rate ratios in closed form ---------------------------------------------------------------

SETS = [("ccfr",), ("nutev",), ("nutev_1998",), ("nutev_1998", "charm2", "nutev", "ccfr")]


def analytic(names):
    model = kept(*names, nuisances=3 if len(names) > 1 else 2)

    def F(point, data, start):
        found = profile(model, data, model.ratios_at, point, start)
        return found.deviance, found

    return model, F


@pytest.mark.few(2)
@pytest.mark.parametrize("names", SETS, ids="+".join)
def test_profile_of_closed_forms(names):
    model, F = analytic(names)
    function = jax.jit(jax.value_and_grad(F, has_aux=True))
    ratios_at = jax.jit(lambda values, z: model.ratios_at(values, z))  # noqa: PLW0108 - a bound method has no hash
    for seed, g in ((3, 0.02), (4, 0.63), (5, 2.9)):
        data, point = thrown(model, seed), {"g": jnp.asarray(g)}
        (value, found), slope = function(point, data, data.centre)
        expected, z = by_scipy(model, data, functools.partial(ratios_at, point))
        assert bool(found.converged)
        assert float(value) == pytest.approx(expected, rel=1e-9)
        np.testing.assert_allclose(found.z, z, atol=1e-4)
        up, down = (float(function({"g": jnp.asarray(g + s * 1e-5)}, data, data.centre)[0][0]) for s in (1, -1))
        assert float(slope["g"]) == pytest.approx((up - down) / 2e-5, rel=1e-5, abs=1e-7)
        for start in (-2.0, 1.7):  # where the search begins does not matter
            (other, again), _ = function(point, data, data.centre + start)
            assert bool(again.converged) and float(other) == pytest.approx(float(value), abs=1e-11)
            np.testing.assert_allclose(again.z, found.z, atol=1e-5)


@pytest.mark.slow
def test_many_points_at_once():
    model, F = analytic(SETS[1])
    data = thrown(model, 8)
    one = jax.jit(lambda g: F({"g": g}, data, data.centre)[1])
    many = jax.jit(jax.vmap(lambda g: F({"g": g}, data, data.centre)[1]))
    g = jnp.asarray([3e-3, 0.21, 0.87, 3.3])
    loop = [one(x) for x in g]
    together = many(g)
    np.testing.assert_allclose(together.deviance, [x.deviance for x in loop], rtol=1e-13)
    np.testing.assert_allclose(together.z, np.stack([x.z for x in loop]), atol=1e-9)
    assert together.converged.all()
    with jax.disable_jit():
        eager = F({"g": g[1]}, data, data.centre)[1]
    assert float(eager.deviance) == pytest.approx(float(loop[1].deviance), rel=1e-13)


@pytest.mark.parametrize("distance", [-1e-3, -1e-9, 0.0, 1e-9, 1e-3])
def test_split_normal_at_its_kink(distance):
    """The prediction is (nearly) the measured value: the curvature jumps there, F and dF/dg do not."""
    model = kept("nutev")
    data = observed(model)
    point = {"g": jnp.asarray(0.72 - 1.0 + distance)}
    (value, found), slope = kink()(point, data, data.centre)
    expected, _ = by_scipy(model, data, functools.partial(model.ratios_at, point))
    assert bool(found.converged) and float(value) == pytest.approx(expected, abs=1e-9)
    sd = 1.73 if distance > 0 else 0.72
    assert float(slope["g"]) == pytest.approx(2 * distance / sd**2, rel=0.05, abs=1e-12)


@functools.cache
def kink():
    return jax.jit(jax.value_and_grad(analytic(("nutev",))[1], has_aux=True))


@pytest.mark.slow
def test_without_nuisances():
    model = kept("ccfr", "nutev_1998", nuisances=0)
    data = observed(model)
    assert data.centre.shape == (0,)
    for g in (0.13, 1.9):
        found = profile(model, data, model.ratios_at, {"g": jnp.asarray(g)})
        ratios = np.asarray([1 + g, 1 + 0.8 * g])
        assert float(found.deviance) == pytest.approx(
            scipy_deviance(model, ratios, [0.82, 17.0], [0.0, 9.8]), rel=1e-10
        )
        assert found.z.shape == (0,) and bool(found.converged)
    slope = jax.grad(lambda g: profile(model, data, model.ratios_at, {"g": g}).deviance)(jnp.asarray(0.4))
    assert np.isfinite(float(slope)) and float(slope) > 0


def test_deviance_of_each_experiment():
    model = kept(*SETS[-1])
    data, ratios = thrown(model, 12), jnp.asarray([0.7, 1.4, 2.1, 0.3])
    own = deviances(model, data, ratios)
    for i, name in enumerate(SETS[-1]):
        one = kept(name)
        expected = scipy_deviance(one, ratios[i : i + 1], data.value[i : i + 1], data.background[i : i + 1])
        assert float(own[i]) == pytest.approx(expected, rel=1e-10)


def test_observed_data():
    data = observed(kept(*SETS[-1]))
    assert data.value.tolist() == [17.0, 1.58, 0.72, 0.82] and data.background.tolist() == [9.8, 0.0, 0.0, 0.0]
    assert data.centre.tolist() == [0.0, 0.0]


def test_precise_measurement_that_nuisances_can_explain():
    """However far off in its errors: -2 ln L falls from 4e4 to (ln R / |slopes|)^2 where the nuisances undo R."""
    model, sd = toy_model(value=1.0, uncertainty_low=1e-3, uncertainty_high=1e-3), 1e-3
    point = {"mass": jnp.asarray(1.3), "g": jnp.asarray(0.5)}
    found = jax.jit(lambda p: profile(model, observed(model), model.ratios_at, p))(point)
    constant = 2.0 * np.log(sd * np.sqrt(2.0 * np.pi))
    expected = float(np.log(1.0 + 0.25 / 1.3) ** 2 / (SLOPES @ SLOPES))
    assert bool(found.converged) and float(found.deviance) - constant == pytest.approx(expected, rel=1e-4)
