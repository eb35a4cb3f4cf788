"""Rates: kernels folded with target and flux become a fixed weight tensor; a theory contracts it.

    N = sum_c sum_s sum_k Response[c, s, k] q_s(K2_k),    q = (sum_b g_V^2, sum_b g_A^2, sum_b g_V g_A)

and sum_b g_S^2, sum_b g_P^2 in a chain that is prepared with `scalar`.
A component c is one beam species on one nucleus in one regime. Every step is differentiable in its
nuisances: flux stretch and tilt, nuclear radius and diffuseness, and the two normalisations.
"""

import dataclasses
from collections.abc import Iterator
from functools import reduce
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from tridentjax._types import Scalar
from tridentjax.experiment.flux import Flux
from tridentjax.experiment.load import Experiment
from tridentjax.nucleus.nuclei import Nucleus, vary_density
from tridentjax.nucleus.regimes import Coherent, Incoherent, Regime, nucleus_regimes
from tridentjax.process.cuts import Cuts
from tridentjax.process.kernel import Kernel, build_kernel, energy_weights, join_structures
from tridentjax.process.leptonic_table import LARGEST_ENERGY, load_leptonic_table
from tridentjax.process.matrix_element import ALL_STRUCTURES, SCALAR_STRUCTURES, STRUCTURES
from tridentjax.process.selection import select
from tridentjax.rates.response import Component, Response, flux_integral

_STRETCH_MARGIN = 1.8  # energy range of a kernel beyond its flux: five standard deviations of ln s = 0.12


class Nuisances(NamedTuple):
    """What acts inside the chain; the defaults are the nominal chain.

    flux_stretch s scales every neutrino energy, flux_tilt t multiplies the spectrum by (E/mean)^t,
    nuclear_radius and nuclear_diffuseness scale the Fermi density of every nucleus, the normalisations
    multiply the coherent and incoherent rates.
    """

    flux_stretch: Scalar = 1.0
    flux_tilt: Scalar = 0.0
    nuclear_radius: Scalar = 1.0
    nuclear_diffuseness: Scalar = 1.0
    coherent_normalisation: Scalar = 1.0
    incoherent_normalisation: Scalar = 1.0


class Chain(eqx.Module):
    """An experiment with its kernels: everything upstream of the nuisances, ready to be folded.

    `densities` holds, for each nucleus and regime, the kernel folded with the target where no nuisance
    acts on it (nucleons), else None. `selections` holds the factors of `select` on
    the densities of each component, in the order of the response, where the experiment has cuts, else None.
    """

    experiment: Experiment
    kernels: dict[str, Kernel]
    regimes: tuple[tuple[Regime, ...], ...]
    densities: tuple[tuple[Float[Array, "structure energy node"] | None, ...], ...]
    selections: tuple[Float[Array, "factor node"], ...] | None = None


def build_kernels(experiment: Experiment, scalar: bool = False) -> dict[str, Kernel]:
    """Kernels of every nucleus of an experiment and of the nucleons, by name; with `scalar`, also of SS and PP.

    The slow part, the leptonic table of the channel, is cached on disk and shared by all targets and by
    neutrinos and antineutrinos (about 10 s on two cores the first time, 0.1 s afterwards).

    Raises
    ------
    RuntimeError : 32-bit floats.
    """
    channels = [experiment.channel(flux) for flux in experiment.fluxes]
    sets = (STRUCTURES, SCALAR_STRUCTURES) if scalar else (STRUCTURES,)
    tables = [load_leptonic_table(channels[0], structures=structures) for structures in sets]
    low = min(flux.range[0] for flux in experiment.fluxes) / _STRETCH_MARGIN
    high = min(max(flux.range[1] for flux in experiment.fluxes) * _STRETCH_MARGIN, LARGEST_ENERGY)
    kernels: dict[str, Kernel] = {}
    for nucleus, regimes in zip(experiment.nuclei, _regimes(experiment), strict=True):
        for regime in regimes:
            name = _kernel_name(nucleus.name, regime)
            if name not in kernels:
                own = [
                    build_kernel(table, regime.mass, (low, high), regime.hadronic, regime.largest_Q2)
                    for table in tables
                ]
                kernels[name] = reduce(join_structures, own)
    return kernels


def _regimes(experiment: Experiment) -> tuple[tuple[Regime, ...], ...]:
    return tuple(nucleus_regimes(nucleus, experiment.nucleon_form_factor) for nucleus in experiment.nuclei)


def _kernel_name(nucleus: str, regime: Regime) -> str:
    return nucleus if isinstance(regime, Coherent) else regime.name.removeprefix("incoherent_")


def prepare(experiment: Experiment, kernels: dict[str, Kernel] | None = None, scalar: bool = False) -> Chain:
    """Put experiment and kernels together; kernels are built (or read from the cache) unless given.

    `scalar` adds the structures SS and PP, which theories with g_S or g_P need (see `has_scalars`); kernels
    that are given decide themselves.
    """
    kernels = build_kernels(experiment, scalar) if kernels is None else kernels
    regimes = _regimes(experiment)
    densities = tuple(
        tuple(
            fold_target(kernels[_kernel_name(nucleus.name, regime)], regime) if isinstance(regime, Incoherent) else None
            for regime in own
        )
        for nucleus, own in zip(experiment.nuclei, regimes, strict=True)
    )
    chain = Chain(experiment, kernels, regimes, densities)
    if not experiment.cuts.cuts:  # an efficiency alone is a factor
        return chain
    return Chain(experiment, kernels, regimes, densities, _selections(chain))


def unselected(chain: Chain) -> Chain:
    """The same chain without the cuts of its experiment, for acceptances."""
    without = dataclasses.replace(chain.experiment, cuts=Cuts(()))
    return Chain(without, chain.kernels, chain.regimes, chain.densities)


class _Target(NamedTuple):
    """A nucleus in one regime: its share of all nuclei, its density where nothing acts on it, its kernel."""

    nucleus: Nucleus
    fraction: float
    regime: Regime
    density: Float[Array, "structure energy node"] | None
    kernel: Kernel


def _targets(chain: Chain) -> Iterator[_Target]:
    """Targets of a chain; the components of its response are these, each with all beams, in this order."""
    experiment = chain.experiment
    own = zip(experiment.nuclei, experiment.number_fractions, chain.regimes, chain.densities, strict=True)
    for nucleus, fraction, regimes, densities in own:
        for regime, density in zip(regimes, densities, strict=True):
            yield _Target(nucleus, fraction, regime, density, chain.kernels[_kernel_name(nucleus.name, regime)])


def _selections(chain: Chain) -> tuple[Float[Array, "factor node"], ...]:
    """Selected over total density of every component, at nominal nuisances."""
    factors: list[Float[Array, "factor node"]] = []
    experiment = chain.experiment
    for _, _, regime, _, kernel in _targets(chain):
        density = fold_target(kernel, regime)[:2].sum((0, 2))
        for flux in experiment.fluxes:
            at_energies = energy_weights(kernel, flux.energy) @ density
            shares, channel, scalar = flux.weight * at_energies, experiment.channel(flux), "SS" in kernel.structures
            found = select(
                channel, regime, flux.energy, shares, at_energies, kernel.K2, experiment.cuts, len(factors), scalar
            )
            factors.append(found.factor)
    return tuple(factors)


def fold_target(kernel: Kernel, regime: Regime) -> Float[Array, "structure energy node"]:
    """Kernel with form factors put in: cross section [cm^2] at its energies, differential in K2.

    Differentiable in the parameters of the form factor.
    """
    return jnp.einsum("shejk,hj->sek", kernel.sigma, regime.structure(kernel.Q2))


def fold_flux(
    density: Float[Array, "structure energy node"], kernel: Kernel, flux: Flux, stretch: Scalar, tilt: Scalar
) -> Float[Array, "structure node"]:
    """Integral of flux times cross section, int dE flux(E) sigma(E), differential in K2.

    The nodes of the flux stay where they are: a stretched spectrum phi(E/s)/s (E/mean)^t is integrated
    as sum_i w_i (s E_i/mean)^t sigma(s E_i). Differentiable in stretch and tilt.
    """
    energy = flux.energy * stretch
    weight = flux.weight * (energy / flux.pivot) ** tilt
    return jnp.einsum("i,ie,sek->sk", weight, energy_weights(kernel, energy), density)


def fold(chain: Chain, nuisances: Nuisances = Nuisances()) -> Response:  # noqa: B008 - immutable
    """Response of an experiment at given nuisances: fold_target, then fold_flux, for every component."""
    n, experiment = nuisances, chain.experiment
    rows: list[Float[Array, "structure node"]] = []
    factors, components, channels = [], [], []
    for nucleus, fraction, regime, fixed, kernel in _targets(chain):
        if fixed is None:
            factor = vary_density(nucleus, n.nuclear_radius, n.nuclear_diffuseness)
            density = fold_target(kernel, Coherent(factor, nucleus.Z, nucleus.mass, regime.radius))
            normalisation = n.coherent_normalisation
        else:
            density, normalisation = fixed, n.incoherent_normalisation
        for flux in experiment.fluxes:
            channel = experiment.channel(flux)
            row = fold_flux(density, kernel, flux, n.flux_stretch, n.flux_tilt) * (fraction * normalisation)
            if "VA" in kernel.structures:  # kernels are those of the first beam
                sign = channel.VA_sign * kernel.channel.VA_sign
                row = row * jnp.asarray([sign if name == "VA" else 1.0 for name in kernel.structures])[:, None]
            if chain.selections is None:
                row = row * experiment.cuts.efficiency
            else:
                row = _selected(row, kernel.structures, chain.selections[len(rows)])
            rows.append(row)
            factors.append(normalisation)
            components.append(Component(flux.name, flux.species, nucleus.name, regime.name))
            channels.append(channel)
    total = jnp.stack([flux_integral(flux, n.flux_stretch, n.flux_tilt) for flux in experiment.fluxes]).sum()
    first = next(_targets(chain)).kernel
    return Response(
        first.K2,
        jnp.stack(rows) / total,
        jnp.asarray(factors, dtype=rows[0].dtype),
        total,
        tuple(components),
        tuple(channels),
        first.structures if chain.selections is None else _selected_structures(first.structures),
    )


def _selected_structures(structures: tuple[str, ...]) -> tuple[str, ...]:
    """With interference, also where it vanishes without cuts (equal masses)."""
    return ALL_STRUCTURES if "SS" in structures else STRUCTURES


def _selected(
    row: Float[Array, "structure node"], structures: tuple[str, ...], factor: Float[Array, "factor node"]
) -> Float[Array, "selected node"]:
    """Density after the cuts, with the structures of `_selected_structures`."""
    nominal = dict(zip(structures, row, strict=True))
    interference = nominal.get("VA", jnp.zeros_like(row[0]))
    kept = [row[0] * factor[0], row[1] * factor[1], row[0] * factor[2] + interference * factor[3]]
    if "SS" in structures:
        kept += [nominal["SS"] * factor[4], nominal["PP"] * factor[5]]
    return jnp.stack(kept)
