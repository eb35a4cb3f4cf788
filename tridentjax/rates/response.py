"""Responses: kernels folded with flux and form factors, and the rates of a theory from them."""

from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from tridentjax._types import Scalar
from tridentjax.currents import Channel, LeptonCurrent, quadratic_couplings
from tridentjax.experiment.flux import Flux
from tridentjax.theory.theories import Parameters, TheoryFunction, electroweak_part, sm


class Component(NamedTuple):
    """Beam species on a nucleus in one regime."""

    flux: str
    species: str
    nucleus: str
    regime: str


class Response(eqx.Module):
    """Flux-averaged cross section per average target nucleus [cm^2], before couplings.

    `structures` names the second axis of `weights`, `normalisation` is the factor of the normalisation nuisances
    in the weights of each component. `flux_integral` is the integrated flux of all species in
    the unit of the tables (neutrinos/m^2/POT for absolute ones).
    """

    K2: Float[Array, " node"]
    weights: Float[Array, "component structure node"]
    normalisation: Float[Array, " component"]
    flux_integral: Float[Array, ""]
    components: tuple[Component, ...] = eqx.field(static=True)
    channels: tuple[Channel, ...]
    structures: tuple[str, ...] = eqx.field(static=True)


def flux_integral(flux: Flux, stretch: Scalar, tilt: Scalar) -> Float[Array, ""]:
    """Integrated flux after stretch and tilt."""
    return (flux.weight * (flux.energy * stretch / flux.pivot) ** tilt).sum()


def signal(response: Response, theory: TheoryFunction, parameters: Parameters) -> Float[Array, " component"]:
    """Flux-averaged cross section of every component [cm^2 per average nucleus].

    Raises
    ------
    ValueError : the theory has scalar couplings and the chain was prepared without them.
    """
    by_channel: dict[str, Any] = {}
    for channel in response.channels:
        if channel.name not in by_channel:
            by_channel[channel.name] = structure_couplings(
                theory(parameters, channel, response.K2), response.structures
            )
    couplings = jnp.stack([by_channel[channel.name] for channel in response.channels])
    return (response.weights * couplings).sum((1, 2))


def structure_couplings(current: LeptonCurrent, structures: tuple[str, ...]) -> Float[Array, "structure node"]:
    """Quadratic couplings that multiply the `structures` of a response, in its order."""
    scalar = "SS" in structures
    rows = quadratic_couplings(current, scalar)
    if "VA" in structures:
        return rows
    return jnp.concatenate([rows[:2], rows[3:]]) if scalar else rows[:2]


def rate_ratio(response: Response, theory: TheoryFunction, parameters: Parameters) -> Float[Array, ""]:
    """R = N/N_SM: same flux, target and sin^2 theta_W above and below."""
    return signal(response, theory, parameters).sum() / signal(response, sm, electroweak_part(parameters)).sum()


def measured_ratio(response: Response, theory: TheoryFunction, parameters: Parameters) -> Float[Array, ""]:
    """N over the prediction of the Standard Model at nominal normalisations.

    What an experiment quotes that divides by its prediction and leaves the error of the prediction out: here
    the normalisation nuisances do not cancel. Flux shape, nucleus and sin^2 theta_W are those of N.
    """
    predicted = signal(response, sm, electroweak_part(parameters)) / response.normalisation
    return signal(response, theory, parameters).sum() / predicted.sum()


def component_ratios(
    response: Response, theory: TheoryFunction, parameters: Parameters
) -> tuple[Float[Array, " component"], Float[Array, " component"]]:
    """Share of every component in the SM rate, and its own rate ratio."""
    reference = signal(response, sm, electroweak_part(parameters))
    return reference / reference.sum(), signal(response, theory, parameters) / reference
