"""Speed of the plug-in for flavour scans: first and later points, and the lepton grid of 91,348,803 rows.

    python tests/benchmarks/host_speed.py [--rows N] [--json]

Every figure is taken in its own process, the first point with an empty cache folder.
"""

import argparse
import json
import multiprocessing
import os
import resource
import tempfile
import time

import numpy as np

AXES = {  # c_L, Lambda_IR [GeV], c_N, c_E1 x c_E2 x c_E3, M_N/k, lightest neutrino mass
    "c_L": np.linspace(0.1, 0.9, 81),
    "Lambda_IR": np.linspace(3e3, 15e3, 13),
    "c_N": np.arange(51),
    "c_E2": np.tile([0.5, 0.6, 0.75], 9),
    "M_N": np.arange(3),
    "m_lightest": np.arange(21),
}


class Point:
    """Minimal RS and a light mediator."""

    def get_extra(self, key):
        """The payload, under its key."""
        if key != "neutrino_trident_inputs":
            return None
        light = {"mass": 0.2, "g_nu": 1e-3, "g_L": 1e-3, "g_R": 1e-3}
        return {"Lambda_IR": 1225.69, "c_L": 0.58, "c_E": 0.6, "model_label": "minimal_rs", "light_mediator": light}


def points():
    """First point (with imports) and a later one."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TRIDENTJAX_CACHE"] = folder
        from tridentjax.host import TridentConstraint

        constraint, point = TridentConstraint(), Point()
        constraint.evaluate(point)
        first = time.perf_counter() - start
        start = time.perf_counter()
        for _ in range(300):
            constraint.evaluate(point)
    return {"first_seconds": first, "warm_milliseconds": (time.perf_counter() - start) / 300 * 1e3}


def column(name, rows):
    """A column of the product grid, last axis fastest."""
    shape = [axis.size for axis in AXES.values()]
    mine = [-1 if key == name else 1 for key in AXES]
    return np.broadcast_to(AXES[name].reshape(mine), shape).reshape(-1)[:rows]


def rows_of_table(order, rows):
    """Three columns of float64 in the grid's order, or shuffled."""
    from tridentjax.host import trident_ratio_table

    names = ("Lambda_IR", "c_L", "c_E2")
    if order == "product":
        columns = [column(name, rows) for name in names]
    else:
        random = np.random.default_rng(1)
        columns = [random.choice(AXES[name], rows) for name in names]
    out = np.ones(rows)  # touched, so that its pages are not counted as extra
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    trident_ratio_table(*columns, out=out)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {f"{order}_seconds": seconds, f"{order}_peak_GiB": peak / 2**20, "extra_MiB": (peak - before) / 2**10}


def main():
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=91_348_803)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    figures = {"rows": given.rows}
    spawn = multiprocessing.get_context("spawn")
    for function, arguments in (
        (points, ()),
        (rows_of_table, ("shuffled", given.rows)),
        (rows_of_table, ("product", given.rows)),
    ):
        with spawn.Pool(1) as pool:
            figures |= pool.apply(function, arguments)
    print(json.dumps(figures) if given.json else "\n".join(f"{key:20} {value:.6g}" for key, value in figures.items()))


if __name__ == "__main__":
    main()
