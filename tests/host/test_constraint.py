"""The plug-in for flavour scans, run against its protocol; oracles are the packaged tables read with NumPy."""

import dataclasses
import re
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from host_protocol import (
    ConstraintResult,
    RSLeptonMassBasisCouplings,
    Severity,
    isolated,
    make_point,
    register,
    tag,
    vetoes,
)  # fmt: skip
from ruamel.yaml import YAML

from tridentjax import InputError
from tridentjax.constants import G_F, SIN2_THETA_W
from tridentjax.host import TridentConstraint, TridentInputs, trident_ratio
from tridentjax.host import constraint as host

REFERENCES = YAML(typ="safe", pure=True).load(Path(__file__).parents[1] / "references" / "rs_matching.yaml")
LAMBDA = 1225.691031
MODEL = {"Lambda_IR": LAMBDA, "c_L": (0.58, 0.58, 0.58), "c_E": (0.75, 0.6, 0.5), "model_label": "minimal_rs"}
MEDIATOR = {"mass": 0.31, "g_nu": 1.7e-3, "g_L": 1.9e-3, "g_R": 0.6e-3}
FLOAT_KEYS = (
    "sin2_theta_w", "c_vector_sm", "c_axial_sm", "c_vector_total", "c_axial_total", "delta_c_vector", "delta_c_axial",
    "budget_gaussian_z", "budget_hard_veto_upper", "pull_to_active_measurement",
)  # fmt: skip


class Constraint(TridentConstraint):
    def __init__(self):
        super().__init__("ccfr", severity=Severity.HARD, result=ConstraintResult)


L023 = register(Constraint)


def judge(payload=None, **extras):
    given = {} if payload is None else {"neutrino_trident_inputs": payload}
    return L023.evaluate(make_point(**given, **extras))


def table(experiment):
    """K2 and weights (species, VV/AA, K2) of a packaged response, without the library's reader."""
    path = host.folded_experiments()[experiment]
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    rows = np.array([[float(x) for x in line.split(",")] for line in lines[1:]])
    return rows[:, 0], rows[:, 1:].T.reshape(-1, 2, rows.shape[0])


def expected_ratio(experiment, delta_V, delta_A, s2=SIN2_THETA_W):
    """R from shifts at each K2."""
    _, weights = table(experiment)
    VV, AA = weights.sum(0)
    g_V, g_A = 0.5 + 2 * s2, 0.5
    return (VV * (g_V + delta_V) ** 2 + AA * (g_A + delta_A) ** 2).sum() / (VV * g_V**2 + AA * g_A**2).sum()


def exchange(experiment, mediator):
    """(delta g_V, delta g_A) of a light mediator at each K2 of a table."""
    K2, _ = table(experiment)
    strength = mediator["g_nu"] / (np.sqrt(2) * G_F * (mediator["mass"] ** 2 + K2))
    return tuple(strength * (mediator["g_L"] + sign * mediator["g_R"]) / 2 for sign in (1, -1))


# --- tables --------------------------------------------------------------------------------------------------


# --- one point -----------------------------------------------------------------------------------------------


@pytest.mark.few(2)
@pytest.mark.parametrize("entry", REFERENCES["points"], ids=lambda entry: entry["name"])
@pytest.mark.parametrize(
    ("order", "scheme", "key"),
    [("linear", "alpha_mZ_GF", "linear"), ("exact", "fixed_s2", "exact_fixed")],
)
def test_reference_points(entry, order, scheme, key):
    c = entry["inputs"]
    result = judge(TridentInputs(
        Lambda_IR=LAMBDA, c_L=(c["c_L_e"], c["c_L_mu"], 0.3), c_E=(0.9, c["c_R_mu"], 0.2), embedding=c["embedding"],
        input_scheme=scheme, order=order,
    ))  # fmt: skip
    delta_V, delta_A = entry[key]
    assert result.predicted == pytest.approx(expected_ratio("ccfr", delta_V, delta_A), rel=1e-8)
    assert result.diagnostics["delta_c_vector"] == pytest.approx(2 * delta_V, rel=1e-6, abs=0.0)
    assert result.diagnostics["delta_c_axial"] == pytest.approx(2 * delta_A, rel=1e-6, abs=0.0)
    assert tag(result) == "rigorous" and result.passes and not vetoes(result)
    if scheme == "alpha_mZ_GF":  # the host's formula, (C_V^2 + C_A^2), to first order: figure of the specification
        assert result.predicted - 1.0 == pytest.approx(entry["rate"], rel=0.03, abs=0.0)
        if c["embedding"] == "minimal":
            assert -4.5e-2 < result.predicted - 1.0 < -3.3e-2


def test_standard_model_against_ccfr():
    result = judge({"delta_g_v": 0.0, "delta_g_a": 0.0, "sin2_theta_w": 0.23126})
    assert result.predicted == 1.0 and result.sm_prediction == 1.0 and result.experimental == 0.82
    assert result.budget == pytest.approx(1.959964 * 0.28, rel=1e-7) and result.ratio == pytest.approx(
        0.327994, abs=1e-6
    )
    d = result.diagnostics
    assert d["c_vector_sm"] == pytest.approx(1 + 4 * 0.23126) and d["c_axial_sm"] == 1.0
    assert d["budget_hard_veto_upper"] == pytest.approx(1.368790, abs=1e-6)
    assert d["budget_hard_veto_lower"] == pytest.approx(0.271210, abs=1e-6)
    assert d["pull_to_active_measurement"] == pytest.approx(0.327994, abs=1e-6) and tag(result) == "partial"


@pytest.mark.parametrize(("scale", "passes"), [(0.1699, True), (0.1701, False), (-0.4791, True), (-0.4793, False)])
def test_window_of_ccfr_has_two_sides(scale, passes):
    # shifts proportional to the Standard Model: R = (1 + scale)^2 between 0.271210 and 1.368790
    result = judge({"delta_g_v": (0.5 + 2 * SIN2_THETA_W) * scale, "delta_g_a": 0.5 * scale})
    assert result.predicted == pytest.approx((1 + scale) ** 2, rel=1e-12)
    assert (result.passes, vetoes(result), result.ratio <= 1.0) == (passes, not passes, passes)


@pytest.mark.few(2)
@pytest.mark.parametrize("experiment", ["ccfr", "charm2", "nutev"])
def test_light_mediator_with_its_propagator(experiment):
    constraint = TridentConstraint(experiment)
    result = constraint.evaluate(make_point(neutrino_trident_inputs={"light_mediator": MEDIATOR}))
    delta_V, delta_A = exchange(experiment, MEDIATOR)
    assert result.predicted == pytest.approx(expected_ratio(experiment, delta_V, delta_A), rel=1e-12)
    VV, AA = table(experiment)[1].sum(0)
    assert result.diagnostics["delta_c_vector"] == pytest.approx(2 * (VV * delta_V).sum() / VV.sum(), rel=1e-12)
    assert result.diagnostics["delta_c_axial"] == pytest.approx(2 * (AA * delta_A).sum() / AA.sum(), rel=1e-12)
    assert constraint.severity is (host.Severity.HARD if experiment == "ccfr" else host.Severity.INFO)
    same = {"mass": 0.31, "g_nu": 1.7e-3, "g_V": 1.25e-3, "g_A": 0.65e-3}
    np.testing.assert_allclose(trident_ratio(same, experiment), result.predicted, rtol=1e-13)


def test_amplitudes_of_model_and_mediator_add():
    shifts = np.array(REFERENCES["points"][1]["linear"])[:, None] + exchange("ccfr", MEDIATOR)
    result = judge({**MODEL, "light_mediator": MEDIATOR})
    assert result.predicted == pytest.approx(expected_ratio("ccfr", *shifts), rel=1e-8)


def test_budget_knows_the_direction():
    nutev = TridentConstraint("nutev")
    above, below = (nutev.evaluate(make_point(neutrino_trident_inputs={"delta_g_v": x})) for x in (0.3, -0.3))
    assert below.predicted < 0.72 < above.predicted
    assert above.budget == pytest.approx(1.959964 * 1.73, rel=1e-6)
    assert below.budget == pytest.approx(1.959964 * 0.72, rel=1e-6)
    assert below.ratio == pytest.approx((0.72 - below.predicted) / below.budget, rel=1e-12)
    own = TridentConstraint(measurement=(1.1, 0.2, 0.3)).evaluate(make_point(neutrino_trident_inputs=MODEL))
    assert (own.experimental, own.budget) == (1.1, pytest.approx(1.959964 * 0.2, rel=1e-6))


@pytest.mark.parametrize("payload", [MODEL, {**MODEL, "light_mediator": MEDIATOR}, {**MODEL, "Lambda_IR": "x"}, None])
def test_results_are_plain_and_the_same_again(payload):
    first, second = judge(payload), judge(payload)
    assert first == second
    for name in ("predicted", "sm_prediction", "experimental", "ratio", "budget"):
        assert type(getattr(first, name)) is float
    assert {type(x) for x in first.diagnostics.values()} <= {bool, float, str}
    assert all(type(first.diagnostics[key]) is float and np.isfinite(first.diagnostics[key]) for key in FLOAT_KEYS)


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("change", "embedding"),
    [
        ({"model_label": "custodial_rs_su2r", "T_R3": (0, -0.5)}, "custodial_trivial"),
        ({"model_label": "custodial_rs_plr", "T_R3": (-0.5, -1)}, "custodial_plr_mu"),
        ({"model_label": None, "T_R3": np.array([0.5, 0.0])}, "custodial_plr_nu"),
        ({"model_label": None, "embedding": "minimal"}, "minimal"),
    ],
)
def test_declared_embeddings(change, embedding):
    result = judge(TridentInputs(**{**MODEL, **change}))
    assert result.diagnostics["embedding"] == embedding
    expected = trident_ratio({"Lambda_IR": LAMBDA, "c_L": 0.58, "c_E2": 0.6, "embedding": embedding})
    assert result.predicted == pytest.approx(float(expected), rel=1e-13)


# --- what is missing or wrong --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("extras", "text"),
    [
        ({}, "neutrino_trident_inputs"),
        ({"lepton_mass_basis_couplings": RSLeptonMassBasisCouplings()}, "neutrino_trident_inputs"),
        ({"lepton_mass_basis_couplings": {"left": 0.3}}, "neutrino_trident_inputs"),
        ({"neutrino_trident_inputs": {}}, "Lambda_IR, delta_g_v or light_mediator"),
        ({"neutrino_trident_inputs": {**MODEL, "model_label": "custodial_rs_plr"}}, "T_R3"),
        ({"neutrino_trident_inputs": {**MODEL, "model_label": None}}, "model_label"),
        ({"neutrino_trident_inputs": {**MODEL, "c_E": None, "Lambda_IR": None}}, "Lambda_IR; .*c_E"),
        ({"neutrino_trident_inputs": {"light_mediator": {"g_nu": 0.1, "g_L": 0.1, "g_R": 0.2}}}, "light_mediator.mass"),
    ],
)
def test_missing_input_is_a_gap_in_coverage(extras, text):
    result = L023.evaluate(make_point(**extras))
    assert re.search(text, result.diagnostics["missing_extra"]) and "invalid_extra" not in result.diagnostics
    assert tag(result) == "stub" and not vetoes(result) and result.predicted == 1.0


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (
            {**MODEL, "Lambda_IR": float("nan"), "c_L": (0.6, "a", 0.5)},
            r"c_L\[1\] = 'a'.*Lambda_IR = nan; allowed: a fin",
        ),
        ({**MODEL, "Lambda_IR": -3.0}, r"Lambda_IR = -3; allowed: positive \[GeV\]"),
        ({**MODEL, "Lambda_IR": 3e4, "k": 2e4}, r"Lambda_IR = 30000, k = 20000; allowed: Lambda_IR below k"),
        ({**MODEL, "kappa_ir": -0.1}, r"kappa_IR = -0.1; allowed: 0 or more"),
        ({**MODEL, "kappa_uv": -70.0}, r"kappa_UV = -70, kappa_IR = 0; allowed: ln\(k/Lambda_IR\)"),
        ({**MODEL, "c_L": (0.6, 0.5)}, r"c_L = \(0.6, 0.5\); allowed: one number, or three"),
        ({**MODEL, "kappa_uv": True}, r"kappa_uv = True; allowed: a finite number"),
        ({**MODEL, "T_R3": (0.5, 0.5)}, r"T_R3 = \(0.5, 0.5\); allowed: \(0.0, 0.0\) \(minimal\)"),
        ({**MODEL, "model_label": "warped"}, "unknown model_label"),
        ({**MODEL, "embedding": "custodial_trivial"}, "unknown embedding"),
        ({**MODEL, "input_scheme": "alpha"}, "unknown scheme 'alpha'"),
        ({**MODEL, "delta_g_v": 0.1}, "allowed: a warped model or its shifts, not both"),
        ({**MODEL, "Lamda_IR": 3.0}, "unknown name 'Lamda_IR' in neutrino_trident_inputs; did you mean 'Lambda_IR'"),
        ({"delta_g_v": 1e200}, "a rate beyond floating point"),
        ({"delta_g_v": 1j}, r"delta_g_v = 1j; allowed"),
        ({"delta_g_v": 0.1, "sin2_theta_w": 0.5}, "sin2_theta_w = 0.5; allowed: between 0 and 1/2"),
        ({"light_mediator": {**MEDIATOR, "mass": 1e-4}}, r"mass = 0.0001; allowed: 1e-3 GeV or more"),
        ({"light_mediator": {**MEDIATOR, "g_V": 0.1}}, "muon couplings received: g_L, g_R, g_V"),
        ({"light_mediator": 3.0}, "light_mediator = 3.0; allowed: a mapping or a record with mass, g_nu"),
        (3, "neutrino_trident_inputs = 3; allowed: a mapping or a record"),
    ],
)
def test_wrong_input_fails_closed(payload, text):
    result = judge(payload)
    assert re.search(text, result.diagnostics["invalid_extra"]), result.diagnostics["invalid_extra"]
    assert result.diagnostics["invalid_input_policy"] == "fail_closed_m18"
    assert not result.passes and vetoes(result) and "missing_extra" not in result.diagnostics


def test_zero_dimensional_arrays_are_numbers():
    arrays = {**MODEL, "Lambda_IR": jnp.asarray(LAMBDA), "c_L": np.array([0.58] * 3), "kappa_uv": np.float64(0.0)}
    assert judge(arrays) == judge(MODEL)


@pytest.mark.parametrize(
    ("proxy", "payload"),
    [
        ({"delta_c_vector": 0.08, "delta_ca": -0.02}, {"delta_g_v": 0.04, "delta_g_a": -0.01}),
        ({"trident": {"trident_delta_c_vector": 0.08}}, {"delta_g_v": 0.04}),
        ({"g_nu_mu": 1.7e-3, "g_mu_left": 1.9e-3, "g_mu_right": 0.6e-3, "mediator_mass_gev": 0.31},
         {"light_mediator": MEDIATOR}),
    ],
)  # fmt: skip
def test_older_mappings_of_couplings(proxy, payload):
    result = judge(lepton_mass_basis_couplings=proxy, kk_ew_mass_gev=3000.0)
    assert result.predicted == pytest.approx(judge(payload).predicted, rel=1e-14) and tag(result) == "proxy"
    wrong = judge(lepton_mass_basis_couplings={**proxy, "trident": {"delta_cv": "much"}})
    assert "delta_cv = 'much'; allowed: a finite number" in wrong.diagnostics["invalid_extra"]


def test_constructor_refuses():
    with pytest.raises(InputError, match="unknown experiment with a folded response 'ccfrr'; did you mean 'ccfr'"):
        TridentConstraint("ccfrr")
    with pytest.raises(InputError, match=r"measurement = \(1.0, 0.0, 0.2\); allowed: finite"):
        TridentConstraint(measurement=(1.0, 0.0, 0.2))


def test_default_record_has_the_fields_of_the_protocol():
    ours, theirs = ([field.name for field in dataclasses.fields(x)] for x in (host.TridentResult, ConstraintResult))
    assert ours == theirs
    assert isolated(TridentConstraint(), make_point()).passes is False
