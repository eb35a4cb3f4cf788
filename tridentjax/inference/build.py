"""Models of records or of a config: experiments, priors, nuisances and the sampler's coordinates, all checked."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from tridentjax.experiment.belle2 import Belle2Assumptions
from tridentjax.experiment.load import Experiment, load_experiment
from tridentjax.experiment.measurement import Nuisance
from tridentjax.faults import InputError, collect
from tridentjax.inference.coordinates import Edge, Prior, locate_edge
from tridentjax.inference.model import Model
from tridentjax.inference.nuisances import Changes, Correlation, live_nuisances
from tridentjax.quadrature import chebyshev_nodes
from tridentjax.rates.exposure import prepare_for
from tridentjax.rates.response import Response
from tridentjax.schema.run import PriorSpec, RunSpec
from tridentjax.theory.binding import BoundTheory, Range, bind_theory, theory_faults
from tridentjax.theory.catalogue import find_theory

_EDGE_NODES = 24
Settings = TypeVar("Settings")


def build_model(
    *,
    experiments: Sequence[Experiment],
    theory: BoundTheory,
    priors: dict[str, Prior],
    nuisances: Changes = None,
    correlations: Sequence[Correlation] = (),
    auxiliary: Belle2Assumptions | None = None,
    edge: tuple[str, str] | None = None,
    latex: Mapping[str, str] | None = None,
) -> Model:
    """A model of records: experiments with kernels, theory, priors and nuisances.

    Parameters
    ----------
    experiments : from `load_experiment`; counts that their files leave to the flux are computed.
    theory : from `bind_theory`, with the values of its fixed parameters.
    priors : of the sampled parameters, in the units of the theory.
    nuisances, correlations : see `live_nuisances`; those of the experiments, independent, unless given.
    auxiliary : an e+e- term of the likelihood.
    edge : parameter with a wall of the likelihood, and the parameter along which to locate it.
    latex : symbols of parameters for figures.

    Raises
    ------
    InputError : nothing sampled, experiments that share data, faults of nuisances and edge; all at once.
    """
    live = live_nuisances(experiments, nuisances, correlations, {*theory.values, *priors})
    if faults := _data_faults(experiments) + live.faults + _prior_faults(priors, edge):
        raise InputError(faults)
    anywhere = {name: jnp.ones(()) for name in priors} | theory.values
    known = {**theory.theory.parameters, "sin2_theta_w": "1", "one_loop": "1"}
    units = {name: known[name] for name in anywhere}
    units |= {name: "events" if nuisance.is_background else "1" for name, nuisance in live.nuisances.items()}
    units |= {name: item.unit for name, item in theory.theory.derived.items()} | {"delta_g_V": "1", "delta_g_A": "1"}
    model = Model(
        chains=tuple(prepare_for(experiment, theory.function, anywhere) for experiment in experiments), priors=priors,
        fixed=theory.values, nuisances=live.nuisances, edge=None, expanded=None,
        correlation=None if live.correlation is None else jnp.asarray(live.correlation), auxiliary=auxiliary,
        theory=theory.function, derive=theory.derive, names=(*priors, *live.nuisances), parts=live.parts,
        choices=theory.choices, units=units, latex=dict(latex or {}),
    )  # fmt: skip
    if edge is None:
        return model
    return eqx.tree_at(lambda m: m.edge, model, _find_edge(model, *edge), is_leaf=lambda x: x is None)


def make_model(spec: RunSpec) -> Model:
    """The model of a config.

    Raises
    ------
    InputError : unknown theory, parameter or experiment, experiments that share data, a mass below what
        the kernels resolve; all at once.
    """
    faults = _parameter_faults(spec)
    loaded = [collect(faults, load_experiment, name, prefix="experiments: ") for name in spec.experiments]
    experiments = [experiment for experiment in loaded if experiment is not None]
    priors, edge = _priors(spec), (spec.sampler.edge, spec.sampler.along)
    correlations = [Correlation(block.nuisances, block.matrix) for block in spec.correlations]
    live = live_nuisances(experiments, _changes(spec), correlations, spec.params)
    faults += _data_faults(experiments) + live.faults + _prior_faults(priors, edge) + _auxiliary_faults(spec)
    if faults:
        raise InputError(faults)
    return build_model(
        experiments=experiments,
        theory=bind_theory(spec.theory, _given(spec), "params"),
        priors=priors,
        nuisances=_changes(spec),
        correlations=correlations,
        auxiliary=_auxiliary(spec),
        edge=None if edge == (None, None) else edge,  # type: ignore[arg-type]
        latex={name: parameter.latex or name for name, parameter in spec.params.items()},
    )


def settings_of(record: Callable[..., Settings], block: Any) -> Settings:
    """A record of settings (`Sampling`, `ContourSettings`, ...) from the block of a config that has its fields."""
    return record(**{name: getattr(block, name) for name in record._fields})  # type: ignore[attr-defined]


def _data_faults(experiments: Sequence[Experiment]) -> list[str]:
    """Experiments that hold the same data."""
    faults: list[str] = []
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
    return faults


def _changes(spec: RunSpec) -> Changes:
    """Nuisances of the config as records."""
    if not spec.nuisances:
        return False if spec.nuisances is False else None
    return {
        key: Nuisance(change.width, change.log_sd is not None, change.status, change.shared or "") if change else None
        for key, change in spec.nuisances.items()
    }


def _given(spec: RunSpec) -> dict[str, Any]:
    """Values and choices of the theory's parameters; the range of those that have a prior."""
    ranges = {name: Range(*_range(p.prior)) for name, p in spec.params.items() if p.prior is not None}
    return {name: ranges.get(name, p.value) for name, p in spec.params.items()}


def _range(prior: PriorSpec) -> tuple[float, float]:
    return (-math.inf, math.inf) if prior.min is None or prior.max is None else (prior.min, prior.max)


def _parameter_faults(spec: RunSpec) -> list[str]:
    faults = theory_faults(spec.theory, _given(spec), "params")
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
    return faults


def _priors(spec: RunSpec) -> dict[str, Prior]:
    priors = {}
    for name, parameter in spec.params.items():
        if (prior := parameter.prior) is not None:
            low, high = (prior.loc, prior.scale) if prior.dist == "normal" else (prior.min, prior.max)
            assert low is not None and high is not None  # the schema has checked it
            priors[name] = Prior(float(low), float(high), prior.dist)
    return priors


def _prior_faults(priors: dict[str, Prior], edge: tuple[str | None, str | None] | None) -> list[str]:
    faults = [
        f"sampler.{key} = {name!r}; allowed: a parameter with a uniform or loguniform prior"
        for key, name in zip(("edge", "along"), edge or (), strict=False)
        if name is not None and (name not in priors or priors[name].kind == "normal")
    ]
    if edge is not None and (edge[0] is None) != (edge[1] is None):
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
    faults: list[str] = []
    if collect(faults, _auxiliary, spec, prefix="auxiliary.belle2: ") is None:
        return faults
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
