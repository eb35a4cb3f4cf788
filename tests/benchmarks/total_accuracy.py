"""Accuracy of total cross sections: every pair of leptons and target at 20 energies, with pulls against events.

python tests/benchmarks/total_accuracy.py [PAIR ...]     e.g. mu,mu e,e e,mu mu,tau; default: all six pairs

For every pair: the largest quoted relative error of VV + AA of the whole target, how many of the numbers came
from events, CPU seconds, and pulls of the table against event integrals of another seed at random points.
"""

import sys
import time

import numpy as np

import tridentjax as tj

tj.enable_x64()

from tridentjax.currents import Channel  # noqa: E402
from tridentjax.nucleus.regimes import target_regimes  # noqa: E402
from tridentjax.process.cross_section import total_cross_section  # noqa: E402
from tridentjax.process.phase_space import threshold_energy  # noqa: E402
from tridentjax.process.totals import cross_sections, tabulated_cross_section  # noqa: E402

PAIRS = {
    "mu,mu": Channel("mu", "mu", "mu"),
    "e,e": Channel("mu", "e", "e"),
    "e,mu": Channel("mu", "mu", "e"),
    "tau,tau": Channel("mu", "tau", "tau"),
    "mu,tau": Channel("mu", "mu", "tau"),
    "e,tau": Channel("e", "e", "tau"),
}
TARGETS = ("proton", "neutron", "C12", "O16", "Ar40", "Fe56", "W184", "Pb208")
COMPARISONS = 6


def main() -> None:
    """Print one line a pair and target, then the pulls."""
    generator = np.random.default_rng(7)
    for name in sys.argv[1:] or PAIRS:
        channel = PAIRS[name]
        cases = []
        for target in TARGETS:
            regimes = [regime for _, regime in target_regimes(target)]
            lowest = max(0.2, 1.05 * min(threshold_energy(channel, regime.mass) for regime in regimes))
            energies = np.geomspace(lowest, 5000.0, 20)
            start = time.process_time()
            results = cross_sections(channel, regimes, energies.tolist(), rtol=1e-3)
            seconds = time.process_time() - start
            value = sum(result.value[:, :2].sum(1) for result in results)
            error = sum(result.error[:, :2].sum(1) for result in results)
            relative = error[value > 0.0] / value[value > 0.0]
            sampled = sum(int(result.sampled.sum()) for result in results)
            print(
                f"{name:8} {target:8} error of VV + AA: median {np.median(relative):.1e}, "
                f"largest {relative.max():.1e}; {sampled} of {20 * len(regimes)} from events; {seconds:.1f} CPU s",
                flush=True,
            )
            cases += [(target, regime, energy) for regime in regimes for energy in energies[3:]]
        pulls = []
        for index in generator.choice(len(cases), COMPARISONS, replace=False):
            target, regime, energy = cases[index]
            table = tabulated_cross_section(channel, regime, [energy])
            events = total_cross_section(channel, regime, energy, rtol=5e-4, seed=99, floor=1e-3 * table.value[0, 0])
            both = np.hypot(table.error[0], np.asarray(events.error))
            pull = (table.value[0] - np.asarray(events.value)) / np.where(both > 0.0, both, np.inf)
            pulls.append(pull[:2])
            ratio = table.value[0, :2].sum() / max(float(events.value[:2].sum()), 1e-300) - 1.0
            print(
                f"{name:8} {target:8} {regime.name:20} {energy:8.3g} GeV: table/events - 1 = {ratio:+.1e}, "
                f"pull {pull[0]:+.2f}"
            )
        print(f"{name:8} largest pull {np.abs(pulls).max():.2f}", flush=True)


if __name__ == "__main__":
    main()
