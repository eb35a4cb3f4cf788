"""The statistical model: theory parameters, live nuisances and the likelihood of several experiments."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.scipy.special import ndtr
from jaxtyping import Array, Bool, Float

from tridentjax._types import Scalar
from tridentjax.constants import SIN2_THETA_W
from tridentjax.currents import FLAVOURS
from tridentjax.experiment import Experiment, Nuisance
from tridentjax.inference.coordinates import Edge, Prior
from tridentjax.likelihood import log_likelihood, normal_log_density
from tridentjax.rates import Chain, Nuisances, Response, fold, rate_ratio
from tridentjax.theories import ELECTROWEAK, Parameters, TheoryFunction, align, sm

PRIOR_DRAWS = 1000


class Model(eqx.Module):
    """Everything a sampler needs: z (unit normals) -> physical parameters -> log-likelihood."""

    chains: tuple[Chain, ...]
    priors: dict[str, Prior]
    fixed: dict[str, Float[Array, "*tower"]]
    nuisances: dict[str, Nuisance]
    edge: Edge | None
    theory: TheoryFunction = eqx.field(static=True)
    derive: Callable[[Parameters], dict[str, Scalar]] = eqx.field(static=True)
    names: tuple[str, ...] = eqx.field(static=True)
    units: dict[str, str] = eqx.field(static=True)
    latex: dict[str, str] = eqx.field(static=True)

    @property
    def experiments(self) -> tuple[str, ...]:
        """Names of the experiments, in order."""
        return tuple(chain.experiment.name for chain in self.chains)

    def parameters(self, z: Float[Array, " parameter"]) -> tuple[dict[str, Float[Array, ""]], Float[Array, ""]]:
        """Physical values of all sampled parameters at z, and the log-Jacobian of the edge map."""
        position = {name: z[i] for i, name in enumerate(self.names)}
        values = {name: prior.from_normal(position[name]) for name, prior in self.priors.items()}
        log_jacobian = jnp.zeros(())
        if self.edge is not None:
            edge, along = self.edge, self.priors[self.edge.along]
            other = values[edge.along]
            wall = edge.wall(along, jnp.log(other) if along.kind == "loguniform" else other)
            t, log_jacobian = edge.from_normal(position[edge.parameter], wall, self.priors[edge.parameter])
            values[edge.parameter] = self.priors[edge.parameter].from_flat(t)
        for name, nuisance in self.nuisances.items():
            shift = nuisance.width * position[name]
            values[name] = jnp.exp(shift) if nuisance.log else _centre(name, self) + shift
        return values, log_jacobian

    def responses(self, values: dict[str, Float[Array, ""]]) -> tuple[Response, ...]:
        """Responses of all experiments at the nuisances among `values`."""
        return tuple(fold(chain, _nuisances(chain.experiment.name, values)) for chain in self.chains)

    def rate_ratios(
        self, values: dict[str, Float[Array, ""]], responses: tuple[Response, ...] | None = None
    ) -> Float[Array, " experiment"]:
        """Predicted rate ratio of every experiment."""
        responses = self.responses(values) if responses is None else responses
        physics = {**self.fixed, **values}
        return jnp.stack([rate_ratio(response, self.theory, physics) for response in responses])

    def log_likelihood(
        self, values: dict[str, Float[Array, ""]], responses: tuple[Response, ...] | None = None
    ) -> Float[Array, ""]:
        """Sum over experiments at physical parameter values; backgrounds not in `values` are profiled."""
        ratios = self.rate_ratios(values, responses)
        return jnp.stack(
            [
                log_likelihood(chain.experiment.measurement, ratios[i], values.get(f"background_{name}"))
                - _background_prior(chain.experiment, values)
                for i, (name, chain) in enumerate(zip(self.experiments, self.chains, strict=True))
            ]
        ).sum()

    def derived(self, values: dict[str, Float[Array, ""]]) -> dict[str, Scalar]:
        """Quantities of the theory, and the shift of (g_V, g_A) at K2 = 0 in the channel of the first beam."""
        physics = {**self.fixed, **values}
        experiment = self.chains[0].experiment
        channel, node = experiment.channel(experiment.fluxes[0]), jnp.zeros(1)
        current = self.theory(physics, channel, node)
        reference = sm({name: x for name, x in physics.items() if name in ELECTROWEAK}, channel, node)
        reference = align(reference, channel, current.g_V.shape[0])
        own = 0 if reference.g_V.shape[0] == 1 else FLAVOURS.index(channel.outgoing_neutrinos[0])
        shifts = {"delta_g_V": current.g_V - reference.g_V, "delta_g_A": current.g_A - reference.g_A}
        found = self.derive(physics) | {name: shift[own, 0] for name, shift in shifts.items()}
        return {name: x for name, x in found.items() if name not in physics}

    def prior_quantiles(self, z: Float[Array, " parameter"]) -> dict[str, Float[Array, ""]]:
        """Where in its own prior each parameter lies, uniform in [0, 1] without data."""
        quantiles = {name: ndtr(z[i]) for i, name in enumerate(self.names)}
        if self.edge is not None:  # its coordinate is bent along the wall
            name = self.edge.parameter
            prior, value = self.priors[name], self.parameters(z)[0][name]
            low, high = prior.flat_range()
            quantiles[name] = ((jnp.log(value) if prior.kind == "loguniform" else value) - low) / (high - low)
        return quantiles

    def log_weight(self, z: Float[Array, " parameter"]) -> Float[Array, ""]:
        """Log of posterior over unit-normal reference: log-likelihood plus log-Jacobian."""
        values, log_jacobian = self.parameters(z)
        return self.log_likelihood(values) + log_jacobian


def count_undefined(model: Model) -> int:
    """How many of `PRIOR_DRAWS` draws of the prior have no solution in the theory: its derived quantities are NaN."""
    z = jax.random.normal(jax.random.PRNGKey(0), (PRIOR_DRAWS, len(model.names)))

    @eqx.filter_jit
    def defined(model: Model, z: Float[Array, "draw parameter"]) -> Bool[Array, " draw"]:
        def one(row: Float[Array, " parameter"]) -> Bool[Array, ""]:
            numbers = [jnp.asarray(x) for x in model.derived(model.parameters(row)[0]).values()]
            return jnp.isfinite(jnp.stack([jnp.ones(()), *numbers])).all()

        return jax.lax.map(one, z, batch_size=64)

    return int(PRIOR_DRAWS - defined(model, z).sum())


def _centre(name: str, model: Model) -> float:
    if name == "sin2_theta_w":
        return SIN2_THETA_W
    for chain in model.chains:
        if name == f"background_{chain.experiment.name}":
            return chain.experiment.measurement.background
    return 0.0


def _background_prior(experiment: Experiment, values: dict[str, Float[Array, ""]]) -> Float[Array, ""] | float:
    """The constraint on a sampled background is its prior already; take it out of the likelihood."""
    background = values.get(f"background_{experiment.name}")
    if background is None:
        return 0.0
    m = experiment.measurement
    return normal_log_density(m.background, background, m.background_uncertainty)


def _nuisances(experiment: str, values: dict[str, Float[Array, ""]]) -> Nuisances:
    found: dict[str, Any] = {}
    for field in Nuisances._fields:
        for name in (field, f"{field}_{experiment}"):
            if name in values:
                found[field] = values[name]
    return Nuisances(**found)
