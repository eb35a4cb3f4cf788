"""The statistical model: theory parameters, live nuisances and the likelihood of several experiments."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from tridentjax.constants import SIN2_THETA_W
from tridentjax.experiment import Experiment, Nuisance, load_experiment
from tridentjax.faults import InputError
from tridentjax.inference.coordinates import Edge, Prior, locate_edge
from tridentjax.kernel import SMALLEST_MEDIATOR_MASS
from tridentjax.likelihood import log_likelihood
from tridentjax.quadrature import chebyshev_nodes
from tridentjax.rates import Chain, Nuisances, Response, fold, prepare, rate_ratio
from tridentjax.schema import RunSpec
from tridentjax.theories import THEORIES, TheoryFunction, theory_faults

_EDGE_NODES = 24
_SAME_DATA = ({"nutev", "nutev_1998"}, {"charm2", "charm2_0p64"})
_UNITS = {"flux_tilt": "1", "sin2_theta_w": "1"}


class Model(eqx.Module):
    """Everything a sampler needs: z (unit normals) -> physical parameters -> log-likelihood."""

    chains: tuple[Chain, ...]
    priors: dict[str, Prior]
    fixed: dict[str, float]
    nuisances: dict[str, Nuisance]
    edge: Edge | None
    theory: TheoryFunction = eqx.field(static=True)
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

    def log_weight(self, z: Float[Array, " parameter"]) -> Float[Array, ""]:
        """Log of posterior over unit-normal reference: log-likelihood plus log-Jacobian."""
        values, log_jacobian = self.parameters(z)
        return self.log_likelihood(values) + log_jacobian


def _centre(name: str, model: Model) -> float:
    if name == "sin2_theta_w":
        return SIN2_THETA_W
    for chain in model.chains:
        if name == f"background_{chain.experiment.name}":
            return chain.experiment.measurement.background
    return 0.0


def _background_prior(experiment: Experiment, values: dict[str, Float[Array, ""]]) -> Float[Array, ""] | float:
    """The constraint on a sampled background is its prior already; take it out of the likelihood."""
    from tridentjax.likelihood import normal_log_density

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


class _Nuisance(NamedTuple):
    name: str
    nuisance: Nuisance


def _live_nuisances(spec: RunSpec, experiments: list[Experiment]) -> tuple[dict[str, Nuisance], list[str]]:
    """Nuisances of all experiments: flux and background ones per experiment, the rest shared."""
    if spec.nuisances is False:
        return {}, []
    changes = spec.nuisances or {}
    live: dict[str, Nuisance] = {}
    faults: list[str] = []
    known: set[str] = set()
    for experiment in experiments:
        own = [_Nuisance(key, value) for key, value in experiment.nuisances.items()]
        if experiment.measurement.observable == "counts":
            sd = experiment.measurement.background_uncertainty
            own.append(_Nuisance("background", Nuisance(sd, False, "constraint of the measurement")))
        for key, nuisance in own:
            known.add(key)
            change = changes.get(key)
            if change is False:
                continue
            if change is not None:
                nuisance = Nuisance(change.log_sd or change.sd, change.log_sd is not None, change.status)  # noqa: PLW2901
            shared = key not in ("flux_stretch", "flux_tilt", "background")
            name = key if shared else f"{key}_{experiment.name}"
            if name in live and live[name].width != nuisance.width:
                faults.append(
                    f"experiments give nuisance {name} different widths ({live[name].width} and {nuisance.width}); "
                    f"set nuisances.{key} in the config"
                )
            live[name] = nuisance
    faults += [f"nuisances.{key}: no experiment of this run has it; it has {', '.join(sorted(known))}" for key in changes if key not in known]
    return live, faults


def make_model(spec: RunSpec) -> Model:
    """Build the model of a config: experiments with kernels, theory, priors and nuisances.

    Raises
    ------
    InputError : unknown theory, parameter or experiment, experiments that share data, a mass below what
        the kernels resolve; all at once.
    """
    faults = theory_faults(
        spec.theory, {name: parameter.value for name, parameter in spec.params.items()}, "params"
    )
    experiments: list[Experiment] = []
    for name in spec.experiments:
        try:
            experiments.append(load_experiment(name))
        except InputError as error:
            faults += [f"experiments: {fault}" for fault in error.faults]
    names = {experiment.name for experiment in experiments}
    faults += [
        f"experiments: {' and '.join(sorted(pair))} are the same data; keep one"
        for pair in _SAME_DATA
        if pair <= names
    ]
    if len(names) < len(experiments):
        faults.append(f"experiments: {', '.join(spec.experiments)} names one twice")
    theory = THEORIES.get(spec.theory)
    for name, parameter in spec.params.items():
        expected = {**(theory.parameters if theory else {}), "sin2_theta_w": "1"}.get(name)
        if expected is not None and parameter.unit != expected:
            faults.append(f"params.{name}.unit = {parameter.unit!r}; allowed: {expected!r}")
        smallest = parameter.value if parameter.prior is None else parameter.prior.min
        if name == "mass" and smallest is not None and smallest < SMALLEST_MEDIATOR_MASS:
            faults.append(f"params.mass reaches {smallest} GeV; kernels are good down to {SMALLEST_MEDIATOR_MASS} GeV")
    nuisances, nuisance_faults = _live_nuisances(spec, experiments)
    nuisances = {name: n for name, n in nuisances.items() if name not in spec.params}
    faults += nuisance_faults
    priors = {}
    for name, parameter in spec.params.items():
        if parameter.prior is not None:
            p = parameter.prior
            pair = (p.loc, p.scale) if p.dist == "normal" else (p.min, p.max)
            priors[name] = Prior(float(pair[0]), float(pair[1]), p.dist)  # type: ignore[arg-type]
    for key in ("edge", "along"):
        name = getattr(spec.sampler, key)
        if name is not None and (name not in priors or priors[name].kind == "normal"):
            faults.append(f"sampler.{key} = {name!r}; allowed: a parameter with a uniform or loguniform prior")
    if (spec.sampler.edge is None) != (spec.sampler.along is None):
        faults.append("sampler: give both edge and along, or neither")
    if not priors:
        faults.append("params: nothing is sampled; give at least one parameter a prior")
    if faults:
        raise InputError(faults)

    units = {name: parameter.unit for name, parameter in spec.params.items()}
    model = Model(
        tuple(prepare(experiment) for experiment in experiments),
        priors,
        {name: parameter.value for name, parameter in spec.params.items() if parameter.value is not None},
        nuisances,
        None,
        THEORIES[spec.theory].function,
        (*priors, *nuisances),
        units | {name: _UNITS.get(name, "events" if name.startswith("background") else "1") for name in nuisances},
        {name: parameter.latex or name for name, parameter in spec.params.items()},
    )
    if spec.sampler.edge is None:
        return model
    return eqx.tree_at(lambda m: m.edge, model, _find_edge(model, spec.sampler.edge, spec.sampler.along or ""), is_leaf=lambda x: x is None)


def _find_edge(model: Model, parameter: str, along: str) -> Edge:
    """Locate the wall of the likelihood at nominal nuisances, other parameters at their prior median."""
    nominal = {name: prior.from_normal(jnp.zeros(())) for name, prior in model.priors.items()}
    prior, other = model.priors[parameter], model.priors[along]
    low, high = other.flat_range()
    unit = jnp.asarray(chebyshev_nodes(_EDGE_NODES))

    @eqx.filter_jit
    def walls(model: Model, responses: tuple[Response, ...]) -> Float[Array, "node rise"]:
        def at(node: Float[Array, ""]) -> Float[Array, " rise"]:
            values = {**nominal, along: other.from_flat(low + (high - low) * (node + 1.0) / 2.0)}

            def along_parameter(t: Float[Array, ""]) -> Float[Array, ""]:
                return model.log_likelihood({**values, parameter: prior.from_flat(t)}, responses)

            return jnp.stack([locate_edge(along_parameter, prior, rise) for rise in (1.0, 4.0, 9.0)])

        return jax.lax.map(at, unit)

    found = np.asarray(walls(model, model.responses({})))
    # narrower than the fall of the likelihood (rise 1 to 9): a wider map lets the wall steepen in z, and
    # NUTS diverges there (6 of 4000 draws at 0.5, none of 16000 at 0.15)
    width = max(0.15 * float(np.median(found[:, 2] - found[:, 0])), 1e-3)
    return Edge(jnp.asarray(found[:, 1]), jnp.asarray(width), parameter, along)
