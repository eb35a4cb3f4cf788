"""From a config to a model: experiments, priors, nuisances and the sampler's coordinates, all checked."""

import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from tridentjax.catalogue import find_theory
from tridentjax.cross_section import has_scalars
from tridentjax.experiment import Experiment, Nuisance, load_experiment
from tridentjax.faults import InputError
from tridentjax.inference.coordinates import Edge, Prior, locate_edge
from tridentjax.inference.model import Model
from tridentjax.kernel import SMALLEST_MEDIATOR_MASS
from tridentjax.quadrature import chebyshev_nodes
from tridentjax.rates import Response, prepare
from tridentjax.run_schema import PriorSpec, RunSpec
from tridentjax.theory_input import Range, bind_theory, theory_faults

_EDGE_NODES = 24
_SAME_DATA = ({"nutev", "nutev_1998"}, {"charm2", "charm2_0p64"})


def make_model(spec: RunSpec) -> Model:
    """Build the model of a config: experiments with kernels, theory, priors and nuisances.

    Raises
    ------
    InputError : unknown theory, parameter or experiment, experiments that share data, a mass below what
        the kernels resolve; all at once.
    """
    experiments, faults = _experiments(spec)
    priors = _priors(spec)
    nuisances, nuisance_faults = _live_nuisances(spec, experiments)
    faults = _parameter_faults(spec) + faults + nuisance_faults + _sampler_faults(spec, priors)
    if faults:
        raise InputError(faults)
    nuisances = {name: nuisance for name, nuisance in nuisances.items() if name not in spec.params}
    bound = bind_theory(spec.theory, _given(spec), "params")
    units = {name: parameter.unit for name, parameter in spec.params.items() if name not in bound.choices}
    units |= {name: "events" if name.startswith("background") else "1" for name in nuisances}
    units |= {name: item.unit for name, item in bound.theory.derived.items()} | {"delta_g_V": "1", "delta_g_A": "1"}
    anywhere = {name: jnp.ones(()) for name in priors} | bound.values
    model = Model(
        tuple(
            prepare(experiment, scalar=has_scalars(bound.function, anywhere, experiment.channel(experiment.fluxes[0])))
            for experiment in experiments
        ),
        priors,
        bound.values,
        nuisances,
        None,
        bound.function,
        bound.derive,
        (*priors, *nuisances),
        units,
        {name: parameter.latex or name for name, parameter in spec.params.items()},
    )
    if spec.sampler.edge is None or spec.sampler.along is None:
        return model
    edge = _find_edge(model, spec.sampler.edge, spec.sampler.along)
    return eqx.tree_at(lambda m: m.edge, model, edge, is_leaf=lambda x: x is None)


def _experiments(spec: RunSpec) -> tuple[list[Experiment], list[str]]:
    experiments, faults = [], []
    for name in spec.experiments:
        try:
            experiments.append(load_experiment(name))
        except InputError as error:
            faults += [f"experiments: {fault}" for fault in error.faults]
    names = {experiment.name for experiment in experiments}
    faults += [
        f"experiments: {' and '.join(sorted(pair))} are the same data; keep one" for pair in _SAME_DATA if pair <= names
    ]
    if len(names) < len(experiments):
        faults.append(f"experiments: {', '.join(spec.experiments)} names one twice")
    return experiments, faults


def _given(spec: RunSpec) -> dict[str, Any]:
    """Values and choices of the theory's parameters; the range of those that have a prior."""
    ranges = {name: Range(*_range(p.prior)) for name, p in spec.params.items() if p.prior is not None}
    return {name: ranges.get(name, p.value) for name, p in spec.params.items()}


def _range(prior: PriorSpec) -> tuple[float, float]:
    return (-math.inf, math.inf) if prior.min is None or prior.max is None else (prior.min, prior.max)


def _parameter_faults(spec: RunSpec) -> list[str]:
    given = _given(spec)
    faults = theory_faults(spec.theory, given, "params")
    try:
        theory = find_theory(spec.theory)
    except InputError:  # is among the faults
        return faults
    for name, parameter in spec.params.items():
        expected = {**theory.parameters, "sin2_theta_w": "1", "one_loop": "1"}.get(name)
        if expected is not None and parameter.unit != expected:
            faults.append(f"params.{name}.unit = {parameter.unit!r}; allowed: {expected!r}")
        if name in theory.choices and parameter.prior is not None:
            allowed = ", ".join(str(option).lower() for option in theory.choices[name])
            faults.append(f"params.{name} is a choice ({allowed}); give it a value instead of a prior")
    if (mass := given.get("mass")) is not None and not isinstance(mass, str | bool):
        lightest = float(np.min(np.asarray(mass, dtype=float)))
        if lightest < SMALLEST_MEDIATOR_MASS:
            faults.append(f"params.mass reaches {lightest} GeV; kernels are good down to {SMALLEST_MEDIATOR_MASS} GeV")
    return faults


def _priors(spec: RunSpec) -> dict[str, Prior]:
    priors = {}
    for name, parameter in spec.params.items():
        if (prior := parameter.prior) is not None:
            low, high = (prior.loc, prior.scale) if prior.dist == "normal" else (prior.min, prior.max)
            assert low is not None and high is not None  # the schema has checked it
            priors[name] = Prior(float(low), float(high), prior.dist)
    return priors


def _sampler_faults(spec: RunSpec, priors: dict[str, Prior]) -> list[str]:
    faults = []
    for key in ("edge", "along"):
        name = getattr(spec.sampler, key)
        if name is not None and (name not in priors or priors[name].kind == "normal"):
            faults.append(f"sampler.{key} = {name!r}; allowed: a parameter with a uniform or loguniform prior")
    if (spec.sampler.edge is None) != (spec.sampler.along is None):
        faults.append("sampler: give both edge and along, or neither")
    if not priors:
        faults.append("params: nothing is sampled; give at least one parameter a prior")
    return faults


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
                nuisance = Nuisance(change.width, change.log_sd is not None, change.status)  # noqa: PLW2901
            shared = key not in ("flux_stretch", "flux_tilt", "background")
            name = key if shared else f"{key}_{experiment.name}"
            if name in live and live[name].width != nuisance.width:
                faults.append(
                    f"experiments give nuisance {name} different widths ({live[name].width} and {nuisance.width}); "
                    f"set nuisances.{key} in the config"
                )
            live[name] = nuisance
    faults += [
        f"nuisances.{key}: no experiment of this run has it; it has {', '.join(sorted(known))}"
        for key in changes
        if key not in known
    ]
    return live, faults


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
