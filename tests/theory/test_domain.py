"""One domain: what a theory refuses is the same for a number, a range, a row of a scan and a point of a host."""

import numpy as np
import pytest

from tridentjax.host.points import UNITS
from tridentjax.scan.evaluator import input_status
from tridentjax.theory.binding import Range, theory_faults
from tridentjax.theory.catalogue import THEORIES, find_theory
from tridentjax.theory.domain import LIMITS, point_faults, violations

RS = {"Lambda_IR": 1300.0, "c_L_e": 0.6, "c_L_mu": 0.55, "c_R_mu": 0.6}
LMUTAU = {"Lambda_IR": 2e3, "mass": 5.0, "g": 0.1, "c_L_mu": 0.55, "c_R_mu": 0.6}
ZPRIME = {"mass": 0.1, "g": 1e-3}

OUTSIDE = [
    ("zprime", ZPRIME, {"mass": 9.999999e-4}),
    ("scalar", {"mass": 0.1, "g_nu": 0.1}, {"mass": 1e-4}),
    ("rs_lmutau", LMUTAU, {"mass": 9e-4}),
    ("rs_lmutau", LMUTAU, {"Lambda_IR": 99.0}),
    ("rs", RS, {"Lambda_IR": 0.0}),
    ("rs", RS, {"Lambda_IR": 2e19}),
    ("rs", RS, {"kappa_IR": -0.1}),
    ("rs", RS, {"kappa_UV": -40.0}),
    ("rs", RS, {"kappa_IR_U1": -0.1}),
    ("rs", RS, {"kappa_UV_U1": -40.0}),
    ("zprime", ZPRIME, {"sin2_theta_w": 0.5}),
    ("sm", {}, {"sin2_theta_w": 0.0}),
]


@pytest.mark.parametrize(("name", "good", "bad"), OUTSIDE)
def test_an_edge_is_the_same_for_numbers_ranges_and_rows(name, good, bad):
    ((parameter, number),) = bad.items()
    (fault,) = theory_faults(name, good | bad)
    assert f"{parameter} = {number:.10g}" in fault and "allowed: " in fault
    inside = good.get(parameter, 0.23 if parameter == "sin2_theta_w" else 0.0)
    (fault,) = theory_faults(name, good | {parameter: Range(*sorted((number, inside)))})
    assert f"{parameter} = {number:.10g} (an end of its prior)" in fault
    rows = np.asarray([[number], [inside]])
    assert input_status(rows, (parameter,), find_theory(name), good).tolist() == [2, 0]
    if set(bad) <= set(UNITS) and parameter != "Lambda_IR":  # a host has no tower of L_mu - L_tau
        assert point_faults(good | bad)


def test_a_normal_prior_around_a_measured_number_is_welcome():
    everywhere = Range(-np.inf, np.inf)
    assert theory_faults("zprime", ZPRIME | {"sin2_theta_w": everywhere, "g": everywhere}) == []
    assert len(theory_faults("zprime", ZPRIME | {"mass": everywhere})) == 1


def test_hypercharge_inherits_what_it_is_not_given():
    shared = RS | {"kappa_UV": -20.0, "kappa_IR_U1": 0.1}
    assert theory_faults("rs", shared) == []
    (fault,) = theory_faults("rs", shared | {"kappa_UV": -39.0, "kappa_IR": 5.0})
    assert "kappa_UV_U1 = -39, kappa_IR_U1 = 0.1; allowed: ln(k/Lambda_IR) + kappa_UV_U1 + kappa_IR_U1" in fault


def test_fixed_parameters_of_a_scan_move_the_edge():
    theory, rows = find_theory("rs"), np.asarray([[-38.0], [-43.0]])
    assert input_status(rows, ("kappa_UV",), theory, RS).tolist() == [2, 2]
    assert input_status(rows, ("kappa_UV",), theory, RS | {"kappa_IR": 5.0}).tolist() == [0, 2]
    assert input_status(rows, ("kappa_UV",), theory).tolist() == [0, 0]  # nothing is known of the scale


def test_every_limit_names_parameters_that_the_theory_has():
    electroweak = {"sin2_theta_w", "one_loop"}
    for theory in THEORIES.values():
        for limit in theory.limits:
            assert set(limit.names) <= {*theory.parameters, *electroweak}
    own = {limit.names for limit, _ in violations(dict.fromkeys(UNITS, 1.0))}
    assert {limit.names for limit in LIMITS} - own == {("one_loop",)}
