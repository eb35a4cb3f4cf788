"""Covariance of a fit against closed forms and the inverse of the curvature."""

import numpy as np
import pytest
from fit_toys import SD, SIZE, fitted
from toy_model import SLOPES

from tridentjax.inference.covariance import make_covariance


@pytest.mark.slow
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
