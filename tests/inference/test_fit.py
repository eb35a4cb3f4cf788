"""The fit of a model with its covariance, and profile likelihood curves."""

import jax.numpy as jnp
import numpy as np
import pytest
from fit_toys import SD, SIZE, VALUE, exclusion, fitted, toy
from scipy.optimize import minimize, minimize_scalar
from toy_model import SLOPES

from tridentjax.inference.fit import fit

# --- the fit -------------------------------------------------------------------------------------------------


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


@pytest.mark.slow
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


@pytest.mark.slow
def test_exclusion_is_best_at_the_end_of_the_range_and_flat():
    """CCFR with R >= 1: best at the smallest coupling; the mass moves nothing there."""
    _, found = exclusion()
    assert found.status == "degenerate" and found.at_bound == {"g": "lower"} and found.values["g"] == 0.01
    assert found.covariance.flat[0].components == {"mass": 1.0}
    assert found.covariance.reasons["g"] == "at the lower end of its prior"
    R = 1.0 + 0.01**2 / found.values["mass"]
    pull = minimize_scalar(lambda z: ((R * np.exp(SIZE * z) - VALUE) / SD) ** 2 + z**2, bracket=(-1.0, 0.0)).x
    assert found.dropped == 0 and found.rate_ratios["ccfr"] == pytest.approx(R * np.exp(SIZE * pull), rel=1e-5)


def test_likelihood_without_a_value_anywhere():
    nowhere = toy(value=jnp.nan)
    with pytest.raises(ValueError, match="not a number at any of 16 starts"):
        fit(nowhere, search=nowhere)


# --- curves --------------------------------------------------------------------------------------------------
