"""The evaluator of scans: chunks and devices do not change a number, gradients are right, reasons are given."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fixtures_statistics import ALL, OFF, expanded_model, statistical_model

from tridentjax.inference.folded_model import fold_model
from tridentjax.scan.evaluator import (
    finish,
    input_status,
    kept,
    make_evaluator,
    nominal_outputs,
    profiled_outputs,
    with_delta_chi2,
)
from tridentjax.schema.scan import Condition, parse_keep
from tridentjax.theory.catalogue import find_theory

NAMES = ("mass", "g")
WANTED = ("rate_ratio_ccfr", "log_likelihood", "delta_chi2", "allowed")


def rows(count, seed=4):
    return np.exp(np.random.default_rng(seed).uniform(np.log([1e-3, 1e-4]), np.log([1e2, 0.3]), (count, 2)))


def outputs():
    return with_delta_chi2(nominal_outputs(fold_model(statistical_model("ccfr"))), -0.4, 5.99)


def test_blocks_equal_single_points():
    function, points = outputs(), rows(300)
    evaluate = make_evaluator(function, NAMES, WANTED, ("log_likelihood", "rate_ratio_ccfr"), size=300, batch=64)
    found = evaluate(points)
    assert set(found) == {*WANTED, *(f"d_{o}_d_{p}" for o in ("log_likelihood", "rate_ratio_ccfr") for p in NAMES)}
    single = jax.jit(function)
    slopes = {o: jax.jit(jax.jacfwd(lambda p, o=o: function(p)[o])) for o in ("log_likelihood", "rate_ratio_ccfr")}
    for i in (0, 63, 64, 299):
        point = dict(zip(NAMES, jnp.asarray(points[i]), strict=True))
        own = single(point)
        for name in WANTED:
            np.testing.assert_allclose(found[name][i], own[name], rtol=1e-13)
        for name in ("log_likelihood", "rate_ratio_ccfr"):
            slope = slopes[name](point)
            for parameter in NAMES:
                np.testing.assert_allclose(found[f"d_{name}_d_{parameter}"][i], slope[parameter], rtol=1e-9, atol=1e-12)
    assert found["allowed"].dtype == bool and 0 < found["allowed"].sum() < 300


@pytest.mark.slow
def test_sizes_batches_and_devices_do_not_matter():
    function, points = outputs(), rows(500)
    whole = make_evaluator(function, NAMES, WANTED, size=500, batch=128, devices=1)(points)
    for size, batch, devices in ((500, 128, 2), (500, 77, 2), (1000, 128, 1)):
        other = make_evaluator(function, NAMES, WANTED, size=size, batch=batch, devices=devices)
        for part in (slice(0, 500), slice(123, 124), slice(123, 400)):
            for name, x in other(points[part]).items():
                assert x.shape == (part.stop - part.start,)
                np.testing.assert_allclose(x, whole[name][part], rtol=1e-13)


def test_one_compilation_for_blocks_of_any_length():
    traces = []

    def function(point):
        traces.append(1)
        return {"log_likelihood": -point["mass"] * point["g"]}

    evaluate = make_evaluator(function, NAMES, ("log_likelihood",), size=100, batch=10)
    for count in (100, 1, 57):
        points = rows(count)
        np.testing.assert_allclose(evaluate(points)["log_likelihood"], -points[:, 0] * points[:, 1], rtol=1e-15)
    assert len(traces) <= 2  # shape evaluation and trace


@pytest.mark.slow
def test_four_devices():
    """Four forced CPU devices give the numbers of one, also where they do not divide the points."""
    code = """
import jax, numpy as np
jax.config.update("jax_enable_x64", True); jax.config.update("jax_num_cpu_devices", 4)
from tridentjax.scan.evaluator import make_evaluator
assert jax.local_device_count() == 4
def f(p):
    return {"y": jax.numpy.exp(-p["a"]) * p["b"], "low": p["a"] < 0.5}
rows = np.random.default_rng(0).uniform(size=(1003, 2))
one, four = (make_evaluator(f, ("a", "b"), ("y", "low"), ("y",), size=1003, batch=16, devices=n)(rows) for n in (1, 4))
assert len(four["y"].sharding.device_set) == 4, four["y"].sharding
for name in one:
    np.testing.assert_array_equal(one[name], four[name])
np.testing.assert_allclose(four["d_y_d_a"], -np.exp(-rows[:, 0]) * rows[:, 1], rtol=1e-14)
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=120)


@pytest.mark.slow
def test_profiled_nuisances_lower_delta_chi2():
    model, points = expanded_model("ccfr", ALL), rows(12, seed=9)
    nominal = nominal_outputs(fold_model(statistical_model("ccfr", OFF)))
    evaluate = make_evaluator(profiled_outputs(model), NAMES, ("log_likelihood",), size=12, batch=4)
    for row, best in zip(points, np.asarray(evaluate(points)["log_likelihood"]), strict=True):
        assert best >= float(nominal(dict(zip(NAMES, jnp.asarray(row), strict=True)))["log_likelihood"]) - 2e-4


def test_reasons():
    theory = find_theory("zprime")
    points = np.array([[0.1, 1e-3], [np.nan, 1e-3], [0.1, np.inf], [5e-4, 1e-3], [-0.1, 1e-3], [0.1, -1e-3]])
    status = input_status(points, NAMES, theory)
    assert status.tolist() == [0, 1, 1, 2, 2, 0]
    columns = {"x": np.array([1.0, 2.0, 3.0, 4.0, 5.0, np.nan]), "allowed": np.ones(6, dtype=bool)}
    done = finish(columns, status, np.float32)
    assert done.status.tolist() == [0, 1, 1, 2, 2, 3]
    assert np.isnan(done.columns["x"][1:]).all() and done.columns["allowed"].tolist() == [True] + [False] * 5
    assert done.columns["x"].dtype == np.float32
    above = (Condition("x", ">=", 1.0),)
    assert kept(done.columns, done.status, above, False).tolist() == [True] + [False] * 5
    assert kept(done.columns, done.status, above, True).all()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("delta_chi2 < 25", (Condition("delta_chi2", "<", 25.0),)),
        ("g>=1e-3 and mass == .5", (Condition("g", ">=", 1e-3), Condition("mass", "==", 0.5))),
    ],
)
def test_keep_is_parsed(text, expected):
    assert parse_keep(text) == expected


@pytest.mark.parametrize("text", ["delta_chi2", "g < h", "g < 1 or mass > 2", "g <> 1", "__import__('os') < 1", "and"])
def test_keep_is_no_code(text):
    with pytest.raises(ValueError, match=r"keep: .* is no comparison; allowed: NAME < NUMBER"):
        parse_keep(text)
