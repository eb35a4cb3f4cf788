"""The fit of a model with its covariance, and profile likelihood curves."""

import dataclasses
import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq, minimize, minimize_scalar
from scipy.stats import chi2
from toy_model import SLOPES, toy_model

from tridentjax import InputError
from tridentjax.inference.coordinates import Prior
from tridentjax.inference.covariance import make_covariance
from tridentjax.inference.deviance import evaluate, hessian, make_deviance
from tridentjax.inference.fit import fit
from tridentjax.inference.profile_curve import profile_likelihood

VALUE, SD = 0.82, 0.28
SIZE = float(np.linalg.norm(SLOPES))


class Toy(type(toy_model())):
    """The toy with derived quantities that need no channel."""

    def derived(self, values):
        return {"strength": values["g"] ** 2 / values["mass"]}


class FixedMass(Toy):
    """The toy at mass 1.7."""

    def rate_ratios(self, values, responses=None):
        return super().rate_ratios({"mass": jnp.asarray(1.7), **values})

    def derived(self, values):
        return {"strength": values["g"] ** 2 / 1.7}


BASE = toy_model()  # one for all: its functions are part of what JAX compiles for


def toy(kind=Toy, value=0.82, sd=None, **changes):
    """The toy with arrays for its numbers, so that other numbers need no other program."""
    fields = {f.name: getattr(BASE, f.name) for f in dataclasses.fields(BASE)}
    model = kind(**fields | changes)
    m = BASE.chains[0].experiment.measurement
    low, high = (m.uncertainty_low, m.uncertainty_high) if sd is None else (sd, sd)

    def numbers(model):
        m = model.chains[0].experiment.measurement
        return m.value, m.uncertainty_low, m.uncertainty_high

    return eqx.tree_at(numbers, model, tuple(jnp.asarray(x) for x in (value, low, high)))


# --- the fit -------------------------------------------------------------------------------------------------


@functools.cache
def interior():
    """The measurement prefers R = 2.3."""
    priors = {"g": Prior(0.01, 10.0, "loguniform")}
    return toy(FixedMass, value=2.3, sd=SD, priors=priors, names=("g", "n0", "n1", "n2"))


@functools.cache
def fitted():
    return fit(interior(), search=interior())


@functools.cache
def exclusion():
    """The toy of CCFR and its fit."""
    model = toy()
    return model, fit(model, search=model)


def test_fit_inside_the_range_against_scipy():
    found = fitted()

    def F(y):
        R = (1.0 + np.exp(2 * y[0]) / 1.7) * np.exp(SLOPES @ y[1:])
        return ((R - 2.3) / SD) ** 2 + (np.asarray(y[1:]) ** 2).sum() + np.log(2 * np.pi * SD**2)

    reference = minimize(F, [0.3, 0.1, 0.1, 0.1], method="BFGS", options={"gtol": 1e-9})
    assert found.status == "converged" and found.agreeing == 16 and found.gradient < 1e-6
    assert found.deviance == pytest.approx(reference.fun, rel=1e-9)
    assert np.log(found.values["g"]) == pytest.approx(reference.x[0], abs=1e-5)
    assert found.log_likelihood == pytest.approx(-found.deviance / 2, rel=1e-6)  # no pull
    assert found.rate_ratios["ccfr"] == pytest.approx(2.3, rel=1e-6)
    assert found.derived["strength"] == pytest.approx(found.values["g"] ** 2 / 1.7, rel=1e-12)


def test_covariance_in_closed_form():
    """ln R is measured with SD/R and the nuisances: var(ln g) = (SD^2/R^2 + |s|^2)/(d ln R/d ln g)^2."""
    found = fitted()
    R, g = 2.3, np.sqrt(1.3 * 1.7)
    gain = 2.0 * (R - 1.0) / R
    expected = g * np.sqrt(SD**2 / R**2 + SIZE**2) / gain
    c = found.covariance
    assert c.flat == () and c.reasons == {} and c.names == ("g", "n0", "n1", "n2")
    assert c.errors["g"] == pytest.approx(expected, rel=1e-4)
    for i, name in enumerate(("n0", "n1", "n2")):  # log factors of width 0.1; cov(z_i, ln g) = -s_i/gain
        assert c.errors[name] == pytest.approx(0.1, rel=1e-4)
        assert c.covariance[0, 1 + i] == pytest.approx(-float(SLOPES[i]) * 0.1 * g / gain, rel=1e-4)
    np.testing.assert_allclose(np.diag(c.correlation), 1.0, rtol=1e-12)


def test_flat_direction_is_said_and_has_no_error():
    """R depends on g^2/mass alone: one direction is free."""
    model = toy(value=2.3, sd=SD)
    found = fit(model, search=model)
    assert found.status == "degenerate" and found.agreeing == 16 and len(found.optima) > 3
    (direction,) = found.covariance.flat
    # along d ln(mass) = 2 d ln(g), in prior ranges of ln 100 and ln 1000
    ratio = direction.components["mass"] / direction.components["g"]
    assert ratio == pytest.approx(2.0 * np.log(1000.0) / np.log(100.0), rel=1e-5)
    assert found.covariance.errors["g"] is found.covariance.errors["mass"] is None
    assert found.covariance.reasons["g"] == "a flat direction of the likelihood moves it"
    assert np.isnan(found.covariance.covariance[0]).all()
    assert found.covariance.errors["n1"] == pytest.approx(0.1, rel=1e-3)
    assert found.values["g"] ** 2 / found.values["mass"] == pytest.approx(1.3, rel=1e-5)


def test_exclusion_is_best_at_the_end_of_the_range_and_flat():
    """CCFR with R >= 1: best at the smallest coupling; the mass moves nothing there."""
    _, found = exclusion()
    assert found.status == "degenerate" and found.at_bound == {"g": "lower"} and found.values["g"] == 0.01
    assert found.covariance.flat[0].components == {"mass": 1.0}
    assert found.covariance.reasons["g"] == "at the lower end of its prior"
    R = 1.0 + 0.01**2 / found.values["mass"]
    pull = minimize_scalar(lambda z: ((R * np.exp(SIZE * z) - VALUE) / SD) ** 2 + z**2, bracket=(-1.0, 0.0)).x
    assert found.dropped == 0 and found.rate_ratios["ccfr"] == pytest.approx(R * np.exp(SIZE * pull), rel=1e-5)


def test_hessian_of_the_joint_deviance():
    F = make_deviance(interior())
    x = jnp.asarray([0.61, 0.4, -0.7, 0.2])
    found = np.asarray(hessian(F, x))
    reference = np.asarray(jax.jit(jax.jacrev(jax.grad(F)))(x))
    np.testing.assert_allclose(found, reference, rtol=1e-10, atol=1e-10)
    h = 1e-4 * np.eye(4)
    gradient = jax.jit(jax.grad(F))
    difference = np.stack([(gradient(x + h[i]) - gradient(x - h[i])) / 2e-4 for i in range(4)])
    np.testing.assert_allclose(found, difference, rtol=1e-5, atol=1e-5)
    assert float(evaluate(F, np.asarray(x)[None])[0]) == pytest.approx(float(F(x)), rel=1e-14)


def test_covariance_against_the_inverse():
    """Without bounds and flat directions it is the inverse of the information; a bound takes its row out."""
    rng = np.random.default_rng(11)
    half = rng.normal(size=(5, 5))
    information, jacobian = half @ half.T + 2.0 * np.eye(5), np.diag([2.0, 0.3, 1.0, 5.0, 0.1])
    names = ("a", "b", "y", "z", "w")
    whole = make_covariance(names, 2, information, jacobian, {})
    np.testing.assert_allclose(whole.covariance, jacobian @ np.linalg.inv(information) @ jacobian, rtol=1e-10)
    held = make_covariance(names, 2, information, jacobian, {"a": "upper"})
    inside = jacobian[1:, 1:] @ np.linalg.inv(information[1:, 1:]) @ jacobian[1:, 1:]
    np.testing.assert_allclose(held.covariance[1:, 1:], inside, rtol=1e-10)
    assert held.errors["a"] is None and held.reasons == {"a": "at the upper end of its prior"}
    information[0], information[:, 0] = 0.0, 0.0
    open_ = make_covariance(names, 2, information, jacobian, {})
    assert (
        open_.flat[0].components == {"a": 1.0, "b": 0.0} and open_.flat[0].sd == np.inf and list(open_.reasons) == ["a"]
    )
    np.testing.assert_allclose(open_.covariance[1:, 1:], inside, rtol=1e-10)


def test_likelihood_without_a_value_anywhere():
    nowhere = toy(value=jnp.nan)
    with pytest.raises(ValueError, match="not a number at any of 16 starts"):
        fit(nowhere, search=nowhere)


# --- curves --------------------------------------------------------------------------------------------------


def profiled_by_scipy(R, value=VALUE):
    """Smallest F at a rate ratio: one nuisance along the slopes."""
    return minimize_scalar(lambda z: ((R * np.exp(SIZE * z) - value) / SD) ** 2 + z**2, bracket=(-1.0, 0.0)).fun


def test_curve_and_intervals_against_scipy():
    """F at fixed g is least at the largest mass; the 95 % limit follows from the profiled F of R."""
    model, best = exclusion()
    curve = profile_likelihood(model, "g", best, model, points=15)
    lowest = profiled_by_scipy(1.0 + 0.01**2 / 10.0)
    expected = [profiled_by_scipy(1.0 + g**2 / 10.0) - lowest for g in curve.values[:12]]
    np.testing.assert_allclose(curve.delta_chi2[:12], expected, rtol=1e-6, atol=1e-8)
    assert curve.below == pytest.approx(0.0, abs=1e-8)
    for level, (interval,) in curve.intervals.items():
        c = chi2.ppf(level, 1)
        end = brentq(lambda R: profiled_by_scipy(R) - lowest - c, 1.0, 3.0, xtol=1e-12)  # noqa: B023
        assert interval.high == pytest.approx(np.sqrt(10.0 * (end - 1.0)), rel=1e-6)
        assert interval.open_low and not interval.open_high and interval.low == 0.01


def test_curve_of_a_flat_parameter_is_open_at_both_ends():
    model, best = exclusion()
    curve = profile_likelihood(model, "mass", best, model, points=7, confidence_levels=(0.9,))
    F = np.asarray([profiled_by_scipy(1.0 + 1e-4 / mass) for mass in curve.values])
    np.testing.assert_allclose(curve.delta_chi2, F - F.min(), atol=1e-7)
    assert curve.intervals[0.9][0] == (0.1, 10.0, True, True)


def test_curve_of_a_nuisance_and_unknown_name():
    model, best = interior(), fitted()
    curve = profile_likelihood(model, "n0", best, model, points=9, confidence_levels=(0.68,))
    z = np.log(curve.values) / 0.1
    np.testing.assert_allclose(curve.delta_chi2[:-1], z[:-1] ** 2, rtol=1e-5, atol=1e-8)  # g makes up for it
    assert 16.001 < curve.delta_chi2[-1] < 16.002  # but R >= 1 cannot be 2.3 exp(-0.84)
    (interval,) = curve.intervals[0.68]
    assert np.log(interval.high) / 0.1 == pytest.approx(np.sqrt(chi2.ppf(0.68, 1)), rel=1e-5)
    assert not interval.open_low and not interval.open_high
    with pytest.raises(InputError, match="unknown parameter 'gg'; did you mean 'g'"):
        profile_likelihood(model, "gg", best, model)
