"""The universal table of a channel: photon densities of nu gamma* -> nu l l.

The densities tau_{s,X}(Q2, K2, s_hat) of `dilepton_integral` know neither target nor neutrino energy: those
only enter the hadronic tensor, which multiplies them in `kernel`. Six tables serve every channel, six more
the scalar structures of every channel.
"""

import sys
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from tridentjax import constants, currents, quadrature
from tridentjax.cache import cached_arrays, source_hash
from tridentjax.currents import Channel
from tridentjax.precision import require_float64
from tridentjax.process import dilepton_integral, matrix_element, phase_space
from tridentjax.process.dilepton_integral import leptonic_density
from tridentjax.process.matrix_element import STRUCTURES
from tridentjax.process.phase_space import pair_mass2, s_hat_min
from tridentjax.quadrature import chebyshev_basis, chebyshev_nodes

# Extent of the table
LARGEST_ENERGY = 6000.0  # [GeV]
LARGEST_Q2 = 20.0  # [GeV^2]; nucleon form factors have suppressed the rate by 1e-6
SMALLEST_K2 = 1e-10  # [GeV^2]
LARGEST_K2 = 3000.0  # [GeV^2]
_S_HAT_RATE = 4.0


class Resolution(NamedTuple):
    """Steps in ln Q2 and ln K2, nodes in s_hat (of the table, of its integral), factor on the inner nodes."""

    step_Q2: float
    step_K2: float
    s_hat_nodes: int
    s_hat_integral_nodes: int
    inner: float


STANDARD = Resolution(0.3, 0.6, 18, 14, 1.0)
# Coarser in every direction at once: the difference of the two bounds the error of the standard one, which
# converges exponentially in each of them.
COARSE = Resolution(0.4, 0.8, 13, 11, 0.75)


class LeptonicTable(eqx.Module):
    """Photon densities tau_{s,X} of one channel, scaled to vary slowly.

    Axes of `density`: s_hat node, Q2, K2, structure, polarisation. The s_hat nodes at each (Q2, K2) run
    from the threshold `s_first` over `span` in a compressed logarithm, see `leptonic_density_at`.
    """

    density: Float[Array, "s_hat q2 node structure 2"]
    s_first: Float[Array, "q2 node"]
    span: Float[Array, "q2 node"]
    Q2: Float[Array, " q2"]
    K2: Float[Array, " node"]
    channel: Channel
    resolution: Resolution = eqx.field(static=True)
    structures: tuple[str, ...] = eqx.field(static=True, default=STRUCTURES)

    @property
    def symmetric(self) -> bool:
        """Whether both leptons have the same mass, so that VA vanishes identically."""
        return self.channel.lepton_minus == self.channel.lepton_plus


def build_leptonic_table(
    channel: Channel, resolution: Resolution = STANDARD, structures: tuple[str, ...] = STRUCTURES
) -> LeptonicTable:
    """Tabulate the photon densities of a channel; 10 to 30 s on two cores. Cache the result.

    `structures` is `STRUCTURES` (VV, AA, VA) or `SCALAR_STRUCTURES` (SS, PP).

    Raises
    ------
    RuntimeError : JAX runs in 32-bit precision.
    """
    require_float64("build_leptonic_table")
    smallest_Q2 = (pair_mass2(channel) / (2.0 * LARGEST_ENERGY)) ** 2
    Q2 = _log_nodes(smallest_Q2, LARGEST_Q2, resolution.step_Q2)
    K2 = _log_nodes(SMALLEST_K2, LARGEST_K2, resolution.step_K2)
    Q2_grid, K2_grid = jnp.meshgrid(jnp.asarray(Q2), jnp.asarray(K2), indexing="ij")
    s_first = s_hat_min(channel, Q2_grid, K2_grid)
    reach = jnp.maximum(jnp.log(2.0 * LARGEST_ENERGY * jnp.sqrt(Q2_grid) / s_first), 1e-3)
    span = -jnp.expm1(-reach / _S_HAT_RATE)
    unit = (chebyshev_nodes(resolution.s_hat_nodes) + 1.0) / 2.0
    log_s = -_S_HAT_RATE * jnp.log1p(-unit[:, None, None] * span[None])
    s_hat = s_first[None] * jnp.exp(log_s)
    everywhere = jnp.broadcast_to(Q2_grid, s_hat.shape), s_hat, jnp.broadcast_to(K2_grid, s_hat.shape)

    reached = np.broadcast_to(np.asarray(reach) > 1e-3, s_hat.shape).ravel()  # by any energy
    density = np.zeros((s_hat.size, len(structures), 2))
    Q2_wanted, s_hat_wanted, K2_wanted = (np.asarray(x).ravel()[reached] for x in everywhere)
    density[reached] = leptonic_density(channel, Q2_wanted, s_hat_wanted, K2_wanted, resolution.inner, structures)
    scaled = density.reshape(*s_hat.shape, len(structures), 2) / _scale(everywhere[0], s_hat, log_s, structures)
    return LeptonicTable(
        jnp.asarray(scaled), s_first, span, jnp.asarray(Q2), jnp.asarray(K2), channel, resolution, structures
    )


def load_leptonic_table(
    channel: Channel, resolution: Resolution = STANDARD, structures: tuple[str, ...] = STRUCTURES
) -> LeptonicTable:
    """`build_leptonic_table` through the disk cache.

    Six tables serve every channel: the densities know the two lepton masses and nothing else. Exchanging
    the leptons, or neutrino with antineutrino, leaves VV, AA, SS and PP and reverses VA (charge conjugation of
    the lepton line has two vector vertices in VV and AA, one more axial vertex in VA); see `Channel.VA_sign`.
    """
    require_float64("load_leptonic_table")
    light, heavy = sorted((channel.lepton_minus, channel.lepton_plus), key=currents.FLAVOURS.index)
    pair = Channel("mu", light, heavy)
    here = sys.modules[__name__]
    sources = source_hash(here, constants, currents, dilepton_integral, quadrature, phase_space, matrix_element)
    name, inputs = f"leptonic-table-{light}-{heavy}", f"{light} {heavy} {resolution} {sources}"
    if structures != STRUCTURES:
        name, inputs = f"leptonic-table-scalar-{light}-{heavy}", f"{' '.join(structures)} {inputs}"

    def compute() -> dict[str, np.ndarray]:
        table = build_leptonic_table(pair, resolution, structures)
        return {name: np.asarray(getattr(table, name)) for name in ("density", "s_first", "span", "Q2", "K2")}

    arrays = cached_arrays(name, inputs, compute)
    signs = [channel.VA_sign if structure == "VA" else 1.0 for structure in structures]
    arrays["density"] = arrays["density"] * np.asarray(signs)[:, None]
    found = {name: jnp.asarray(value) for name, value in arrays.items()}
    return LeptonicTable(**found, channel=channel, resolution=resolution, structures=structures)


def leptonic_density_at(
    table: LeptonicTable, log_s: Float[Array, "point q2 node"]
) -> Float[Array, "point q2 node structure 2"]:
    """Tau at s_hat = s_first exp(log_s) >= s_first, for every (Q2, K2) of the table.

    Polynomial in the compressed logarithm 1 - exp(-log_s/4), in which both the threshold and the
    approach to the high-energy power law are smooth.
    """
    compressed = -2.0 * jnp.expm1(-log_s / _S_HAT_RATE) / table.span[None] - 1.0
    basis = chebyshev_basis(compressed, table.resolution.s_hat_nodes)
    s_hat = table.s_first[None] * jnp.exp(log_s)
    Q2 = jnp.broadcast_to(table.Q2[None, :, None], s_hat.shape)
    return jnp.einsum("gjki,ijksx->gjksx", basis, table.density) * _scale(Q2, s_hat, log_s, table.structures)


def _log_nodes(low: float, high: float, step: float) -> Float[np.ndarray, " node"]:
    return low * np.exp(step * np.arange(int(np.ceil(np.log(high / low) / step)) + 1))


def _scale(
    Q2: Float[Array, "*shape"],
    s_hat: Float[Array, "*shape"],
    log_s: Float[Array, "*shape"],
    structures: tuple[str, ...],
) -> Float[Array, "*shape 1 2"]:
    """Threshold and high-energy behaviour of tau: (1 - s_first/s)^(3/2) (s + Q2)^(1, 2) for (T, L).

    Without the power of s for SS and PP: a scalar couples to K2, which is fixed, not to the energy.
    """
    threshold = (-jnp.expm1(-log_s)) ** 1.5
    if structures != STRUCTURES:
        return jnp.stack([threshold, threshold], axis=-1)[..., None, :]
    flux = s_hat + Q2
    return jnp.stack([threshold * flux, threshold * flux**2], axis=-1)[..., None, :]
