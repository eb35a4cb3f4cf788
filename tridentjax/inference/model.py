"""The statistical model: theory parameters, live nuisances and the likelihood of several experiments."""

import dataclasses
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.scipy.special import ndtr
from jaxtyping import Array, Bool, Float

from tridentjax._types import Scalar
from tridentjax.currents import FLAVOURS
from tridentjax.experiment.belle2 import Belle2Assumptions, belle2_log_likelihood
from tridentjax.experiment.likelihood import log_likelihood, normal_log_density
from tridentjax.experiment.measurement import Nuisance
from tridentjax.inference.coordinates import Edge, Prior
from tridentjax.rates.chain import Chain, Nuisances, fold
from tridentjax.rates.expanded_response import Expanded, expand_response
from tridentjax.rates.response import Response, measured_ratio, rate_ratio
from tridentjax.theory.theories import Parameters, TheoryFunction, align, electroweak_part, sm

PRIOR_DRAWS = 1000


class Model(eqx.Module):
    """Everything a sampler needs: z (unit normals) -> physical parameters -> log-likelihood.

    `parts` names, for each experiment, the nuisance that plays each part (`nuclear_radius`, ...) in it.
    `expanded` replaces the kernels of the chains by polynomials of the nuisances, see `expand_model`.
    `auxiliary` is an e+e- term beside the trident measurements, `choices` are the words of the theory.
    `correlation` is the Cholesky factor of the correlation matrix of the nuisances, None if they are independent.
    """

    chains: tuple[Chain, ...]
    priors: dict[str, Prior]
    fixed: dict[str, Float[Array, "*tower"]]
    nuisances: dict[str, Nuisance]
    edge: Edge | None
    expanded: tuple[Expanded, ...] | None
    correlation: Float[Array, "nuisance nuisance"] | None
    auxiliary: Belle2Assumptions | None
    theory: TheoryFunction = eqx.field(static=True)
    derive: Callable[[Parameters], dict[str, Scalar]] = eqx.field(static=True)
    names: tuple[str, ...] = eqx.field(static=True)
    parts: tuple[dict[str, str], ...] = eqx.field(static=True)
    choices: dict[str, Any] = eqx.field(static=True)
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
        own = jnp.stack([position[name] for name in self.ordered]) if self.nuisances else jnp.zeros(0)
        return values | self.nuisance_values(own), log_jacobian

    def nuisance_values(self, z: Float[Array, " nuisance"]) -> dict[str, Float[Array, ""]]:
        """Physical values of the nuisances, in their order, at z in units of their widths; correlated if declared."""
        scaled = z if self.correlation is None else self.correlation @ z
        values = {}
        for i, name in enumerate(self.ordered):
            nuisance = self.nuisances[name]
            shift = nuisance.width * scaled[i]
            values[name] = jnp.exp(shift) if nuisance.log else nuisance.centre + shift
        return values

    @property
    def ordered(self) -> tuple[str, ...]:
        """Names of the nuisances in the order of z; JAX sorts the keys of dictionaries that it has handled."""
        return tuple(name for name in self.names if name in self.nuisances)

    @property
    def profiled(self) -> tuple[str, ...]:
        """Nuisances that a profile likelihood searches; backgrounds, the last ones, it finds in closed form."""
        return tuple(name for name in self.ordered if not self.nuisances[name].is_background)

    @property
    def background_names(self) -> tuple[str, ...]:
        """Nuisance that is the background of each experiment; '' where there is none."""
        names = (part.get("background", "") for part in self.parts)
        return tuple(name if name in self.nuisances else "" for name in names)

    def ratios_at(
        self, values: dict[str, Float[Array, ""]], z: Float[Array, " profiled"]
    ) -> Float[Array, " experiment"]:
        """Rate ratios at parameters of the theory and z of the profiled nuisances."""
        nuisances = self.nuisance_values(jnp.concatenate([z, jnp.zeros(len(self.nuisances) - z.size)]))
        return self.rate_ratios({**{name: nuisances[name] for name in self.profiled}, **values})

    def responses(self, values: dict[str, Float[Array, ""]]) -> tuple[Response, ...]:
        """Responses of all experiments at the nuisances among `values`."""
        nuisances = [_nuisances(part, values) for part in self.parts]
        if self.expanded is not None:
            return tuple(expanded.fold(n) for expanded, n in zip(self.expanded, nuisances, strict=True))
        return tuple(fold(chain, n) for chain, n in zip(self.chains, nuisances, strict=True))

    def rate_ratios(
        self, values: dict[str, Float[Array, ""]], responses: tuple[Response, ...] | None = None
    ) -> Float[Array, " experiment"]:
        """Predicted rate ratio of every experiment."""
        responses = self.responses(values) if responses is None else responses
        physics = {**self.fixed, **values}
        ratios = []
        for chain, response in zip(self.chains, responses, strict=True):
            # a quoted error that contains that of the prediction must not get it twice
            quoted = rate_ratio if chain.experiment.measurement.includes_theory_error else measured_ratio
            ratios.append(quoted(response, self.theory, physics))
        return jnp.stack(ratios)

    def log_likelihood(
        self, values: dict[str, Float[Array, ""]], responses: tuple[Response, ...] | None = None
    ) -> Float[Array, ""]:
        """Sum over experiments at physical parameter values, with the auxiliary term if there is one.

        Backgrounds not in `values` are profiled.
        """
        ratios = self.rate_ratios(values, responses)
        terms = []
        for i, chain in enumerate(self.chains):
            m, background = chain.experiment.measurement, values.get(self.background_names[i])
            own = log_likelihood(m, ratios[i], background)
            if background is not None:  # its constraint is its prior already
                own = own - normal_log_density(m.background, background, m.background_uncertainty)
            terms.append(own)
        return jnp.stack(terms).sum() + self.auxiliary_log_likelihood(values)

    def auxiliary_log_likelihood(self, values: dict[str, Float[Array, ""]]) -> Scalar:
        """Log-likelihood of the auxiliary reach; 0 unless the config asks for it."""
        if self.auxiliary is None:
            return 0.0
        return belle2_log_likelihood({**self.choices, **self.fixed, **values}, self.auxiliary)

    def derived(self, values: dict[str, Float[Array, ""]]) -> dict[str, Scalar]:
        """Quantities of the theory, and the shift of (g_V, g_A) at K2 = 0 in the channel of the first beam."""
        physics = {**self.fixed, **values}
        experiment = self.chains[0].experiment
        channel, node = experiment.channel(), jnp.zeros(1)
        current = self.theory(physics, channel, node)
        reference = sm(electroweak_part(physics), channel, node)
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


def expand_model(model: Model) -> Model:
    """The same model with expanded responses: for fits and toys by the thousand, not for final numbers."""
    return dataclasses.replace(model, expanded=tuple(expand_response(chain) for chain in model.chains))


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


def _nuisances(part: dict[str, str], values: dict[str, Float[Array, ""]]) -> Nuisances:
    """What acts inside one chain: the nuisance that plays each part, or a parameter of the part's own name."""
    found = {field: values[part.get(field, field)] for field in Nuisances._fields if part.get(field, field) in values}
    return Nuisances(**found)
