"""Names, numbers and choices of theories: what is refused and how, and what reaches the function."""

import jax.numpy as jnp
import numpy as np
import pytest

from tridentjax import InputError
from tridentjax.currents import Channel
from tridentjax.theory.binding import Range, bind_theory, theory_faults
from tridentjax.theory.catalogue import find_theory
from tridentjax.theory.theories import zprime

K2 = jnp.asarray([2e-6, 0.0013, 0.31])
DIMUON = Channel("mu", "mu", "mu")


def test_faults_come_all_at_once():
    with pytest.raises(InputError) as caught:
        bind_theory("zprime", {"mas": 0.1, "g": np.inf, "g_A": 0.2})
    text = str(caught.value)
    assert len(caught.value.faults) == 4
    assert "'mas'" in text and "did you mean 'mass'" in text
    assert "needs (g, mass) or (g_nu, mass) or (g_nu_e, mass) or the like; received (mas, g, g_A)" in text
    assert "either g (L_mu - L_tau) or g_A (general charges)" in text
    assert "g = inf; allowed: a finite number" in text


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("zprim", {}, "did you mean 'zprime'"),
        ("zprime", {"mass": -0.1, "g": 1e-3}, r"mass = -0\.1; allowed: positive"),
        ("zprime", {"mass": 0.0, "g": 1e-3}, r"mass = 0\.0; allowed: positive"),
        ("zprime", {"mass": float("nan"), "g": 1e-3}, "mass = nan; allowed: a finite number"),
        ("contact", {"delta_g_V": 0.1}, "needs \\(delta_g_A, delta_g_V\\)"),
        ("sm", {"sin2_theta_w": -0.2}, "sin2_theta_w = -0.2; allowed: positive"),
        ("sm", {"one_loop": 1.3}, r"one_loop = 1\.3; allowed: 0 \(tree level\) to 1 \(one loop\)"),
        ("zprime", {"mass": 1.0, "g": 0.1, "one_loop": -0.1}, r"one_loop = -0\.1; allowed: 0"),
        (
            "contact",
            {"delta_g_V": 0.1, "delta_g_A": 0.0, "one_loop": float("nan")},
            "one_loop = nan; allowed: a finite",
        ),
        ("zprime", {"mass": 0.1, "g": 0.1, "loop_mixing": "yes"}, "loop_mixing = yes; allowed: false, true"),
        ("zprime", {"mass": 0.1, "g": 0.1, "loop_mixing": 1.0}, r"loop_mixing = 1\.0; allowed: false, true"),
        ("zprime", {"mass": 0.1, "g_nu": 0.1, "loop_mixing": True}, "loop_mixing is that of L_mu - L_tau: give g"),
        ("zprime", {"mass": [0.1, 1.0], "g": [1.0, 2.0, 3.0]}, "received mass: 2, g: 3; allowed: one number, or"),
        ("zprime", {"mass": [0.1, -1.0], "g": 1.0}, "allowed: positive"),
        ("zprime", {"mass": "heavy", "g": 1.0}, "mass = heavy; allowed: a finite number"),
        ("scalar", {"mass": 0.1, "g_S": 1.0}, r"needs \(g_nu, mass\) or"),
        ("sm", {"one_lop": 1.0}, "did you mean 'one_loop'"),
        ("sm", {"mass": 1.0}, "unknown parameter of theory sm 'mass'"),
    ],
)
def test_single_faults(name, parameters, message):
    with pytest.raises(InputError, match=message):
        bind_theory(name, parameters)


def test_a_parameter_with_a_prior_counts_as_given():
    assert theory_faults("zprime", {"mass": Range(1e-3, 1e3), "g": Range(-np.inf, np.inf)}) == []
    (fault,) = theory_faults("zprime", {"mass": Range(-1e-3, 1e3), "g": Range(0.0, 1.0)})
    assert "mass = -0.001 (lower end of its prior); allowed: positive" in fault
    bound = bind_theory("zprime", {"mass": Range(1e-3, 1e3), "g": 1e-3})
    assert set(bound.values) == {"g"} and bound.choices == {"loop_mixing": False}


def test_choices_are_bound_to_the_function():
    bound = bind_theory("zprime", {"mass": 0.2, "g": 4e-3, "loop_mixing": True, "sin2_theta_w": 0.2386})
    assert bound.given == {"mass": 0.2, "g": 4e-3, "loop_mixing": True, "sin2_theta_w": 0.2386}
    assert set(bound.electroweak) == {"sin2_theta_w"} and bound.function.__name__ == "zprime"
    expected = zprime({"mass": 0.2, "g": 4e-3, "loop_mixing": True, "sin2_theta_w": 0.2386}, DIMUON, K2)
    np.testing.assert_array_equal(bound.function(bound.values, DIMUON, K2).g_V, expected.g_V)


def test_combined_theories():
    both = find_theory("zprime+contact")
    assert {"mass", "delta_g_V"} <= set(both.parameters) and both.choices == {"loop_mixing": (False, True)}
    assert theory_faults("zprime+contact", {"mass": 0.1, "g": 0.1, "delta_g_V": 0.1, "delta_g_A": 0.0}) == []
    (fault,) = theory_faults("zprime+contact", {"mass": 0.1, "delta_g_V": 0.1, "delta_g_A": 0.0})
    assert "needs (delta_g_A, delta_g_V, g, mass) or" in fault
    assert "given twice" in theory_faults("sm+sm", {})[0]
    clash = " ".join(theory_faults("zprime+scalar", {}))
    assert "both have mass" in clash and "both have g_nu" in clash and "cannot be combined" in clash


def test_wilson_coefficients_of_a_file(tmp_path):
    file = tmp_path / "point.yaml"
    file.write_text("{eft: SMEFT, basis: Warsaw, scale: 91.19, values: {ll_2222: 1.0e-6, phiu_11: 2.0e-6}}")
    bound = bind_theory("smeft", {"wcxf": file, "le_2222": 3e-7, "scheme": "alpha_mW_GF"})
    assert bound.given == {"ll_2222": 1e-6, "le_2222": 3e-7, "scheme": "alpha_mW_GF"}
    assert "91.19 GeV" in bound.notes[0] and "phiu_11" in bound.notes[1]
    with pytest.raises(InputError, match="ll_2222 is given here and in"):
        bind_theory("smeft", {"wcxf": file, "ll_2222": 1e-6})
    with pytest.raises(InputError, match="is for theory smeft; received left"):
        bind_theory("left", {"wcxf": file})
    with pytest.raises(InputError, match="is for theory smeft; received zprime"):
        bind_theory("zprime", {"wcxf": file, "mass": 1.0, "g": 0.1})


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("smeft", {"ll_2211": 1e-6}, "ll_2211 is redundant; use ll_1122"),
        ("smeft", {"ll_2222_Im": 1e-6}, "ll_2222 is hermitian and has no imaginary part"),
        ("smeft", {"scheme": "mine"}, "scheme = mine; allowed: alpha_mZ_GF"),
        ("left", {"VnueLL_2222": "x"}, "VnueLL_2222 = x; allowed: a finite number"),
        ("left", {"VnuLL_2222": 1e-6}, "did you mean 'VnueLL_2222'"),
    ],
)
def test_faults_of_wilson_coefficients(name, given, message):
    (fault,) = theory_faults(name, given)
    assert message in fault
