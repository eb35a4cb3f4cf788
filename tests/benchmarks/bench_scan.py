"""Speed regressions with pytest-benchmark: `pytest tests/benchmarks/bench_scan.py` (extra `dev`).

Baselines are in `speed.py`. Times are of 2^18 points of L_mu - L_tau against CCFR; the accuracy is stored beside them
(`extra_info`), compilation is measured apart. `--benchmark-save` and `--benchmark-compare` keep and compare runs.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fixtures_statistics import OFF, statistical_model

from tridentjax.inference.folded_model import fold_model, in_float32
from tridentjax.scan.evaluator import make_evaluator, nominal_outputs, single_precision_error
from tridentjax.scan.parts import Column, write_part
from tridentjax.scan.points import Random, sobol_points

NAMES, COUNT = ("mass", "g"), 2**18
WANTED = ("rate_ratio_ccfr", "log_likelihood")


@pytest.fixture(scope="module")
def folded():
    return fold_model(statistical_model("ccfr", OFF))


@pytest.fixture(scope="module")
def rows():
    return np.exp(np.random.default_rng(1).uniform(np.log([1e-3, 1e-5]), np.log([1e3, 3.0]), (COUNT, 2)))


def deviation(folded, rows):
    """Largest |R/R_chain - 1| over the first rows."""
    model = statistical_model("ccfr", OFF)
    responses = model.responses({})

    def one(row):
        point = dict(zip(NAMES, row, strict=True))
        return folded.rate_ratios(point) / model.rate_ratios(point, responses) - 1.0

    return float(jnp.abs(jax.lax.map(one, jnp.asarray(rows[:256]))).max())


@pytest.mark.parametrize("gradients", [(), ("log_likelihood",)], ids=["value", "gradient"])
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_evaluate(benchmark, folded, rows, gradients, precision):
    single = precision == "float32"
    outputs = nominal_outputs(in_float32(folded) if single else folded)
    evaluate = make_evaluator(outputs, NAMES, WANTED, gradients, size=COUNT, batch=256, single=single)
    jax.block_until_ready(evaluate(rows))
    benchmark(lambda: jax.block_until_ready(evaluate(rows)))
    error = (
        single_precision_error(folded, NAMES, rows[:256])["rate_ratio_relative"] if single else deviation(folded, rows)
    )
    benchmark.extra_info |= {"points": COUNT, "relative_error_of_R": error}
    assert error < (1e-5 if single else 1e-12)


def test_compile(benchmark, folded, rows):
    def compiled():
        evaluate = make_evaluator(nominal_outputs(folded), NAMES, WANTED, size=1024, batch=256)
        jax.block_until_ready(evaluate(rows[:1024]))

    benchmark.pedantic(compiled, rounds=3)


@pytest.mark.parametrize("source", [sobol_points(2**30, 2, 1), Random(1, 2)], ids=["sobol", "random"])
def test_points(benchmark, source):
    found = benchmark(lambda: source(2**29, 2**29 + COUNT))
    benchmark.extra_info["largest_deviation_of_mean"] = float(np.abs(found.mean(0) - 0.5).max())
    assert np.abs(found.mean(0) - 0.5).max() < 5e-3


def test_write(benchmark, rows, tmp_path):
    columns = {f"c{i}": np.roll(rows[:, 0], i) for i in range(8)}
    about = {name: Column("1", "") for name in columns}
    benchmark(lambda: write_part(tmp_path / "part-000000.parquet", columns, about, {}))
    benchmark.extra_info["bytes"] = (tmp_path / "part-000000.parquet").stat().st_size
