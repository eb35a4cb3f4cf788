"""Speed of scans and gradients, with the accuracy beside it, against baselines measured in the same run.

Run `python tests/benchmarks/speed.py [--points N] [--out FILE]`: a table for the device that JAX finds, in about three
minutes on two cores; on a GPU also batches that stay there and NUTS with 1024 chains. Without a GPU it says so and
exits 0. Every line is L_mu - L_tau against CCFR, CHARM-II and NuTeV together, float64 unless it says otherwise.

Baselines: (a) the same contraction written by hand, without names, likelihood records or files; (b) bandwidth of
copying memory; (c) `vegas` on one dimuon cross section at one energy to 1 % (a point of a scan needs dozens of them);
(d) `R_trident` of flavio, where it is installed, which knows the contact limit only.
"""

import argparse
import json
import os
import platform
import resource
import sys
import tempfile
import time
from pathlib import Path

os.environ["JAX_ENABLE_X64"] = "1"
import jax

jax.config.update("jax_num_cpu_devices", min(4, os.cpu_count() or 1))

import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from jax.sharding import AxisType, PartitionSpec  # noqa: E402

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

NAMES = ("mass", "g")
LOW, HIGH = np.log([1e-3, 1e-5]), np.log([1e3, 3.0])
WANTED = ("rate_ratio_ccfr", "rate_ratio_charm2", "rate_ratio_nutev", "log_likelihood", "delta_chi2", "allowed")
G_F, S2 = 1.1663788e-5, 0.23122


def best_of(function, repeat=5):
    """Shortest wall time, and the CPU time of the same call, in seconds; the first call is not counted."""
    jax.block_until_ready(function())
    times = []
    for _ in range(repeat):
        wall, cpu = time.perf_counter(), time.process_time()
        jax.block_until_ready(function())
        times.append((time.perf_counter() - wall, time.process_time() - cpu))
    return min(times)


def bare_contraction(folded, gradient):
    """Baseline (a): g_V, g_A -> R -> Gaussian ln L on stacked weights, by hand; all devices, chunks of 256."""
    W, K2 = folded.weights.sum(1), folded.K2
    value = jnp.asarray([m.value for m in folded.measurements])
    sd = jnp.asarray([m.uncertainty_low for m in folded.measurements])

    def one(row):
        g_V = 0.5 + 2 * S2 + row[1] ** 2 / (np.sqrt(2.0) * G_F * (row[0] ** 2 + K2))
        R = W[:, 0] @ (g_V * g_V) + 0.25 * W[:, 1].sum(-1)
        return (-0.5 * ((value - R) / sd) ** 2).sum()

    mesh = jax.make_mesh((jax.local_device_count(),), ("point",), axis_types=(AxisType.Auto,))
    along, batch = PartitionSpec("point"), 256 if jax.default_backend() == "cpu" else 2**16
    function = jax.value_and_grad(one) if gradient else one
    return jax.jit(
        jax.shard_map(
            lambda rows: jax.lax.map(function, rows, batch_size=batch), mesh=mesh, in_specs=along, out_specs=along
        )
    )


def copy_bandwidth():
    """Baseline (b): bytes read and written per second."""
    source = np.ones(2**27)
    target = np.empty_like(source)
    seconds, _ = best_of(lambda: np.copyto(target, source))
    return 2 * source.nbytes / seconds


def vegas_point(rtol=1e-2):
    """Baseline (c): CPU seconds for one coherent cross section on argon at 20 GeV."""
    import oracle_vegas as oracle
    import vegas

    import tridentjax as tj

    process = oracle.process("mu", "mu")
    target = oracle.woods_saxon_target(18, 40, tj.load_nucleus("Ar40", "woods-saxon").mass)

    @vegas.lbatchintegrand
    def batch(u):
        return oracle.integrand(process, target, 20.0, np.asarray(u))

    started = time.process_time()
    integrator = vegas.Integrator([[0.0, 1.0]] * oracle.DIMENSION)
    neval = 2000
    integrator(batch, nitn=5, neval=neval)
    while True:
        result = integrator(batch, nitn=5, neval=neval)[0]
        if result.sdev <= rtol * result.mean:
            return time.process_time() - started
        neval *= 2


def flavio_point():
    """Baseline (d): CPU seconds of the fastest call, or None where flavio is not there."""
    try:
        import flavio
    except Exception:  # not installed, or with a particle that it cannot read
        return None
    coefficients = flavio.WilsonCoefficients()
    coefficients.set_initial({"CVLL_numunumumumu": 0.1}, 1.0, eft="WET-3", basis="flavio")  # nothing to run
    flavio.np_prediction("R_trident", coefficients)
    started, calls = time.process_time(), 50
    for _ in range(calls):
        flavio.np_prediction("R_trident", coefficients)
    return (time.process_time() - started) / calls


def accuracy(model, folded, rows):
    """Largest relative deviation of R from the chain itself."""
    responses = model.responses({})

    @jax.jit
    def both(row):
        point = dict(zip(NAMES, row, strict=True))
        return folded.rate_ratios(point) / model.rate_ratios(point, responses) - 1.0

    return float(np.abs(jax.lax.map(both, jnp.asarray(rows))).max())


def written(spec, folder):
    """Points per second of the scan with its files, without setup and compilation, and peak memory [GiB]."""
    from tridentjax.runs.config import config_path
    from tridentjax.runs.scan import scan_run

    summary, _ = scan_run(spec, folder, config=config_path("zprime_plane"))
    return summary, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main():
    """Measure and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--points", type=int, default=8 * 2**20, help="of the scan that is written")
    parser.add_argument("--resident", type=int, default=0, help="points of device-resident batches, also without a GPU")
    parser.add_argument("--out", default=None, help="also write the table as JSON")
    options = parser.parse_args()

    from tridentjax.inference.build import make_model
    from tridentjax.inference.folded_model import fold_model, in_float32
    from tridentjax.runs.config import load_config
    from tridentjax.scan.evaluator import make_evaluator, nominal_outputs, single_precision_error, with_delta_chi2
    from tridentjax.scan.points import sobol_points

    started = time.perf_counter()
    model = make_model(load_config("zprime_plane"))
    folded = fold_model(model)
    setup = time.perf_counter() - started
    count = 2**20
    rows = np.exp(LOW + (HIGH - LOW) * sobol_points(count, 2, 1)(0, count))
    table = []

    def line(what, seconds, cpu, note=""):
        table.append({"what": what, "points_per_second": count / seconds, "cpu_s_per_point": cpu / count, "note": note})
        print(f"{what:58} {count / seconds:10.3g} points/s  {cpu / count:9.2e} CPU s a point  {note}")
        return seconds, cpu

    kind = jax.devices()[0].device_kind
    print(
        f"{jax.local_device_count()} x {kind} ({jax.default_backend()}), {os.cpu_count()} cores, "
        f"jax {jax.__version__}, Python {platform.python_version()}; model and kernels ready after {setup:.1f} s"
    )
    error = accuracy(model, folded, rows[:4096])
    print(f"accuracy: largest |R/R_chain - 1| over 4096 points {error:.1e}")
    bare, bare_gradient = (bare_contraction(folded, gradient) for gradient in (False, True))
    a, _ = line("(a) bare contraction", *best_of(lambda: bare(rows)))
    b, _ = line("(a) bare contraction, value and gradient", *best_of(lambda: bare_gradient(rows)))
    plain = with_delta_chi2(nominal_outputs(folded), -1.84, 5.99)
    evaluate = make_evaluator(plain, NAMES, WANTED, size=count)
    v, v_cpu = line("scan, six columns, not written", *best_of(lambda: evaluate(rows)), f"{error:.1e} of R")
    evaluate = make_evaluator(plain, NAMES, WANTED, ("log_likelihood",), size=count)
    g, _ = line("scan with gradient, not written", *best_of(lambda: evaluate(rows)))
    single = single_precision_error(folded, NAMES, rows[:4096])
    evaluate = make_evaluator(
        with_delta_chi2(nominal_outputs(in_float32(folded)), -1.84, 5.99), NAMES, WANTED, size=count, single=True
    )
    line(
        "scan in float32, not written",
        *best_of(lambda: evaluate(rows)),
        f"{single['rate_ratio_relative']:.1e} of R, {single['log_likelihood_absolute']:.1e} of ln L",
    )
    with tempfile.TemporaryDirectory() as folder:
        for name, more in (
            ("scan to Parquet, 10 columns", ()),
            ("scan with gradient to Parquet, 12 columns", ("scan.gradients=[log_likelihood]",)),
        ):
            spec = load_config("zprime_plane", (f"scan.points={options.points}", *more))
            summary, memory = written(spec, Path(folder) / str(len(more)))
            table.append({"what": name, "points_per_second": summary["points_per_second"], "peak_memory_GiB": memory})
            print(
                f"{name:58} {summary['points_per_second']:10.3g} points/s  {options.points} points with compilation, "
                f"peak memory {memory:.2f} GiB"
            )
    bandwidth = copy_bandwidth()
    traffic = count * 8 * (len(NAMES) + len(WANTED)) / v
    print(f"\nwithout writing / bare: {a / v:.2f}; gradient / value: {g / v:.2f} (bare {b / a:.2f})")
    print(
        f"(b) memory copy {bandwidth / 1e9:.1f} GB/s; the scan moves {traffic / 1e9:.2f} GB/s of columns: "
        f"{traffic / bandwidth:.1%} of it"
    )
    vegas_cpu, flavio_cpu = vegas_point(), flavio_point()
    print(
        f"(c) vegas at 1 %: {vegas_cpu:.3g} CPU s a cross section, {vegas_cpu / (v_cpu / count):.2g} times a point here"
    )
    if flavio_cpu is None:
        print("(d) flavio is not installed (extra `peers`)")
    else:
        print(f"(d) flavio R_trident: {flavio_cpu:.3g} CPU s, {flavio_cpu / (v_cpu / count):.2g} times a point here")
    if jax.default_backend() == "cpu" and not options.resident:
        print("no GPU here: device-resident batches, roofline and NUTS with 1024 chains were not measured")
    else:
        from resident_speed import resident_table

        table += resident_table(folded, options.resident or 2**26)
    if options.out:
        Path(options.out).write_text(json.dumps({"device": kind, "jax": jax.__version__, "rows": table}, indent=2))


if __name__ == "__main__":
    main()
