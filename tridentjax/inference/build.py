"""From a config to a model: experiments, priors, nuisances and the sampler's coordinates, all checked."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from tridentjax.experiment.belle2 import Belle2Assumptions
from tridentjax.experiment.load import Experiment, load_experiment
from tridentjax.faults import InputError
from tridentjax.inference.coordinates import Edge, Prior, locate_edge
from tridentjax.inference.model import Model
from tridentjax.inference.nuisances import _correlation, _live_nuisances
from tridentjax.quadrature import chebyshev_nodes
from tridentjax.rates.chain import Chain, prepare
from tridentjax.rates.exposure import complete
from tridentjax.rates.response import Response
from tridentjax.schema.run import PriorSpec, RunSpec
from tridentjax.theory.binding import BoundTheory, Range, bind_theory, theory_faults
from tridentjax.theory.catalogue import find_theory
from tridentjax.theory.domain import SMALLEST_MEDIATOR_MASS
from tridentjax.theory.theories import has_scalars

_EDGE_NODES = 24


def make_model(spec: RunSpec) -> Model:
    """Build the model of a config: experiments with kernels, theory, priors and nuisances.

    Raises
    ------
    InputError : unknown theory, parameter or experiment, experiments that share data, a mass below what
        the kernels resolve; all at once.
    """
    experiments, faults = _experiments(spec)
    priors = _priors(spec)
    nuisances, parts, nuisance_faults = _live_nuisances(spec, experiments)
    nuisances = {name: nuisance for name, nuisance in nuisances.items() if name not in spec.params}
    correlation, correlation_faults = _correlation(spec, nuisances)
    faults = _parameter_faults(spec) + faults + nuisance_faults + correlation_faults + _sampler_faults(spec, priors)
    faults += _auxiliary_faults(spec)
    if faults:
        raise InputError(faults)
    bound = bind_theory(spec.theory, _given(spec), "params")
    units = {name: parameter.unit for name, parameter in spec.params.items() if name not in bound.choices}
    units |= {name: "events" if nuisance.is_background else "1" for name, nuisance in nuisances.items()}
    units |= {name: item.unit for name, item in bound.theory.derived.items()} | {"delta_g_V": "1", "delta_g_A": "1"}
    anywhere = {name: jnp.ones(()) for name in priors} | bound.values
    model = Model(
        tuple(_chain(experiment, bound, anywhere) for experiment in experiments),
        priors,
        bound.values,
        nuisances,
        None,
        None,
        None if correlation is None else jnp.asarray(correlation),
        _auxiliary(spec),
        bound.function,
        bound.derive,
        (*priors, *nuisances),
        parts,
        bound.choices,
        units,
        {name: parameter.latex or name for name, parameter in spec.params.items()},
    )
    if spec.sampler.edge is None or spec.sampler.along is None:
        return model
    edge = _find_edge(model, spec.sampler.edge, spec.sampler.along)
    return eqx.tree_at(lambda m: m.edge, model, edge, is_leaf=lambda x: x is None)


def _chain(experiment: Experiment, bound: BoundTheory, anywhere: dict[str, Any]) -> Chain:
    """Kernels of an experiment; a count that its file leaves to the flux is computed."""
    channel = experiment.channel(experiment.fluxes[0])
    return complete(prepare(experiment, scalar=has_scalars(bound.function, anywhere, channel)))


def _experiments(spec: RunSpec) -> tuple[list[Experiment], list[str]]:
    experiments, faults = [], []
    for name in spec.experiments:
        try:
            experiments.append(load_experiment(name))
        except InputError as error:
            faults += [f"experiments: {fault}" for fault in error.faults]
    by_data: dict[str, list[str]] = {}
    for experiment in experiments:
        by_data.setdefault(experiment.data_set, []).append(experiment.name)
    for data_set, names in by_data.items():
        if len(set(names)) > 1:
            faults.append(
                f"experiments: {' and '.join(sorted(set(names)))} are variants of the same data ({data_set}), which "
                "would count twice; keep one"
            )
        faults += [f"experiments: {name} is named twice" for name in sorted(set(names)) if names.count(name) > 1]
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


def _auxiliary(spec: RunSpec) -> Belle2Assumptions | None:
    if spec.auxiliary is None or spec.auxiliary.belle2 is None:
        return None
    return Belle2Assumptions(**spec.auxiliary.belle2.model_dump(exclude_none=True))


def _auxiliary_faults(spec: RunSpec) -> list[str]:
    """An e+e- term needs a boson that couples to electrons."""
    try:
        if _auxiliary(spec) is None:
            return []
    except InputError as error:
        return [f"auxiliary.belle2: {fault}" for fault in error.faults]
    if spec.theory != "zprime":
        return [f"auxiliary.belle2: theory {spec.theory} has no e+e- -> gamma X; it needs zprime"]
    loop = spec.params.get("loop_mixing")
    electron = {"kinetic_mixing", "g_V", "g_A", "g_V_e", "g_A_e"} & set(spec.params)
    if not electron and (loop is None or loop.value is not True):
        return [
            "auxiliary.belle2: the boson does not couple to electrons; set loop_mixing to true or give kinetic_mixing"
        ]
    return []


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
