"""Selection cuts inside the chain: what a selection leaves of a component, differential in K2.

The selected rate is not a factor times the total one: it depends on K2, hence on the mass of a mediator.
Weighted events with energies drawn from flux x cross section are deposited on the K2 nodes of the kernel,

    D_s[k] = sum over events of weight_s x acceptance x l_k(ln K2),                              (1)

l_k the cubic Lagrange polynomials on the four nearest nodes, so that sums with a smooth function of K2
(a propagator) are those of the events to fourth order in the step. Cuts multiply weights; no node moves.
"""

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from tridentjax.cross_section import ERROR_SCALE, POINTS_PER_CHUNK, differential_cross_section
from tridentjax.currents import Channel
from tridentjax.cuts import Cuts, acceptance
from tridentjax.faults import InputError
from tridentjax.laboratory import kinematics
from tridentjax.phase_space import DIMENSION, map_unit_cube
from tridentjax.quadrature import Rule, sobol_rule
from tridentjax.targets import Q2_scale, Regime

_REPLICAS = 8
_POINTS = 2**14


class Selection(NamedTuple):
    """Selected density on K2 nodes over the total cross section of VV + AA, and the error of its sum.

    `density` has axes structure (VV, AA, VA) and node: multiplied by the total VV + AA it replaces the
    nominal density of the kernel. `error` is the standard error of its VV + AA summed over nodes.
    """

    density: Float[Array, "3 node"]
    error: float


def select(
    channel: Channel,
    regime: Regime,
    energies: Float[Array, " energy"],
    shares: Float[Array, " energy"],
    totals: Float[Array, " energy"],
    K2_nodes: Float[Array, " node"],
    cuts: Cuts,
    seed: int = 0,
) -> Selection:
    """Selected density of one component.

    Parameters
    ----------
    channel, regime : process and target.
    energies, shares, totals : neutrino energies [GeV] of the flux, the part of the rate at each, and the cross
        section of VV + AA [cm^2] there.
    K2_nodes : uniform in ln K2.
    cuts : selection.

    Raises
    ------
    InputError : no event passes.
    """
    probability = np.maximum(np.asarray(shares), 0.0)
    cumulative = np.cumsum(probability / probability.sum())
    selected, everything = [], []
    for replica in range(_REPLICAS):
        rule = sobol_rule(_POINTS, DIMENSION + 1, seed * _REPLICAS + replica)
        index = np.searchsorted(cumulative, np.asarray(rule.nodes[:, -1]) * cumulative[-1])
        index = np.minimum(index, cumulative.size - 1)
        E_nu, total_at = (jnp.asarray(np.asarray(x)[index]) for x in (energies, totals))
        kept, total = jnp.zeros((3, K2_nodes.size)), jnp.zeros(())
        for start in range(0, _POINTS, POINTS_PER_CHUNK):
            part = slice(start, start + POINTS_PER_CHUNK)
            own = Rule(rule.nodes[part], rule.weights[part])
            more, all_of_it = _deposit(channel, regime, E_nu[part], total_at[part], own, K2_nodes, cuts)
            kept, total = kept + more, total + all_of_it
        selected.append(np.asarray(kept))
        everything.append(float(total))
    ratio = np.stack(selected) / np.mean(everything)
    sums = ratio[:, :2].sum((1, 2)) - ratio[:, :2].sum((1, 2)).mean() * (np.asarray(everything) / np.mean(everything))
    density = ratio.mean(0)
    if not density[:2].sum() > 0.0:
        raise InputError([f"{channel.name}, {regime.name}: no event passes the cuts; open the windows"])
    error = float(ERROR_SCALE * sums.std(ddof=1) / np.sqrt(_REPLICAS))
    return Selection(jnp.asarray(density), error)


@eqx.filter_jit
def _deposit(
    channel: Channel,
    regime: Regime,
    E_nu: Float[Array, " point"],
    total_at: Float[Array, " point"],
    rule: Rule,
    K2_nodes: Float[Array, " node"],
    cuts: Cuts,
) -> tuple[Float[Array, "3 node"], Float[Array, ""]]:
    """Selected weights on the nodes, Eq. (1), and the sum of VV + AA without selection.

    Energies were drawn in proportion to the rate, so each weight is divided by the cross section at its own
    energy: the second number is 1 up to sampling noise, which the ratio takes out.
    """
    points = map_unit_cube(channel, E_nu, regime.mass, Q2_scale(regime), regime.largest_Q2, rule)
    weight = differential_cross_section(channel, points, E_nu, regime.mass)[:, : regime.hadronic]
    weight = (weight * regime.structure(points.Q2)[None]).sum(1) * (rule.weights / total_at)[None]
    accepted = weight * acceptance(cuts, kinematics(channel, points, E_nu, regime.mass))[None]
    node, share = _lagrange(points.K2, K2_nodes)
    kept = jnp.zeros((3, K2_nodes.size)).at[:, node].add(accepted[:, None] * share[None])
    return kept, weight[:2].sum()


def _lagrange(
    K2: Float[Array, " point"], nodes: Float[Array, " node"]
) -> tuple[Int[Array, "4 point"], Float[Array, "4 point"]]:
    """Four nearest nodes of each point and their cubic Lagrange weights in ln K2."""
    step = jnp.log(nodes[1] / nodes[0])
    x = jnp.clip(jnp.log(jnp.maximum(K2, 1e-300) / nodes[0]) / step, 0.0, nodes.size - 1.0)
    first = jnp.clip(jnp.floor(x).astype(int) - 1, 0, nodes.size - 4)
    t = x - first  # position among nodes 0, 1, 2, 3
    share = [
        -(t - 1.0) * (t - 2.0) * (t - 3.0) / 6.0,
        t * (t - 2.0) * (t - 3.0) / 2.0,
        -t * (t - 1.0) * (t - 3.0) / 2.0,
        t * (t - 1.0) * (t - 2.0) / 6.0,
    ]
    return first[None] + jnp.arange(4)[:, None], jnp.stack(share)
