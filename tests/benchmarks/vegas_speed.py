"""Speed against vegas: CPU time of 100 energies x 3 regimes of dimuon production on 40Ar.

Run `python tests/benchmarks/vegas_speed.py` (about two minutes on one core). vegas 6 integrates the NumPy integrand of
`tests/oracle_vegas.py` to 0.1 % at four of the energies in each regime; its time for all 300 totals is extrapolated.
tridentjax computes all 300, first with an empty cache, then with a filled one. Every measurement is a process of its
own: CPU time is user + system time of all its threads from the start of Python, imports and compilation included.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

REGIMES = ("coherent", "incoherent_proton", "incoherent_neutron")
ENERGIES = np.geomspace(1.03, 487.0, 100)  # [GeV]
SAMPLED = (3, 35, 66, 96)  # the energies that vegas integrates
RTOL = 1e-3
NUCLEUS, Z, A = "Ar40", 18, 40


def tridentjax_totals(channel, regime):
    """VV, AA, VA [cm^2] and their errors at all energies, shape (energy, 3) each."""
    from tridentjax.process.totals import tabulated_cross_section

    result = tabulated_cross_section(channel, regime, ENERGIES.tolist())
    return np.asarray(result.value), np.asarray(result.error)


def work_tridentjax():
    """All energies and regimes."""
    import tridentjax as tj

    tj.enable_x64()
    imported = time.process_time()
    channel = tj.Channel("mu", "mu", "mu")
    regimes = {r.name: r for r in tj.nucleus_regimes(tj.load_nucleus(NUCLEUS, "woods-saxon"))}
    totals = [tridentjax_totals(channel, regimes[name]) for name in REGIMES]
    return {
        "imports": imported,
        "value": [value.tolist() for value, _ in totals],
        "error": [error.tolist() for _, error in totals],
    }


def work_vegas():
    """The sampled energies in every regime; `count` nucleons as in tridentjax."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
    import oracle_vegas as oracle

    import tridentjax as tj

    imported = time.process_time()
    nucleus = tj.load_nucleus(NUCLEUS, "woods-saxon")
    started = time.process_time()
    targets = [
        (oracle.woods_saxon_target(Z, A, nucleus.mass), 1),
        (oracle.nucleon_target("proton", nucleus.p_fermi), Z),
        (oracle.nucleon_target("neutron", nucleus.p_fermi), A - Z),
    ]
    setup = time.process_time() - started
    rows = []
    for target, count in targets:
        for i in SAMPLED:
            started = time.process_time()
            value, error, evaluations = vegas_to_tolerance(oracle, target, ENERGIES[i], seed=len(rows))
            cpu = time.process_time() - started
            rows.append([cpu, evaluations, (count * value).tolist(), (count * error).tolist()])
    return {"imports": imported + setup, "rows": rows}


def vegas_to_tolerance(oracle, target, E_nu, seed):
    """VV + AA, VV, AA, VA with errors: a short adaptation, then iterations of a frozen grid until RTOL is reached.

    These settings came out of a scan: 5 x 20 000 evaluations adapt as well as pays off at 0.1 %.
    """
    import gvar
    import vegas

    process = oracle.process("mu", "mu")
    count = 0

    @vegas.lbatchintegrand
    def batch(u):
        nonlocal count
        count += u.shape[0]
        return oracle.integrand(process, target, E_nu, np.asarray(u))

    random = np.random.default_rng(seed)
    cube = [[0.0, 1.0]] * oracle.DIMENSION
    integrator = vegas.Integrator(cube, ran_array_generator=random.random, alpha=1.0)
    integrator(batch, nitn=5, neval=20_000)
    results = []
    while True:
        results.append(integrator(batch, nitn=1, neval=40_000, adapt=False))
        value = np.mean([gvar.mean(r) for r in results], axis=0)
        error = np.sqrt(np.sum([gvar.var(r) for r in results], axis=0)) / len(results)
        if error[0] <= RTOL * value[0]:
            return value, error, count


def measured(worker, cache):
    """Result of a worker in its own process, with its CPU time [s], wall time [s] and peak memory [MiB]."""
    environment = os.environ | {"TRIDENTJAX_CACHE": cache, "JAX_PLATFORMS": "cpu"}
    # threads that spin while they wait would be charged as CPU time
    environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    started = time.monotonic()
    output = subprocess.run(
        [sys.executable, __file__, worker], env=environment, stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    return json.loads(output.splitlines()[-1]) | {"wall": time.monotonic() - started}


def run_worker(name):
    """Print the result of a worker as one line of JSON."""
    result = {"vegas": work_vegas, "tridentjax": work_tridentjax}[name]()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes there, KiB on Linux
    print(json.dumps(result | {"cpu": usage.ru_utime + usage.ru_stime, "memory": usage.ru_maxrss / unit}))


def main():
    """Measure and print the table."""
    with tempfile.TemporaryDirectory() as cache:
        cold, warm = measured("tridentjax", cache), measured("tridentjax", cache)
        vegas = measured("vegas", cache)

    ours, our_error = np.asarray(cold["value"]), np.asarray(cold["error"])
    both = ours[..., 0] + ours[..., 1]
    print(f"dimuons on {NUCLEUS}, deviation = tridentjax/vegas - 1 of VV + AA\n")
    print(
        "regime                E/GeV    sigma_VV+AA/cm^2   vegas err   our err  deviation   pull   evals  vegas CPU/s"
    )
    pulls, cpu = [], np.zeros((len(REGIMES), len(SAMPLED)))
    for row, (seconds, evaluations, value, error) in enumerate(vegas["rows"]):
        r, column = divmod(row, len(SAMPLED))
        i = SAMPLED[column]
        cpu[r, column] = seconds
        deviation = both[r, i] / value[0] - 1
        # VV and AA of one calculation rise and fall together, so their errors add
        own = (our_error[r, i, 0] + our_error[r, i, 1]) / both[r, i]
        pulls.append(deviation / np.hypot(error[0] / value[0], own))
        print(
            f"{REGIMES[r]:19} {ENERGIES[i]:8.2f}  {value[0]:18.5e}  {error[0] / value[0]:9.1e} {own:9.1e} "
            f"{deviation:+10.1e}  {pulls[-1]:+5.2f} {evaluations:8d} {seconds:10.2f}"
        )
    print(f"root mean square pull {np.sqrt(np.mean(np.square(pulls))):.2f}, largest {np.abs(pulls).max():.2f}")

    at = np.log(ENERGIES[list(SAMPLED)])
    total = vegas["imports"] + sum(np.interp(np.log(ENERGIES), at, seconds).sum() for seconds in cpu)
    cases = len(REGIMES) * ENERGIES.size
    print(f"\n{f'{cases} totals':40} {'CPU/s':>7} {'wall/s':>7} {'imports/s':>10} {'peak MiB':>9} {'vegas/this':>11}")
    label = f"vegas at {RTOL:.1%}, extrapolated from {cpu.size}"
    print(f"{label:40} {total:7.0f} {'-':>7} {vegas['imports']:10.1f} {vegas['memory']:9.0f} {1:11}")
    for name, run in (("empty cache", cold), ("filled cache", warm)):
        print(
            f"{f'tridentjax, {name}':40} {run['cpu']:7.1f} {run['wall']:7.1f} {run['imports']:10.1f} "
            f"{run['memory']:9.0f} {total / run['cpu']:11.0f}"
        )
    relative = our_error[..., :2].sum(-1) / both
    print(f"tridentjax quotes {np.median(relative):.1e} (median) and {relative.max():.1e} (largest) for VV + AA")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        run_worker(sys.argv[1])
    else:
        main()
