"""The list of theories: sources, units, domains, derived quantities."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tridentjax.currents import Channel
from tridentjax.theory.binding import Range, bind_theory, theory_faults
from tridentjax.theory.catalogue import THEORIES, find_theory
from tridentjax.theory.theories import zprime

K2 = jnp.asarray([2e-6, 0.0013, 0.31])
DIMUON = Channel("mu", "mu", "mu")
UNITS = ("1", "GeV", "GeV^-2")


def test_every_theory_has_a_source_and_units():
    assert set(THEORIES) >= {"sm", "contact", "zprime", "scalar"}
    for theory in THEORIES.values():
        assert theory.source and all(unit in UNITS for unit in theory.parameters.values())


RS = {"Lambda_IR": 1300.0, "c_L_e": 0.6, "c_L_mu": 0.55, "c_R_mu": 0.6}
LMUTAU = {"Lambda_IR": 2e3, "kappa_UV": 1.0, "kappa_IR": 0.3, "mass": 5.0, "g": 0.1, "c_L_mu": 0.55, "c_R_mu": 0.6}


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("rs", {"kappa_IR": -0.2}, r"theory: kappa_IR = -0\.2; allowed: 0 or more \(else a mode has negative norm\)"),
        ("rs", {"kappa_IR_U1": -0.2}, r"kappa_IR_U1 = -0\.2; allowed: 0 or more"),
        (
            "rs",
            {"kappa_UV": -50.0},
            r"kappa_UV = -50, kappa_IR = 0; allowed: ln\(k/Lambda_IR\) \+ kappa_UV \+ kappa_IR positive",
        ),
        ("rs", {"kappa_UV_U1": -50.0}, r"kappa_UV_U1 = -50, kappa_IR_U1 = 0; allowed: ln\(k/Lambda_IR\)"),
        ("rs", {"kappa_IR_U1": 0.2, "embedding": "custodial_trivial"}, "a custodial model has one kappa_IR"),
        ("rs", {"Lambda_IR": 2e19}, r"Lambda_IR = 2e\+19, k = 1\.2209e\+19; allowed: Lambda_IR below k"),
        ("rs", {"k": 1200.0}, r"Lambda_IR = 1300, k = 1200; allowed: Lambda_IR below k"),
        ("rs", {"Lambda_IR": -3.0}, r"Lambda_IR = -3; allowed: positive \[GeV\]"),
        ("rs", {"Lambda_IR": [1e3, 2e3]}, r"Lambda_IR = \[1000\.0, 2000\.0\]; allowed: one number"),
        ("rs", {"sin2_theta_w": [0.23, 0.24]}, r"sin2_theta_w = \[0\.23, 0\.24\]; allowed: one number"),
        ("rs", {"c_L_e": float("nan")}, "c_L_e = nan; allowed: a finite number"),
        ("rs", {"c_R_mu": "big"}, "c_R_mu = big; allowed: a finite number"),
        ("rs", {"embedding": "custodial"}, "embedding = custodial; allowed: minimal, custodial_trivial, custodial_plr"),
        ("rs", {"scheme": "alpha"}, "scheme = alpha; allowed: alpha_mZ_GF, alpha_mW_GF, mW_mZ_GF, fixed_s2"),
        ("rs", {"order": "third"}, "order = third; allowed: linear, exact"),
        ("rs", {"Lambda_ir": 1e3}, "did you mean 'Lambda_IR'"),
        ("rs_lmutau", {"Lambda_IR": 99.0}, "Lambda_IR = 99; allowed: 100 GeV or more"),
        ("rs_lmutau", {"mass": 0.0}, r"mass = 0; allowed: 1e-3 GeV or more"),
        ("rs_lmutau", {"breaking": "iv"}, "breaking = iv; allowed: uv, ir"),
        (
            "rs_lmutau",
            {"kappa_UV": Range(-50.0, 0.0)},
            r"kappa_UV = -50 \(an end of its prior\), kappa_IR = 0\.3; allowed: ln\(",
        ),
        (
            "rs_lmutau",
            {"Lambda_IR": Range(1e3, 1e20)},
            r"Lambda_IR = 1e\+20 \(an end of its prior\), k = 1.2209e\+19; allowed",
        ),
    ],
)
def test_faults_of_the_warped_space(name, given, message):
    good = RS if name == "rs" else LMUTAU
    assert theory_faults(name, good) == []
    (fault,) = theory_faults(name, good | given)
    assert re.search(message, fault), fault


def test_faults_of_the_warped_space_at_once():
    found = theory_faults(
        "rs", RS | {"Lambda_IR": 1e20, "kappa_IR": -1.0, "c_L_mu": np.inf, "order": "x", "scheme": "y"}
    )
    assert len(found) == 5


@pytest.mark.slow
def test_a_warped_space_with_both_fields():
    both = find_theory("rs+rs_lmutau")
    assert {"Lambda_IR", "c_L_e", "g", "mass"} <= set(both.parameters)
    assert {"embedding", "breaking"} <= set(both.choices) and {"first_KK_mass", "S", "pole_mass"} <= set(both.derived)
    given = {**RS, **LMUTAU, "embedding": "custodial_plr_mu", "breaking": "ir"}
    together = bind_theory("rs+rs_lmutau", given)
    parts = [
        bind_theory(
            name, {key: x for key, x in given.items() if key in {**THEORIES[name].parameters, **THEORIES[name].choices}}
        )
        for name in ("rs", "rs_lmutau")
    ]
    reference = zprime({"mass": 1.0, "g": 0.0}, DIMUON, K2)
    for coupling in ("g_V", "g_A"):
        found, *own = (getattr(b.function(b.values, DIMUON, K2), coupling) for b in (together, *parts))
        np.testing.assert_allclose(found, own[0] + own[1] - getattr(reference, coupling), rtol=1e-12)


@pytest.mark.slow
def test_derived_quantities():
    """First mode 2.4488 Lambda_IR without brane terms (rs_matching.md, table 7.2), and its slope."""
    bound = bind_theory("rs", {**RS, "Lambda_IR": 2042.306025})
    np.testing.assert_allclose(bound.derive(bound.values)["first_KK_mass"], 5000.0, rtol=1e-8)
    slope = jax.grad(lambda x: bound.derive({**bound.values, "Lambda_IR": x})["first_KK_mass"])(
        jnp.asarray(2042.306025)
    )
    h = 0.1
    ends = [
        float(bound.derive({**bound.values, "Lambda_IR": jnp.asarray(2042.306025 + d)})["first_KK_mass"])
        for d in (h, -h)
    ]
    np.testing.assert_allclose(slope, (ends[0] - ends[1]) / (2 * h), rtol=1e-6)
