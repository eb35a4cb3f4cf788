"""Profile likelihood curves and intervals against SciPy."""

import numpy as np
import pytest
from fit_toys import SD, SIZE, VALUE, exclusion, fitted, interior
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import chi2

from tridentjax import InputError
from tridentjax.inference.profile_curve import profile_likelihood


def profiled_by_scipy(R, value=VALUE):
    """Smallest F at a rate ratio: one nuisance along the slopes."""
    return minimize_scalar(lambda z: ((R * np.exp(SIZE * z) - value) / SD) ** 2 + z**2, bracket=(-1.0, 0.0)).fun


@pytest.mark.slow
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
