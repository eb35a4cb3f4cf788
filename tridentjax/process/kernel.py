"""Kernels: cross-section densities on fixed nodes, independent of couplings, form factors and flux.

The hadronic tensor only knows the photon: averaged over the azimuth of the target it multiplies the
transverse and longitudinal photon densities tau_{s,X} of `leptonic_table` by two simple functions of
(E, M, Q2, s_hat), so that a kernel for any target and energy is one integral over s_hat,

    dsigma/(dlnQ2 dlnK2) = prefactor sum_X int ds_hat h_X(E, M, Q2, s_hat) tau_{s,X}.            (1)

Q2 and K2 lie on uniform logarithmic nodes, where the trapezoidal rule converges exponentially for the
smooth integrands of this problem. Unlike events deposited on nodes, a kernel has no sampling error; one table serves
every target, and the result agrees with the direct integral of `cross_section`.
"""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from tridentjax._types import Scalar
from tridentjax.constants import ALPHA_EM, G_F, GEV2_TO_CM2
from tridentjax.currents import Channel
from tridentjax.process.leptonic_table import LARGEST_ENERGY, LARGEST_Q2, LeptonicTable, leptonic_density_at
from tridentjax.process.matrix_element import hadronic_weights
from tridentjax.process.phase_space import s_hat_max, threshold_energy
from tridentjax.quadrature import chebyshev_basis, chebyshev_nodes, gauss_legendre


class Kernel(eqx.Module):
    """Cross section of one target mass, differential in Q2 and K2, at fixed energies.

    Structures that vanish identically (VA of equal masses) are left out; `structures` names the rest.

    sigma = sum_{h,j,k} sigma[s,h,e,j,k] H_h(Q2_j) q_s(K2_k) [cm^2], integration weights included, where
    H_0 multiplies R_m R_n (Z^2 F^2 for a nucleus) and H_1 multiplies -Q2 g_mn. `hadronic` holds only RR
    for a spin-0 nucleus. Energies are Chebyshev nodes in log E; see `energy_weights`.
    """

    energy: Float[Array, " energy"]
    Q2: Float[Array, " q2"]
    K2: Float[Array, " node"]
    sigma: Float[Array, "structure hadronic energy q2 node"]
    channel: Channel
    structures: tuple[str, ...] = eqx.field(static=True)
    target_mass: float = eqx.field(static=True)
    energy_range: tuple[float, float] = eqx.field(static=True)


def density_at_energy(table: LeptonicTable, E_nu: Scalar, target_mass: Scalar) -> Float[Array, "structure 2 q2 node"]:
    """Eq. (1) with all weights at one energy: axes structure, hadronic (RR, Q2g), Q2, K2; cm^2."""
    Q2, K2 = jnp.meshgrid(table.Q2, table.K2, indexing="ij")
    log_reach = jnp.log(jnp.maximum(s_hat_max(E_nu, target_mass, Q2) / table.s_first, 1.0))
    node, weight = gauss_legendre(table.resolution.s_hat_integral_nodes)
    node, weight = node[:, None, None], weight[:, None, None]
    bend = 0.3  # square law at threshold, then linear in log(s_hat)
    log_s = log_reach[None] * node**2 * (1.0 + bend) / (node + bend)
    slope = (1.0 + bend) * (node**2 + 2.0 * bend * node) / (node + bend) ** 2
    s_hat = table.s_first[None] * jnp.exp(log_s)
    tau = leptonic_density_at(table, log_s)
    Q2_all = jnp.broadcast_to(Q2, s_hat.shape)
    h = hadronic_weights(E_nu, target_mass, Q2_all, s_hat)
    measure = s_hat * log_reach[None] * slope * weight

    flux = 4.0 * E_nu * target_mass
    prefactor = G_F**2 / 2.0 * (4.0 * np.pi * ALPHA_EM / Q2) ** 2 / flux
    prefactor = prefactor / (16.0 * np.pi * target_mass * E_nu) / (2.0 * np.pi) * GEV2_TO_CM2
    nodes = Q2 * table.resolution.step_Q2 * K2 * _trapezoid(table.K2.size, table.resolution.step_K2)[None]
    return jnp.einsum("gjk,gjksx,hxgjk->shjk", measure, tau, h) * (prefactor * nodes)[None, None]


def _trapezoid(count: int, step: float) -> Float[np.ndarray, " node"]:
    """Weights in log K2; the first node also carries the flat density below it."""
    weights = np.full(count, step)
    weights[0] = step / 2.0 + 1.0
    return weights


def build_kernel(
    table: LeptonicTable,
    target_mass: float,
    energy_range: tuple[float, float],
    hadronic: int = 2,
    largest_Q2: float = LARGEST_Q2,
    energies: int = 28,
) -> Kernel:
    """Kernel of one target.

    Parameters
    ----------
    table : of the channel, from `load_leptonic_table`; its structures become those of the kernel.
    target_mass : nucleus or nucleon [GeV].
    energy_range : lowest and highest neutrino energy [GeV] that will be asked for; the lower end is
        raised to just above threshold, below which the cross section is taken as zero.
    hadronic : 1 for a spin-0 nucleus (RR only), 2 for a nucleon.
    largest_Q2 : Q2 nodes above it are dropped, where the form factor is negligible.
    energies : number of energy nodes.

    Raises
    ------
    ValueError : the range is empty, below threshold or above `LARGEST_ENERGY`.
    """
    threshold = threshold_energy(table.channel, target_mass)
    low, high = max(energy_range[0], 1.2 * threshold), energy_range[1]
    if not low < high <= LARGEST_ENERGY:
        raise ValueError(
            f"build_kernel: energy_range = {energy_range} GeV for {table.channel.name} on a target of "
            f"{target_mass} GeV; allowed: within ({threshold:.4g}, {LARGEST_ENERGY:g}] GeV"
        )
    log_low, log_high = np.log(low), np.log(high)
    energy = np.exp(log_low + (log_high - log_low) * (chebyshev_nodes(energies) + 1.0) / 2.0)
    keep = int(np.searchsorted(np.asarray(table.Q2), largest_Q2)) + 1
    sliced = LeptonicTable(
        table.density[:, :keep],
        table.s_first[:keep],
        table.span[:keep],
        table.Q2[:keep],
        table.K2,
        table.channel,
        table.resolution,
        table.structures,
    )
    structures = tuple(name for name in table.structures if name != "VA" or not table.symmetric)
    sigma = _all_energies(sliced, jnp.asarray(energy), target_mass)[:, : len(structures), :hadronic]
    sigma = jnp.moveaxis(sigma, 0, 2)
    # the highest energy of the range sets the smallest Q2 that is reached
    first = int(np.argmax(np.any(np.asarray(sigma) != 0.0, axis=(0, 1, 2, 4))))
    return Kernel(
        jnp.asarray(energy),
        sliced.Q2[first:],
        table.K2,
        sigma[:, :, :, first:],
        table.channel,
        structures,
        target_mass,
        (low, high),
    )


@jax.jit
def _all_energies(
    table: LeptonicTable, energy: Float[Array, " energy"], target_mass: Scalar
) -> Float[Array, "energy structure 2 q2 node"]:
    return jax.lax.map(lambda E_nu: density_at_energy(table, E_nu, target_mass), energy)


def join_structures(kernel: Kernel, other: Kernel) -> Kernel:
    """One kernel with the structures of both: same channel, target, energies and nodes.

    Raises
    ------
    ValueError : the nodes differ, or a structure is in both.
    """
    nodes = [(k.target_mass, k.energy_range, k.sigma.shape[1:], k.channel.name) for k in (kernel, other)]
    if nodes[0] != nodes[1] or set(kernel.structures) & set(other.structures):
        raise ValueError(
            f"join_structures: kernels of {nodes[0]} with {kernel.structures} and {nodes[1]} with "
            f"{other.structures}; allowed: the same mass, energies, nodes and channel, different structures"
        )
    sigma = jnp.concatenate([kernel.sigma, other.sigma])
    return dataclasses.replace(kernel, sigma=sigma, structures=kernel.structures + other.structures)


def energy_weights(kernel: Kernel, E_nu: Float[Array, " point"]) -> Float[Array, "point energy"]:
    """Weights that turn the kernel's energy nodes into its value at E_nu: sigma(E) = weights @ sigma.

    Polynomial in log E of sigma/(E (1 - E_thr/E)^3), whose bracket takes out the threshold. Exactly zero
    at and below threshold; between threshold and the first node, and above the last, the bracket alone
    extrapolates. Differentiable in E_nu.
    """
    threshold = threshold_energy(kernel.channel, kernel.target_mass)
    low, high = (float(np.log(x)) for x in kernel.energy_range)
    inside = jnp.clip((jnp.log(jnp.maximum(E_nu, 1e-300)) - low) * (2.0 / (high - low)) - 1.0, -1.0, 1.0)
    shape = _threshold_shape(E_nu, threshold)[:, None] / _threshold_shape(kernel.energy, threshold)[None]
    return chebyshev_basis(inside, kernel.energy.size) * shape


def _threshold_shape(E_nu: Float[Array, " point"], threshold: float) -> Float[Array, " point"]:
    open_fraction = jnp.maximum(1.0 - threshold / jnp.maximum(E_nu, threshold), 0.0)
    return E_nu * open_fraction**3
