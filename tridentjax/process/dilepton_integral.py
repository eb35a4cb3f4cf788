"""Photon densities of nu gamma* -> nu l l at given invariants: the integral over the two leptons.

    tau_{s,X}(Q2, s_hat, K2) = int dm2_ll dPhi |A_{s,X}|^2,      X in T, L,                       (1)

with the structures s in VV, AA, VA, or in SS, PP.
A Gauss product rule over three smooth variables, without sampling error: the logarithm of m2_ll, the
angle that cancels both lepton propagators (`phase_space.lepton_system`), and the dilepton azimuth.
"""

from collections.abc import Callable
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, PartitionSpec
from jaxtyping import Array, Float

from tridentjax.currents import Channel
from tridentjax.process.matrix_element import STRUCTURES, leptonic_amplitudes, photon_density, scalar_amplitudes
from tridentjax.process.phase_space import PhaseSpacePoints, lepton_system, m2_max, pair_mass2
from tridentjax.quadrature import gauss_legendre

# Gauss nodes in (m2_ll, cos theta) up to a logarithmic range ln(m2_max/m2_min): the integrand is a few
# steps of unit width on that range. Each line leaves 1e-5 at a typical point, 3e-4 at the worst.
NODES = ((3.0, 8, 8), (5.5, 11, 12), (11.0, 18, 18), (np.inf, 28, 26))
_CHUNK = 4096  # evaluations at a time: they stay in the cache of a core
_CHUNKS_PER_BLOCK = 32


def leptonic_density(
    channel: Channel,
    Q2: Float[np.ndarray, " point"],
    s_hat: Float[np.ndarray, " point"],
    K2: Float[np.ndarray, " point"],
    refinement: float = 1.0,
    structures: tuple[str, ...] = STRUCTURES,
) -> Float[np.ndarray, "point structure 2"]:
    """tau_{s,X} of Eq. (1) [GeV^-2 per unit of ds_hat dK2], on the host.

    The azimuth is a trigonometric polynomial of degree four and, without an absorptive part, even: five
    points on the circle are exact, of which two repeat. With equal lepton masses, exchanging the leptons
    maps cos(theta) to its negative: VV, AA, SS and PP are even and VA is odd, so half the range is enough and
    VA is exactly zero. `refinement`, up to 1.3, multiplies the number of nodes in m2_ll and cos(theta).
    `structures` is `STRUCTURES` or `SCALAR_STRUCTURES`.
    """
    symmetric = channel.lepton_minus == channel.lepton_plus
    evaluate, count = _evaluator(channel, structures), len(structures)
    density = np.zeros((Q2.size, count, 2))
    log_range = np.log(np.asarray(m2_max(*map(jnp.asarray, (s_hat, Q2, K2)))) / pair_mass2(channel))
    lower = -np.inf
    for upper, m2_nodes, cos_nodes in NODES:
        members = np.flatnonzero((log_range > lower) & (log_range <= upper))
        lower = upper
        rule = _inner_rule(round(m2_nodes * refinement), 2 * round(cos_nodes * refinement / 2), symmetric)
        if not (rows := _CHUNK // rule.shape[1]):  # points a chunk
            raise ValueError(f"leptonic_density: refinement = {refinement}; allowed: up to 1.3")
        block = rows * _CHUNKS_PER_BLOCK
        for start in range(0, members.size, block):
            some = members[start : start + block]
            padded = np.resize(some, block)
            points = [x[padded].reshape(_CHUNKS_PER_BLOCK, rows) for x in (Q2, s_hat, K2)]
            spread = [np.full((_CHUNKS_PER_BLOCK, _CHUNK), x[0, 0]) for x in points]
            for full, own in zip(spread, points, strict=True):
                full[:, : own.shape[1] * rule.shape[1]] = np.repeat(own, rule.shape[1], axis=1)
            tiled = np.zeros((4, _CHUNK)) + rule[:, :1] * np.asarray([[1.0], [1.0], [1.0], [0.0]])
            tiled[:, : rows * rule.shape[1]] = np.tile(rule, rows)
            values = np.asarray(evaluate(*spread, tiled))[..., : rows * rule.shape[1]]
            sums = values.reshape(_CHUNKS_PER_BLOCK, count, 2, rows, rule.shape[1]).sum(-1)
            density[some] = np.moveaxis(sums, 3, 1).reshape(block, count, 2)[: some.size]
    if symmetric and structures == STRUCTURES:
        density[:, 2] = 0.0
    return density


def _inner_rule(m2_nodes: int, cos_nodes: int, symmetric: bool) -> Float[np.ndarray, "4 node"]:
    """Nodes (m2, cos, phi) on the unit interval and the circle, and their weights."""
    m2, m2_weight = gauss_legendre(m2_nodes)
    cos, cos_weight = gauss_legendre(cos_nodes)
    if symmetric:
        cos, cos_weight = cos[cos_nodes // 2 :], 2.0 * cos_weight[cos_nodes // 2 :]
    phi, phi_weight = np.pi * np.asarray([0.2, 0.6, 1.0]), np.asarray([0.4, 0.4, 0.2])
    nodes = np.meshgrid(m2, cos, phi, indexing="ij")
    weight = m2_weight[:, None, None] * cos_weight[None, :, None] * phi_weight[None, None]
    return np.stack([grid.ravel() for grid in (*nodes, weight)])


@cache
def _evaluator(
    channel: Channel, structures: tuple[str, ...]
) -> Callable[..., Float[Array, "chunk structure 2 evaluation"]]:
    """Compiled integrand of Eq. (1): chunks one after another on each device, compiled once a channel."""
    amplitudes = leptonic_amplitudes if structures == STRUCTURES else scalar_amplitudes

    def integrand(chunk: tuple[Array, Array, Array], rule: Float[Array, "4 evaluation"]) -> Array:
        Q2, s_hat, K2 = chunk
        v, cos_unit, phi, weight = rule
        pair = pair_mass2(channel)
        log_range = jnp.log(m2_max(s_hat, Q2, K2) / pair)
        bend = 4.0 / jnp.maximum(log_range, 1.0)  # a square removes the threshold root, then linear in the logarithm
        m2_ll = pair * jnp.exp(log_range * v**2 * (1.0 + bend) / (v + bend))
        jacobian = m2_ll * log_range * (1.0 + bend) * v * (v + 2.0 * bend) / (v + bend) ** 2
        (k, q, k_prime, p_minus, p_plus), density = lepton_system(channel, Q2, s_hat, m2_ll, K2, cos_unit, phi)
        volume = density * jacobian * weight
        points = PhaseSpacePoints(Q2, s_hat, m2_ll, K2, k, q, k_prime, p_minus, p_plus, jnp.zeros_like(K2), volume)
        return photon_density(amplitudes(channel, points), structures) * volume[None, None]

    def chunked(Q2: Array, s_hat: Array, K2: Array, rule: Array) -> Array:
        return jax.lax.map(lambda chunk: integrand(chunk, rule), (Q2, s_hat, K2))

    devices = jax.local_device_count()
    if devices == 1 or _CHUNKS_PER_BLOCK % devices:
        return jax.jit(chunked)
    mesh = jax.make_mesh((devices,), ("chunks",), axis_types=(AxisType.Auto,))
    split, whole = PartitionSpec("chunks"), PartitionSpec()
    return jax.jit(
        jax.shard_map(chunked, mesh=mesh, in_specs=(split, split, split, whole), out_specs=split, check_vma=False)
    )
