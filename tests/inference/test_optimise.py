"""The search from many starts: bounds, regions without values, flat functions, coordinates."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array
from scipy.optimize import minimize

from tridentjax.inference.coordinates import Prior
from tridentjax.inference.optimise import from_unit, make_starts, maximise, to_unit

BOX = {"a": Prior(-2.0, 3.0, "uniform"), "b": Prior(0.01, 50.0, "loguniform")}


class Valley(eqx.Module):
    """Minus the Rosenbrock function of a and ln b; NaN above a = 2.5."""

    top: float

    def __call__(self, point):
        a, t = point["a"], jnp.log(point["b"])
        valley = -((self.top - a) ** 2) - 100.0 * (t - a**2) ** 2
        return jnp.where(a > 2.5, jnp.nan, valley)


class Flat(eqx.Module):
    """The same everywhere; NaN at a negative level."""

    level: Array

    def __call__(self, point):
        return 0.0 * point["b"] + jnp.log(self.level)


class Tilted(eqx.Module):
    """b wants to leave upwards."""

    def __call__(self, point):
        return -((point["a"] - 0.7) ** 4) + 0.3 * jnp.log(point["b"]) + 0.2 * point["a"]


@pytest.mark.slow
def test_curved_valley_with_a_region_without_values():
    found = maximise(Valley(1.3), BOX, seed=3)
    assert found.status == "converged" and found.at_bound == {} and float(found.value) == pytest.approx(0.0, abs=1e-10)
    assert float(found.values["a"]) == pytest.approx(1.3, abs=1e-5)
    assert float(found.values["b"]) == pytest.approx(np.exp(1.69), rel=1e-5)
    begins = -2.0 + 5.0 * make_starts((True, True), 16, 3)[:, 0]
    assert found.dropped == (begins > 2.5).sum() > 0 and found.agreeing == 16 - found.dropped
    assert found.endpoints["a"].shape == (found.agreeing,)


@pytest.mark.slow
def test_maximum_on_bounds_and_seeds():
    """scipy agrees; other seeds give the same."""
    found = [maximise(Tilted(), BOX, seed=seed, starts=8) for seed in (1, 2)]
    best = minimize(lambda a: (a[0] - 0.7) ** 4 - 0.2 * a[0], [1.0], tol=1e-12).x[0]
    for optimum in found:
        assert optimum.status == "at bound" and optimum.at_bound == {"b": "upper"}
        assert float(optimum.values["b"]) == 50.0 and float(optimum.values["a"]) == pytest.approx(best, abs=1e-5)


@pytest.mark.slow
def test_normal_priors_have_no_bounds():
    priors = {"n": Prior(3.0, 0.2, "normal"), "a": BOX["a"]}
    found = maximise(lambda p: -((p["n"] + 4.0) ** 2) - jnp.cosh(p["a"] - p["n"]), priors, starts=4)
    reference = minimize(lambda x: (x[0] + 4) ** 2 + np.cosh(x[1] - x[0]), [-3.0, -1.5], bounds=[(None, None), (-2, 3)])
    assert float(found.values["n"]) == pytest.approx(reference.x[0], abs=1e-4)
    assert found.at_bound == {"a": "lower"} and float(-found.value) == pytest.approx(reference.fun, rel=1e-9)


def test_flat_objective_and_refusals():
    flat = maximise(Flat(jnp.exp(1.7)), {"b": BOX["b"]}, starts=4)
    assert flat.status == "converged" and flat.agreeing == 4 and float(flat.value) == pytest.approx(1.7, rel=1e-14)
    with pytest.raises(ValueError, match="not a number at any of 4 starts; narrow the priors"):
        maximise(Flat(jnp.asarray(-1.0)), {"b": BOX["b"]}, starts=4)
    with pytest.raises(ValueError, match="no parameter to vary"):
        maximise(lambda p: 1.0, {})


@pytest.mark.parametrize("prior", [BOX["a"], BOX["b"], Prior(0.3, 2.0, "normal")], ids=lambda p: p.kind)
def test_unit_coordinates(prior):
    for u in (0.0, 0.37, 1.0):
        assert to_unit(prior, float(from_unit(prior, jnp.asarray(u)))) == pytest.approx(u, abs=1e-14)
        slope = float(jax.grad(lambda v: from_unit(prior, v))(jnp.asarray(u)))
        h = 1e-6
        inner = [from_unit(prior, jnp.asarray(np.clip(u, h, 1 - h) + s * h)) for s in (1, -1)]
        assert slope == pytest.approx(float(inner[0] - inner[1]) / (2 * h), rel=2e-5)
    if prior.kind != "normal":
        assert (float(from_unit(prior, jnp.asarray(0.0))), float(from_unit(prior, jnp.asarray(1.0)))) == (
            prior.low, prior.high,
        )  # fmt: skip
