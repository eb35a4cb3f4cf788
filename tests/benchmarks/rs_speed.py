"""Randall-Sundrum: a million points of (g_V, g_A), and one NUTS gradient of the full chain, with their accuracy.

    python tests/benchmarks/rs_speed.py [points]

Baseline of the same run: the sums over 500 explicit modes that the closed forms replace, for one point in NumPy and
SciPy. Accuracy: worst relative difference of Theta(c, c') from those modes (their own tail is 1/N^3), and of the
compiled batch from one point at a time.
"""

import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

import tridentjax as tj
from tridentjax.inference.build import make_model
from tridentjax.runs.config import load_config

tj.enable_x64()
NAMES = ("Lambda_IR", "c_L_e", "c_L_mu", "c_R_mu", "kappa_UV", "kappa_IR")
LOW, HIGH = np.array([1e3, 0.3, 0.3, 0.3, -5.0, 0.0]), np.array([1e4, 0.8, 0.8, 0.8, 5.0, 2.0])
DIMUON = tj.Channel("mu", "mu", "mu")
MODES = 500


def batch(choices):
    bound = tj.bind_theory("rs", dict(zip(NAMES, LOW + 0.3, strict=True)) | choices)

    def point(x):
        current = bound.function(dict(zip(NAMES, x, strict=True)), DIMUON, jnp.zeros(1))
        return jnp.stack([current.g_V[0, 0], current.g_A[0, 0]])

    return point, jax.jit(lambda rows: jax.lax.map(point, rows, batch_size=4096))


def explicit(x):
    """CPU seconds of one Theta(c_L_e, c_L_mu) from explicit modes, and its difference from the closed form."""
    geometry = tj.WarpedGeometry(float(x[0]), kappa_UV=float(x[4]), kappa_IR=float(x[5]))
    start = time.process_time()
    roots = tj.kk_roots(geometry, MODES)
    omega = tj.kk_couplings(geometry, roots, x[1:3])
    total = (omega[:, 0] * omega[:, 1] / roots**2).sum()
    seconds = time.process_time() - start
    p, q = (tj.fermion(geometry, float(c)) for c in x[1:3])
    return seconds, abs(total - float(tj.tower_sum(geometry, p, q)))


def best(function, repeats):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(function())
        times.append(time.perf_counter() - start)
    return min(times)


def main(count):
    rows = jnp.asarray(np.random.default_rng(1).uniform(LOW, HIGH, (count, 6)))
    seconds, differences = zip(*(explicit(np.asarray(x)) for x in rows[:8]), strict=True)
    print(f"explicit sum of {MODES} modes: {np.median(seconds):.3f} CPU s a point, differs by {max(differences):.1e}")
    for choices in (
        {"order": "linear"},
        {"order": "exact"},
        {"order": "exact", "embedding": "custodial_plr_mu"},
    ):
        point, compiled = batch(choices)
        found = np.asarray(compiled(rows))
        run = best(lambda: compiled(rows), 3)  # noqa: B023
        one_by_one = np.stack([point(x) for x in rows[:20]])
        worst = np.abs(found[:20] - one_by_one).max()
        print(
            f"{' '.join(choices.values()):24} {1e6 * run / count:6.2f} s for 1e6 points, "
            f"{np.median(seconds) * count / run:.1e} times faster than one explicit sum, batch - single {worst:.0e}, "
            f"NaN {np.isnan(found).any(1).sum()}"
        )
    for name in ("zprime_ccfr", "rs_minimal", "rs_custodial", "rs_lmutau"):
        model = make_model(load_config(name))
        function, z = jax.jit(jax.value_and_grad(model.log_weight)), jnp.full(len(model.names), 0.1)
        start = time.perf_counter()
        jax.block_until_ready(function(z))
        compile_time = time.perf_counter() - start
        print(f"{name:14} {1e3 * best(lambda: function(z), 300):.3f} ms a gradient, compiled in {compile_time:.1f} s")  # noqa: B023


if __name__ == "__main__":
    main(int(float(sys.argv[1])) if len(sys.argv) > 1 else 1_000_000)
