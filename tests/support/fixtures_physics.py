"""Records that several physics tests share, built once per session."""

from functools import cache

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from tridentjax.currents import Channel
from tridentjax.nucleus.regimes import Q2_scale
from tridentjax.process.kernel import density_at_energy
from tridentjax.process.leptonic_table import load_leptonic_table
from tridentjax.process.phase_space import DIMENSION, map_unit_cube
from tridentjax.process.weighted_points import differential_cross_section
from tridentjax.quadrature import sobol_rule

DIMUON = Channel("mu", "mu", "mu")

density = jax.jit(density_at_energy)
map_jitted = eqx.filter_jit(map_unit_cube)


@cache
def dimuon_table():
    """Leptonic table of nu_mu -> nu_mu mu mu (10 s, then from the test cache)."""
    return load_leptonic_table(DIMUON)


@cache
def mixed_table():
    """Leptonic table of nu_mu -> nu_e mu- e+ (20 s, then cached): unequal masses, hence VA is not 0."""
    return load_leptonic_table(Channel("mu", "mu", "e"))


def fold(density_of_energy, table, regime):
    """Contract a kernel density with a regime's structure functions: axes structure, K2."""
    kernel = np.asarray(density_of_energy)[:, : regime.hadronic]
    return np.einsum("shjk,hj->sk", kernel, np.asarray(regime.structure(table.Q2)))


def kernel_total(table, regime, E_nu):
    """(VV, AA, VA) [cm^2] from the compressed path."""
    return fold(density(table, E_nu, regime.mass), table, regime).sum(-1)


def random_points(channel, E_nu, target_mass, count=256, seed=11, Q2_scale=0.01, Q2_cut=2.0):
    """Phase-space points of a scrambled sample."""
    return map_jitted(
        channel, jnp.asarray(E_nu), jnp.asarray(target_mass), Q2_scale, Q2_cut, sobol_rule(count, DIMENSION, seed)
    )


@eqx.filter_jit
def direct_sample(channel, regime, E_nu, rule):
    """Uncompressed sample: K2 of each point and its weight (structure, point) [cm^2]."""
    points = map_unit_cube(channel, E_nu, regime.mass, Q2_scale(regime), regime.largest_Q2, rule)
    weight = differential_cross_section(channel, points, E_nu, regime.mass)[:, : regime.hadronic]
    folded = (weight * regime.structure(points.Q2)[None]).sum(1) * rule.weights[None]
    return points.K2, folded
