"""The universal table of a channel: photon densities of nu gamma* -> nu l l.

    tau_{s,X}(Q2, K2, s_hat) = int dm2_ll dPhi |A_{s,X}|^2,      s in VV, AA, VA;  X in T, L      (1)

It knows neither target nor neutrino energy: those only enter the hadronic tensor, which multiplies it
in `kernel`. The integral is a Gauss product rule over three smooth variables, without sampling error.
"""

import sys

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from tridentjax import constants, currents, matrix_element, phase_space, quadrature
from tridentjax.batching import map_points
from tridentjax.cache import cached_arrays, source_hash
from tridentjax.currents import Channel
from tridentjax.matrix_element import leptonic_amplitudes, photon_density
from tridentjax.phase_space import PhaseSpacePoints, lepton_system, m2_max, pair_mass2, s_hat_min
from tridentjax.precision import require_float64
from tridentjax.quadrature import chebyshev_basis, chebyshev_nodes, gauss_legendre

# Extent and resolution of the table. The steps were halved one at a time until the rate of every
# structure for dimuons, for form factors from C to W and mediators from 1 MeV, changed by less than 1e-5
# from 1 GeV to 300 GeV (5e-5 at 5 TeV). Electron pairs want more m2 nodes.
LARGEST_ENERGY = 6000.0  # [GeV]
LARGEST_Q2 = 20.0  # [GeV^2]; nucleon form factors have suppressed the rate by 1e-6
SMALLEST_K2 = 1e-10  # [GeV^2]
LARGEST_K2 = 3000.0  # [GeV^2]
STEP_Q2, STEP_K2 = 0.3, 0.6  # in the logarithm
_S_HAT_NODES, _S_HAT_RATE = 16, 4.0
_M2_NODES, _COS_NODES, _PHI_NODES = 12, 14, 5
_POINTS_PER_CHUNK = 8  # times 420 inner nodes: stays in the cache of a core


class LeptonicTable(eqx.Module):
    """Photon densities tau_{s,X} of one channel, scaled to vary slowly.

    Axes of `density`: s_hat node, Q2, K2, structure, polarisation. The s_hat nodes at each (Q2, K2) run
    from the threshold `s_first` over `span` in the compressed logarithm of `_s_hat_map`.
    """

    density: Float[Array, "s_hat q2 node 3 2"]
    s_first: Float[Array, "q2 node"]
    span: Float[Array, "q2 node"]
    Q2: Float[Array, " q2"]
    K2: Float[Array, " node"]
    channel: Channel

    @property
    def symmetric(self) -> bool:
        """Whether both leptons have the same mass, so that VA vanishes identically."""
        return self.channel.lepton_minus == self.channel.lepton_plus


def leptonic_density(
    channel: Channel,
    Q2: Float[Array, ""],
    s_hat: Float[Array, ""],
    K2: Float[Array, ""],
) -> Float[Array, "3 2"]:
    """tau_{s,X} at one point [GeV^-2 per unit of dQ2-free measure ds_hat dK2], by a Gauss product rule.

    The dependence on the dilepton azimuth is a trigonometric polynomial of degree four, for which five
    points are exact. With equal lepton masses, exchanging the leptons maps cos(theta) to its negative:
    VV and AA are even and VA is odd, so half the range is enough and VA is exactly zero.
    """
    m2_node, m2_weight = gauss_legendre(_M2_NODES)
    cos_node, cos_weight = gauss_legendre(_COS_NODES)
    symmetric = channel.lepton_minus == channel.lepton_plus
    if symmetric:
        cos_node, cos_weight = cos_node[_COS_NODES // 2 :], 2.0 * cos_weight[_COS_NODES // 2 :]
    phi_node = (np.arange(_PHI_NODES) + 0.5) * 2.0 * np.pi / _PHI_NODES
    v, c, phi = (grid.ravel() for grid in np.meshgrid(m2_node, cos_node, phi_node, indexing="ij"))
    weight = np.outer(np.outer(m2_weight, cos_weight), np.full(_PHI_NODES, 1.0 / _PHI_NODES)).ravel()

    pair = pair_mass2(channel)
    log_range = jnp.log(m2_max(s_hat, Q2, K2) / pair)
    m2_ll = pair * jnp.exp(log_range * v**2)  # the square removes the threshold root
    jacobian = m2_ll * log_range * 2.0 * v
    Q2, s_hat, K2 = (jnp.full(v.shape, x) for x in (Q2, s_hat, K2))
    momenta, density = lepton_system(channel, Q2, s_hat, m2_ll, K2, jnp.asarray(c), jnp.asarray(phi))
    k, q, k_prime, p_minus, p_plus = momenta
    volume = jacobian * density
    points = PhaseSpacePoints(Q2, s_hat, m2_ll, K2, k, q, k_prime, p_minus, p_plus, jnp.zeros_like(K2), volume)
    structures = photon_density(leptonic_amplitudes(channel, points)) @ (weight * points.jacobian)
    return structures.at[2].set(0.0) if symmetric else structures


def build_leptonic_table(channel: Channel) -> LeptonicTable:
    """Tabulate the photon densities of a channel; about 15 s on two cores. Cache the result.

    Raises
    ------
    RuntimeError : JAX runs in 32-bit precision.
    """
    require_float64("build_leptonic_table")
    smallest_Q2 = (pair_mass2(channel) / (2.0 * LARGEST_ENERGY)) ** 2
    Q2 = _log_nodes(smallest_Q2, LARGEST_Q2, STEP_Q2)
    K2 = _log_nodes(SMALLEST_K2, LARGEST_K2, STEP_K2)
    Q2_grid, K2_grid = jnp.meshgrid(jnp.asarray(Q2), jnp.asarray(K2), indexing="ij")
    s_first = s_hat_min(channel, Q2_grid, K2_grid)
    reach = jnp.maximum(jnp.log(2.0 * LARGEST_ENERGY * jnp.sqrt(Q2_grid) / s_first), 1e-3)
    span = -jnp.expm1(-reach / _S_HAT_RATE)
    unit = (chebyshev_nodes(_S_HAT_NODES) + 1.0) / 2.0
    log_s = -_S_HAT_RATE * jnp.log1p(-unit[:, None, None] * span[None])
    s_hat = s_first[None] * jnp.exp(log_s)
    everywhere = jnp.broadcast_to(Q2_grid, s_hat.shape), s_hat, jnp.broadcast_to(K2_grid, s_hat.shape)

    density = map_points(
        lambda point: leptonic_density(channel, *point),
        tuple(x.ravel() for x in everywhere),
        batch_size=_POINTS_PER_CHUNK,
    )
    scaled = density.reshape(*s_hat.shape, 3, 2) / _scale(everywhere[0], s_hat, log_s)
    return LeptonicTable(scaled, s_first, span, jnp.asarray(Q2), jnp.asarray(K2), channel)


def load_leptonic_table(channel: Channel) -> LeptonicTable:
    """`build_leptonic_table` through the disk cache.

    An antineutrino channel uses the table of the CP-conjugate neutrino channel (leptons swapped), whose
    total rates are the same; the kernel still carries its own name.
    """
    require_float64("load_leptonic_table")
    conjugate = channel
    if channel.antineutrino:
        conjugate = Channel(channel.neutrino, channel.lepton_plus, channel.lepton_minus)
    here = sys.modules[__name__]
    inputs = f"{conjugate.name} {source_hash(here, constants, currents, quadrature, phase_space, matrix_element)}"

    def compute() -> dict[str, np.ndarray]:
        table = build_leptonic_table(conjugate)
        return {name: np.asarray(getattr(table, name)) for name in ("density", "s_first", "span", "Q2", "K2")}

    arrays = cached_arrays("leptonic-table", inputs, compute)
    return LeptonicTable(**{name: jnp.asarray(value) for name, value in arrays.items()}, channel=channel)


def leptonic_density_at(
    table: LeptonicTable, log_s: Float[Array, "point q2 node"]
) -> Float[Array, "point q2 node 3 2"]:
    """Tau of Eq. (1) at s_hat = s_first exp(log_s) >= s_first, for every (Q2, K2) of the table.

    Polynomial in the compressed logarithm 1 - exp(-log_s/4), in which both the threshold and the
    approach to the high-energy power law are smooth.
    """
    compressed = -2.0 * jnp.expm1(-log_s / _S_HAT_RATE) / table.span[None] - 1.0
    basis = chebyshev_basis(compressed, _S_HAT_NODES)
    s_hat = table.s_first[None] * jnp.exp(log_s)
    Q2 = jnp.broadcast_to(table.Q2[None, :, None], s_hat.shape)
    return jnp.einsum("gjki,ijksx->gjksx", basis, table.density) * _scale(Q2, s_hat, log_s)


def _log_nodes(low: float, high: float, step: float) -> Float[np.ndarray, " node"]:
    return low * np.exp(step * np.arange(int(np.ceil(np.log(high / low) / step)) + 1))


def _scale(
    Q2: Float[Array, "*shape"], s_hat: Float[Array, "*shape"], log_s: Float[Array, "*shape"]
) -> Float[Array, "*shape 1 2"]:
    """Threshold and high-energy behaviour of tau: (1 - s_first/s)^(3/2) (s + Q2)^(1, 2) for (T, L)."""
    threshold = (-jnp.expm1(-log_s)) ** 1.5
    flux = s_hat + Q2
    return jnp.stack([threshold * flux, threshold * flux**2], axis=-1)[..., None, :]
