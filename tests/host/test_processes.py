"""The plug-in in other processes: nothing hangs, nothing starts early."""

import multiprocessing
import subprocess
import sys
import textwrap

import pytest

from tridentjax.host import trident_ratio

PRELUDE = """
import multiprocessing, sys, warnings
from tridentjax.host import TridentConstraint, trident_ratio
class Point:
    def get_extra(self, key):
        return {"delta_g_v": 0.05, "delta_g_a": -0.03} if key == "neutrino_trident_inputs" else None
constraint = TridentConstraint()
"""


def run(code, folder, prelude=PRELUDE, **environment):
    """Standard output of a program in a fresh process with an empty cache; a hang is a failure."""
    path = folder / "program.py"
    path.write_text(prelude + textwrap.dedent(code))
    result = subprocess.run(
        [sys.executable, path], capture_output=True, text=True, check=False, timeout=120,
        env={"TRIDENTJAX_CACHE": str(folder / "cache"), "PATH": "", "JAX_PLATFORMS": "cpu", **environment},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.slow
def test_jax_starts_with_the_first_point_and_keeps_its_precision(tmp_path):
    out = run(
        """
        import time
        assert "jax" not in sys.modules
        assert constraint.evaluate(type("Empty", (), {"get_extra": lambda self, key: None})()).passes is False
        assert "jax" not in sys.modules
        payload = {"Lambda_IR": 1225.691031, "c_L": 0.58, "c_E": 0.6, "model_label": "minimal_rs"}
        payload["light_mediator"] = {"mass": 0.2, "g_nu": 1e-3, "g_L": 1e-3, "g_R": 1e-3}
        model = type("Model", (), {"get_extra": lambda self, key: payload})()
        start = time.process_time()
        constraint.evaluate(model)
        first = time.process_time() - start
        times = []
        for _ in range(50):
            start = time.perf_counter()
            constraint.evaluate(model)
            times.append(time.perf_counter() - start)
        import jax
        assert jax.numpy.ones(()).dtype == jax.numpy.float32 and not jax.config.jax_enable_x64
        print(first, min(times), repr(constraint.evaluate(Point()).predicted))
        """,
        tmp_path,
        JAX_ENABLE_X64="0",
    )
    first, warm, predicted = map(float, out.split())
    assert first < 5.0 and warm < 1e-3
    assert predicted == pytest.approx(float(trident_ratio({"delta_g_V": 0.05, "delta_g_A": -0.03})), rel=1e-14)
    assert not (tmp_path / "cache").exists()  # no leptonic table was needed


@pytest.mark.slow
@pytest.mark.parametrize("method", ["spawn", "fork"])
@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
def test_pools(method, tmp_path):
    out = run(
        f"""
        if __name__ == "__main__":
            with multiprocessing.get_context("{method}").Pool(2) as pool:
                results = pool.map(constraint.evaluate, [Point()] * 6, chunksize=1)
            assert "jax" not in sys.modules
            print(*{{repr(result.predicted) for result in results}}, len(results))
        """,
        tmp_path,
    )
    predicted, count = map(float, out.split())
    assert predicted == pytest.approx(float(trident_ratio({"delta_g_V": 0.05, "delta_g_A": -0.03})), rel=1e-14)
    assert count == 6


REFUSAL = "this process was forked from one in which JAX had started, where JAX would wait for ever; start workers with"


@pytest.mark.slow
@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
@pytest.mark.parametrize(
    ("parent", "answer"),
    [("trident_ratio({'delta_g_V': 0.1})", REFUSAL), ("import jax", "True")],  # imported is not started
)
def test_fork_of_a_process_that_has_used_jax(parent, answer, tmp_path):
    out = run(
        f"""
        {parent}
        warnings.simplefilter("ignore", RuntimeWarning)  # JAX's own, at the fork
        with multiprocessing.get_context("fork").Pool(1) as pool:
            try:
                print(pool.apply(constraint.evaluate, (Point(),)).passes)
            except RuntimeError as error:
                print(error)
        """,
        tmp_path,
    )
    assert out.startswith(answer)


LATE = """
import multiprocessing, sys, warnings
import jax, numpy

def worker(starts):
    if starts:
        jax.numpy.ones(3).sum()
    numpy.ones((300, 300)) @ numpy.ones((300, 300))  # threads of its own
    from tridentjax.host import trident_ratio
    try:
        return float(trident_ratio({"delta_g_V": 0.1})) > 1.0
    except RuntimeError as error:
        return str(error)

warnings.simplefilter("ignore", RuntimeWarning)
if PARENT:
    jax.numpy.ones(3).sum()
with multiprocessing.get_context("fork").Pool(1) as pool:
    print(pool.apply(worker, (not PARENT,)))
"""


@pytest.mark.few(1)
@pytest.mark.skipif(sys.platform != "linux", reason="looks at the threads under /proc")
@pytest.mark.parametrize(("parent", "answer"), [(True, REFUSAL), (False, "True")])
def test_plug_in_imported_after_the_fork(parent, answer, tmp_path):
    assert run("", tmp_path, prelude=f"PARENT = {parent}" + LATE).startswith(answer)
