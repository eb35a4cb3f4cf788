"""Total cross sections: from the table of the channel where that is accurate enough, else from events.

The table (`leptonic_table`) costs seconds once per pair of leptons and milliseconds per energy and target;
its error is the change when it is coarsened in every direction at once. Close to threshold, and where the
neutrino energy rather than the form factor ends the range of Q2, its nodes are too far apart: there the
event integral of `cross_section` takes over.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from tridentjax.currents import Channel, quadratic_couplings
from tridentjax.nucleus.regimes import Regime
from tridentjax.process.cross_section import Estimate, total_cross_section
from tridentjax.process.cuts import NO_CUTS, Cuts
from tridentjax.process.kernel import density_at_energy
from tridentjax.process.leptonic_table import COARSE, LARGEST_ENERGY, STANDARD, LeptonicTable, load_leptonic_table
from tridentjax.process.matrix_element import ALL_STRUCTURES, SCALAR_STRUCTURES, STRUCTURES
from tridentjax.process.phase_space import threshold_energy
from tridentjax.theory.theories import TheoryFunction, has_scalars, is_open, sm

_FLOOR = 3e-5  # what the two tables have in common: constants of the maps, nodes below the smallest K2
_NEGLIGIBLE = 1e-3  # a regime below this share of the total need not have the full relative accuracy


class TotalCrossSections(NamedTuple):
    """Structures and sigma [cm^2] with standard errors, one row an energy; `sampled` marks event integrals.

    The structures are VV, AA, VA, and SS, PP of a theory that `has_scalars`.
    """

    value: Float[np.ndarray, "energy structure"]
    error: Float[np.ndarray, "energy structure"]
    sigma: Float[np.ndarray, " energy"]
    sigma_error: Float[np.ndarray, " energy"]
    sampled: np.ndarray


def tabulated_cross_section(
    channel: Channel,
    regime: Regime,
    energies: Sequence[float],
    theory: TheoryFunction = sm,
    parameters: dict[str, Any] | None = None,
) -> TotalCrossSections:
    """Total cross sections of one regime at many energies from the tables of the channel.

    Parameters
    ----------
    channel, regime : process and target.
    energies : laboratory energies [GeV], up to `LARGEST_ENERGY`.
    theory, parameters : couplings of `sigma`, taken at the K2 of every node.

    Returns
    -------
    TotalCrossSections; the error is the difference to a coarser table plus 3e-5: an upper bound rather than
    a standard deviation, honest everywhere and large close to threshold, infinite where no node of the table
    is reached. Exactly zero, without error, at and below threshold and for a forbidden channel.

    Raises
    ------
    ValueError : an energy that is not positive or above `LARGEST_ENERGY`.
    RuntimeError : 32-bit floats.
    """
    E_nu = np.asarray(energies, dtype=float)
    if not ((E_nu > 0.0) & (E_nu <= LARGEST_ENERGY)).all():
        raise ValueError(f"energies {list(energies)} GeV; allowed: positive and at most {LARGEST_ENERGY:g} GeV")
    given = {name: jnp.asarray(x, dtype=float) for name, x in (parameters or {}).items()}
    sets = (STRUCTURES, SCALAR_STRUCTURES) if has_scalars(theory, given, channel) else (STRUCTURES,)
    open_channel = E_nu > threshold_energy(channel, regime.mass) * (1.0 + 1e-10)
    if not is_open(theory, given, channel) or not open_channel.any():
        return _empty(E_nu.size, sum(map(len, sets)))
    both = []
    for resolution in (STANDARD, COARSE):
        parts = []
        for structures in sets:
            table = load_leptonic_table(channel, resolution, structures)
            kept = jnp.where(regime.largest_Q2 >= table.Q2, 1.0, 0.0)
            structure = jnp.zeros((2, table.Q2.size)).at[: regime.hadronic].set(regime.structure(table.Q2) * kept[None])
            couplings = quadratic_couplings(theory(given, channel, table.K2), scalar=len(sets) > 1)
            couplings = couplings[:3] if structures == STRUCTURES else couplings[3:]
            parts.append(np.asarray(_contract(table, jnp.asarray(E_nu), regime.mass, structure, couplings)))
        both.append(np.concatenate([*(part[:, :-1] for part in parts), sum(part[:, -1:] for part in parts)], axis=1))
    fine, coarse = (np.where(open_channel[:, None], values, 0.0) for values in both)
    scale = np.concatenate([fine[:, :2], fine[:, :2].mean(1, keepdims=True), fine[:, 3:]], axis=1)
    error = np.abs(fine - coarse) + _FLOOR * np.abs(scale)
    error[open_channel & ~(fine[:, :2].sum(1) > 0.0)] = np.inf  # so close to threshold that no node is reached
    if channel.lepton_minus == channel.lepton_plus:
        error[:, 2] = 0.0  # VA vanishes identically
    return TotalCrossSections(fine[:, :-1], error[:, :-1], fine[:, -1], error[:, -1], np.zeros(E_nu.size, dtype=bool))


@jax.jit
def _contract(
    table: LeptonicTable,
    E_nu: Float[Array, " energy"],
    mass: Float[Array, ""] | float,
    structure: Float[Array, "2 q2"],
    couplings: Float[Array, "structure node"],
) -> Float[Array, "energy value"]:
    """The structures of the table and their sigma at every energy."""

    def at_energy(E: Float[Array, ""]) -> Float[Array, " value"]:
        density = jnp.einsum("shjk,hj->sk", density_at_energy(table, E, mass), structure)
        return jnp.concatenate([density.sum(1), (density * couplings).sum()[None]])

    return jax.lax.map(at_energy, E_nu)


def cross_sections(
    channel: Channel,
    regimes: Sequence[Regime],
    energies: Sequence[float],
    *,
    theory: TheoryFunction = sm,
    parameters: dict[str, Any] | None = None,
    rtol: float = 1e-3,
    seed: int = 0,
    cuts: Cuts = NO_CUTS,
) -> list[TotalCrossSections]:
    """Total cross sections of the regimes of a target, each energy to a relative accuracy.

    From `tabulated_cross_section` where its error of VV + AA (and of SS + PP of a theory that `has_scalars`) is
    within `rtol`, else (and for all energies above `LARGEST_ENERGY`, and with cuts) from `total_cross_section`. A
    regime below 1e-3 of the total is only asked for 1e-3 of the total's accuracy.

    Raises
    ------
    RuntimeError : 32-bit floats, or `rtol` not reached with the largest sample.
    ValueError : an energy that is not positive and finite.
    """
    E_nu = np.asarray(energies, dtype=float)
    tabulated = (E_nu <= LARGEST_ENERGY) & (not cuts.active)
    given = {name: jnp.asarray(x, dtype=float) for name, x in (parameters or {}).items()}
    names = ALL_STRUCTURES if has_scalars(theory, given, channel) else STRUCTURES
    results = [_empty(E_nu.size, len(names)) for _ in regimes]
    if tabulated.any():
        for result, regime in zip(results, regimes, strict=True):
            found = tabulated_cross_section(channel, regime, E_nu[tabulated].tolist(), theory, parameters)
            for stored, part in zip(result, found, strict=True):
                stored[tabulated] = part
    pairs = (slice(0, 2), slice(3, 5))  # VV + AA; SS + PP, or an empty sum
    floors = [_NEGLIGIBLE * sum(result.value[:, pair].sum(1) for result in results) for pair in pairs]
    for result, regime in zip(results, regimes, strict=True):
        inaccurate = ~tabulated
        for pair, floor in zip(pairs, floors, strict=True):
            inaccurate |= result.error[:, pair].sum(1) > rtol * np.maximum(result.value[:, pair].sum(1), floor)
        for i in np.flatnonzero(inaccurate):
            estimate = total_cross_section(
                channel,
                regime,
                float(E_nu[i]),
                theory=theory,
                parameters=parameters,
                rtol=rtol,
                floor=float(floors[0][i]),
                scalar_floor=float(floors[1][i]),
                seed=seed,
                cuts=cuts,
            )
            _store(result, int(i), estimate)
    return results


def _empty(count: int, structures: int) -> TotalCrossSections:
    value, error = np.zeros((2, count, structures))
    return TotalCrossSections(value, error, np.zeros(count), np.zeros(count), np.zeros(count, dtype=bool))


def _store(result: TotalCrossSections, row: int, estimate: Estimate) -> None:
    result.value[row], result.error[row] = estimate.value, estimate.error
    result.sigma[row], result.sigma_error[row] = estimate.sigma, estimate.sigma_error
    result.sampled[row] = True
