"""Extrema of outputs over an allowed region and nearest boundary points, against dense grids and closed forms."""

import dataclasses

import numpy as np
import pytest
from extremum_toys import EDGE, OUTER, SD, VALUE, C, Toy, _Ends, make_toy, region, region_above, ridge
from scipy.optimize import brentq
from toy_model import SLOPES, toy_model

from tridentjax import InputError
from tridentjax.inference.coordinates import Prior
from tridentjax.inference.extremum import find_extremum, make_allowed, nearest_boundary, output_names


def grid():
    mass, g = np.meshgrid(_Ends.mass, _Ends.g, indexing="ij")
    R = 1.0 + g**2 / mass
    delta = ((R - VALUE) / SD) ** 2
    delta -= ((1.0 + 0.01**2 / 10.0 - VALUE) / SD) ** 2
    return mass, g, R, delta <= C


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("output", "sense"), [("shape", "max"), ("g", "max"), ("mass", "min"), ("rate_ratio_ccfr", "max"), ("g", "min")]
)
def test_extremum_against_a_dense_grid(output, sense):
    mass, g, R, allowed = grid()
    outputs = {"shape": np.where(mass > 8.0, np.nan, g * np.exp(-((np.log(mass) + 0.3) ** 2))), "mass": mass, "g": g,
               "rate_ratio_ccfr": R}  # fmt: skip
    pick = {"max": np.nanmax, "min": np.nanmin}[sense]
    expected = pick(outputs[output][allowed])
    found = find_extremum(region(), output, sense)
    assert found.converged and found.nuisances == "nominal" and found.failed + found.agreeing <= found.starts
    assert found.value == pytest.approx(expected, rel=6e-3)
    better = found.value >= expected if sense == "max" else found.value <= expected
    assert better or found.value == pytest.approx(expected, rel=1e-9)  # the grid is inside the region
    assert found.delta_chi2 <= C * (1 + 1e-5)
    assert found.agreeing >= 8


def test_extremum_on_the_boundary_in_closed_form():
    """On g^2 = (R - 1) mass the derivative of ln(mass)/2 - (ln(mass) + 0.3)^2 vanishes at ln(mass) = -0.05."""
    found = find_extremum(region(), "shape", "max")
    assert found.constrained and found.at_bound == {} and found.kkt < 1e-6
    assert found.parameters["mass"] == pytest.approx(np.exp(-0.05), rel=1e-5)
    assert found.parameters["g"] == pytest.approx(np.sqrt(EDGE * np.exp(-0.05)), rel=1e-6)
    assert found.value == pytest.approx(np.sqrt(EDGE * np.exp(-0.05)) * np.exp(-(0.25**2)), rel=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_ridge_has_one_answer(seed):
    """The output rises by 2 % along the boundary to its corner; single searches end 5e-6 apart before it."""
    found = find_extremum(ridge(), "ridge", "max", seed=seed)
    lowest = 1e-4 / 100.1
    edge = VALUE + SD * np.sqrt(C + ((1.0 + lowest - VALUE) / SD) ** 2) - 1.0
    assert found.converged and found.constrained and found.at_bound == {"mass": "upper"}
    assert found.value == pytest.approx(edge * (1.0 + 0.01 * np.tanh(2.0 * np.log(10.0) + 1.0)), rel=1e-9)


def test_extremum_held_by_the_prior():
    largest = find_extremum(region(), "g", "max")
    assert largest.constrained and largest.at_bound == {"mass": "upper"}
    assert largest.value == pytest.approx(np.sqrt(10.0 * EDGE), rel=1e-7)
    smallest = find_extremum(region(), "g", "min")
    assert not smallest.constrained and smallest.at_bound["g"] == "lower" and smallest.value == 0.01


def test_profiled_nuisances_widen_the_region():
    """F(R) = min_z ((R e^(s z) - x)/sd)^2 + |z|^2 by SciPy, with one z along the slopes."""
    from scipy.optimize import minimize_scalar

    size = float(np.linalg.norm(SLOPES))

    def F(R):
        return minimize_scalar(lambda z: ((R * np.exp(size * z) - VALUE) / SD) ** 2 + z**2, bracket=(-1, 0)).fun

    widest = brentq(lambda R: F(R) - F(1.0 + 1e-5) - C, 1.0, 3.0, xtol=1e-10)
    found = find_extremum(region("profiled"), "rate_ratio_ccfr", "max")
    assert found.converged and found.constrained and found.nuisances == "profiled"
    assert found.value == pytest.approx(widest, rel=1e-6)
    assert found.value > OUTER


def test_log_likelihood_is_an_output():
    found = find_extremum(region(), "log_likelihood", "min")
    top = find_extremum(region(), "log_likelihood", "max")
    assert top.value - found.value == pytest.approx(C / 2.0, rel=1e-5)
    assert not top.constrained and found.constrained


@pytest.mark.parametrize(("mass", "g"), [(0.7, 0.05), (2.3, 7.0)], ids=["allowed", "excluded"])
def test_nearest_boundary_point_against_the_boundary_itself(mass, g):
    """The boundary is g^2 = (R - 1) mass: distances to it along a fine line in mass."""
    found = nearest_boundary(region(), {"mass": mass, "g": g})
    line = np.geomspace(0.1, 10.0, 200_001)
    flat = np.log(line / mass) / np.log(100.0), np.log(np.sqrt(EDGE * line) / g) / np.log(1000.0)
    expected = float(np.sqrt(flat[0] ** 2 + flat[1] ** 2).min())
    assert found.converged and found.output == "distance" and found.constrained
    assert found.value == pytest.approx(expected, rel=1e-6)
    assert found.parameters["g"] ** 2 == pytest.approx(EDGE * found.parameters["mass"], rel=1e-6)
    assert found.delta_chi2 == pytest.approx(C, rel=1e-5)


def test_no_boundary_is_said():
    wide = dataclasses.replace(region(), threshold=1e9 * region().threshold)
    found = nearest_boundary(wide, {"mass": 0.7, "g": 0.05})
    assert not found.converged and np.isnan(found.value)


def test_refusals():
    with pytest.raises(InputError, match=r"unknown output 'rate_ratio_ccfs'.*did you mean 'rate_ratio_ccfr'") as error:
        find_extremum(region(), "rate_ratio_ccfs", "most")
    assert len(error.value.faults) == 2 and "sense = 'most'; allowed: max, min" in error.value.faults[1]
    with pytest.raises(InputError, match="nearest: g is missing") as error:
        nearest_boundary(region(), {"mass": 200.0, "gg": 1.0})
    assert len(error.value.faults) == 3 and "inside its prior, 0.1 to 10" in error.value.faults[2]
    with pytest.raises(InputError, match="nuisances = 'fixed'; allowed: profiled, nominal"):
        make_allowed(toy_model(), toy_model(), nuisances="fixed")


def test_output_names():
    assert output_names(region().deviance.model) == ("mass", "g", "rate_ratio_ccfr", "log_likelihood", "shape")


def test_normal_prior_has_no_bound():
    model = make_toy(Toy, priors={"mass": Prior(0.1, 10.0, "loguniform"), "g": Prior(1.0, 0.5, "normal")})
    found = find_extremum(region_above(model, 1.0), "g", "max", starts=4)
    edge = VALUE + SD * np.sqrt(C + ((1.0 - VALUE) / SD) ** 2) - 1.0  # g = 0 is inside
    assert found.constrained and found.at_bound == {"mass": "upper"}
    assert found.value == pytest.approx(np.sqrt(10.0 * edge), rel=1e-4)
