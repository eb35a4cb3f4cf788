"""Honesty of the quoted errors: pulls of 50 random cross sections against a 16 times larger sample.

Run `python tests/benchmarks/error_pulls.py [points]` (about one minute; points per scramble, default 512). It prints
every case, the largest pull and the root mean square, which should be below 3 and near 1.
"""

import sys

import numpy as np

import tridentjax as tj

tj.enable_x64()


def main(points: int) -> None:
    """Print the pulls of VV and AA."""
    random = np.random.default_rng(5)
    names = [name for name in tj.nucleus_names() if name != "H1"]
    channel = tj.Channel("mu", "mu", "mu")
    pulls = []
    for case in range(50):
        name, E_nu = names[random.integers(len(names))], float(10 ** random.uniform(-0.3, 3.0))
        regimes = tj.nucleus_regimes(tj.load_nucleus(name, "helm"))
        regime = regimes[random.integers(len(regimes))]
        small = tj.total_cross_section(channel, regime, E_nu, rtol=0.1, points=points, seed=case)
        large = tj.total_cross_section(channel, regime, E_nu, rtol=0.1, points=16 * points, seed=1000 + case)
        pull = np.asarray((small.value[:2] - large.value[:2]) / small.error[:2])
        pulls.append(pull)
        print(f"{case:2} {name:6} {regime.name:20} {E_nu:8.2f} GeV  {pull[0]:+.2f} {pull[1]:+.2f}", flush=True)
    print(f"largest pull {np.abs(pulls).max():.2f}, rms {np.sqrt(np.mean(np.square(pulls))):.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 512)
