"""Accuracy and cost of the kernels: the packaged table against one refined in every direction at once.

Run `python tests/benchmarks/kernel_accuracy.py` (about three minutes on two cores). It prints, for the CCFR, CHARM-II
and NuTeV chains, the largest relative change of the SM rate, of the rate ratio in the contact limit and of the rate
ratio of an L_mu - L_tau boson from 1 MeV to 1 TeV, then the time of a kernel build and of one gradient.
"""

import time

import jax
import numpy as np

import tridentjax as tj
from tridentjax.process import leptonic_table
from tridentjax.rates import chain as rates

tj.enable_x64()
jax.config.update("jax_num_cpu_devices", 2)
import jax.numpy as jnp  # noqa: E402

MASSES = np.geomspace(1e-3, 1e3, 19)
FINE = leptonic_table.Resolution(0.2, 0.4, 22, 18, 1.25)


def predictions(chain: tj.Chain) -> tuple[float, np.ndarray]:
    """SM rate and rate ratios at the wall of g (R about 1.37) for every mass, contact limit last."""
    response = tj.fold(chain)
    zprime, contact = tj.theories.zprime, tj.theories.contact
    g = np.sqrt(8.5e-4**2 + (MASSES / 545.0) ** 2)
    ratios = [tj.rate_ratio(response, zprime, {"mass": m, "g": x}) for m, x in zip(MASSES, g, strict=True)]
    ratios.append(tj.rate_ratio(response, contact, {"delta_g_V": 0.2, "delta_g_A": -0.1}))
    return float(tj.signal(response, tj.theories.sm, {}).sum()), np.asarray(ratios)


def main() -> None:
    """Print the table."""
    names = ("ccfr", "charm2", "nutev")
    started = time.monotonic()
    leptonic_table.build_leptonic_table(tj.Channel("mu", "mu", "mu"))
    print(f"leptonic table, nothing cached: {time.monotonic() - started:.1f} s")
    started = time.monotonic()
    chains = {name: tj.prepare(tj.load_experiment(name)) for name in names}
    print(f"kernels of {', '.join(names)} from the table: {time.monotonic() - started:.1f} s")
    coarse = {name: predictions(chain) for name, chain in chains.items()}

    measurement = chains["ccfr"].experiment.measurement

    def log_likelihood(p: jax.Array) -> jax.Array:
        response = tj.fold(chains["ccfr"], tj.Nuisances(*p[:6]))
        physics = {"mass": p[6], "g": p[7], "sin2_theta_w": p[8]}
        return tj.log_likelihood(measurement, tj.rate_ratio(response, tj.theories.zprime, physics))

    point = jnp.asarray([1.02, 0.1, 1.01, 0.98, 1.03, 0.9, 0.07, 9e-4, 0.232])
    gradient = jax.jit(jax.value_and_grad(log_likelihood))
    jax.block_until_ready(gradient(point))
    started = time.monotonic()
    for _ in range(200):
        jax.block_until_ready(gradient(point))
    print(f"one value and gradient of the live CCFR chain, 9 parameters: {5.0 * (time.monotonic() - started):.3f} ms")

    fine_table = leptonic_table.build_leptonic_table(tj.Channel("mu", "mu", "mu"), FINE)
    rates.load_leptonic_table = lambda channel: fine_table
    print("experiment   SM rate   contact R   worst R, 1 MeV - 1 TeV")
    for name in names:
        sm, ratios = predictions(tj.prepare(tj.load_experiment(name)))
        change = np.abs(coarse[name][1] / ratios - 1.0)
        print(f"{name:12} {abs(coarse[name][0] / sm - 1.0):.1e}   {change[-1]:.1e}     {change[:-1].max():.1e}")


if __name__ == "__main__":
    main()
