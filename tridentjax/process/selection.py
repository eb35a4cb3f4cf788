"""Selection cuts inside the chain: what a selection leaves of a component, differential in K2.

The selected rate is not a factor times the total one: it depends on K2, hence on the mass of a mediator.
Weighted events with energies drawn from flux x cross section are deposited on the K2 nodes of the kernel,

    D_s[k] = sum over events of weight_s x acceptance x l_k(ln K2),                              (1)

l_k the cubic Lagrange polynomials on the four nearest nodes, so that sums with a smooth function of K2
(a propagator) are those of the events to fourth order in the step. The same sum without acceptance divides
it: what is left multiplies the nominal density of the kernel, which has no sampling error, so a cut that
removes nothing changes nothing. Cuts multiply weights; no node moves.
"""

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from tridentjax.currents import Channel
from tridentjax.faults import InputError
from tridentjax.nucleus.regimes import Regime
from tridentjax.process.cuts import Cuts
from tridentjax.process.matrix_element import ALL_STRUCTURES, STRUCTURES
from tridentjax.process.phase_space import DIMENSION
from tridentjax.process.weighted_points import ERROR_SCALE, POINTS_PER_CHUNK, WeightedPoints, map_constants, weigh
from tridentjax.quadrature import Rule, sobol_rule

_REPLICAS = 8
_POINTS = 2**14


class Selection(NamedTuple):
    """Selected over total density on K2 nodes, and the relative error of the selected sum of VV + AA.

    Rows of `factor`: what multiplies the nominal VV and AA of the kernel, and for the selected interference
    what multiplies the nominal VV (it appears where a cut tells the leptons apart) and the nominal VA. With
    scalar structures, two more rows for SS and PP.
    """

    factor: Float[Array, "factor node"]
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
    scalar: bool = False,
) -> Selection:
    """Selected over total density of one component.

    Parameters
    ----------
    channel, regime : process and target.
    energies, shares, totals : neutrino energies [GeV] of the flux, the part of the rate at each, and the cross
        section of VV + AA [cm^2] there.
    K2_nodes : uniform in ln K2.
    cuts : selection.
    scalar : also for SS and PP.

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
        kept = total = jnp.zeros((len(ALL_STRUCTURES if scalar else STRUCTURES), K2_nodes.size))
        for start in range(0, _POINTS, POINTS_PER_CHUNK):
            part = slice(start, start + POINTS_PER_CHUNK)
            own = Rule(rule.nodes[part], rule.weights[part])
            more, all_of_it = _deposit(channel, regime, E_nu[part], total_at[part], own, K2_nodes, cuts, scalar)
            kept, total = kept + more, total + all_of_it
        selected.append(np.asarray(kept))
        everything.append(np.asarray(total))
    kept, whole = np.mean(selected, axis=0), np.mean(everything, axis=0)
    if not kept[:2].sum() > 0.0:
        raise InputError([f"{channel.name}, {regime.name}: no event passes the cuts; open the windows"])
    filled = np.flatnonzero((whole[:2] > 0.0).all(0))
    (VV, AA, VA), (kept_VV, kept_AA, kept_VA) = whole[:3, filled], kept[:3, filled]
    # where few events fall on a node: acceptances are probabilities, and |VA| <= VV + AA
    accepted_VV, accepted_AA = np.clip(kept_VV / VV, 0.0, 1.0), np.clip(kept_AA / AA, 0.0, 1.0)
    mean = (accepted_VV * VV + accepted_AA * AA) / (VV + AA)
    bound = (VV + AA) / VV
    appears = np.clip((kept_VA - mean * VA) / VV, -bound, bound)
    # a node that no event reaches, at the edges, takes the factor of its neighbour
    nodes = np.arange(K2_nodes.size)
    rows = [np.interp(nodes, filled, row) for row in (accepted_VV, accepted_AA, appears, mean)]
    for own, all_of_it in zip(kept[3:], whole[3:], strict=True):
        reached = np.flatnonzero(all_of_it > 0.0)
        rows.append(np.interp(nodes, reached, np.clip(own[reached] / all_of_it[reached], 0.0, 1.0)))
    factor = np.stack(rows)
    residual = [float((a[:2] - factor[:2] * b[:2]).sum()) for a, b in zip(selected, everything, strict=True)]
    error = float(ERROR_SCALE * np.std(residual, ddof=1) / np.sqrt(_REPLICAS) / kept[:2].sum())
    return Selection(jnp.asarray(factor), error)


def _deposit(
    channel: Channel,
    regime: Regime,
    E_nu: Float[Array, " point"],
    total_at: Float[Array, " point"],
    rule: Rule,
    K2_nodes: Float[Array, " node"],
    cuts: Cuts,
    scalar: bool,
) -> tuple[Float[Array, "structure node"], Float[Array, "structure node"]]:
    """Weights of the structures on the nodes, Eq. (1), with selection and without.

    Energies were drawn in proportion to the rate, so each weight is divided by the cross section at its own
    energy.
    """
    relative = Rule(rule.nodes, rule.weights / total_at)
    return _spread(regime, weigh(channel, E_nu, map_constants(regime), relative, cuts, scalar=scalar), K2_nodes)


@eqx.filter_jit
def _spread(
    regime: Regime, points: WeightedPoints, K2_nodes: Float[Array, " node"]
) -> tuple[Float[Array, "structure node"], Float[Array, "structure node"]]:
    weight = (points.weight[:, : regime.hadronic] * regime.structure(points.Q2)[None]).sum(1)
    kept = weight * points.accepted[None]
    node, share = _lagrange(points.K2, K2_nodes)
    empty = jnp.zeros((weight.shape[0], K2_nodes.size)).at[:, node]
    return empty.add(kept[:, None] * share[None]), empty.add(weight[:, None] * share[None])


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
