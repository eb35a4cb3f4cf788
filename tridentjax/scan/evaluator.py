"""Evaluation of many points: chunked, on all local devices, with gradients and reason codes.

A batch is mapped over chunks by `lax.map(batch_size=)` inside `shard_map`, one shard a device, so that temporaries
stay those of a chunk, whatever the number of points. Points are padded to whole chunks and trimmed afterwards.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, PartitionSpec
from jaxtyping import Array, Float, Int, Shaped

from tridentjax.inference.data import observed
from tridentjax.inference.folded_model import Folded, in_float32
from tridentjax.inference.model import Model, expand_model
from tridentjax.inference.profile import profile
from tridentjax.schema.scan import Condition
from tridentjax.theory.catalogue import Theory
from tridentjax.theory.domain import violations

Outputs = dict[str, Shaped[Array, ""]]
OutputFunction = Callable[[dict[str, Float[Array, ""]]], Outputs]

STATUS = {
    0: "evaluated",
    1: "the input row has a missing or infinite number",
    2: "outside what the theory or the kernels allow",
    3: "the theory has no solution there",
}


class Evaluation(NamedTuple):
    """Columns of evaluated points, and the reason code of each (`STATUS`)."""

    columns: dict[str, np.ndarray]
    status: Int[np.ndarray, " point"]


def nominal_outputs(folded: Folded, derived: bool = False) -> OutputFunction:
    """Rate ratios, log-likelihood and (if asked for) derived quantities at fixed nuisances."""

    def outputs(point: dict[str, Float[Array, ""]]) -> Outputs:
        ratios = folded.rate_ratios(point)
        return _named(folded, point, ratios, folded.log_likelihood(point, ratios), derived)

    return outputs


def profiled_outputs(model: Model, derived: bool = False) -> OutputFunction:
    """The same with the nuisances that fit best at each point, on responses interpolated in them.

    R is good to 1.5e-4 within a prior width (`expanded_response`); derivatives of R are at those nuisances.
    """
    cheap, data = expand_model(model), observed(model)

    def outputs(point: dict[str, Float[Array, ""]]) -> Outputs:
        best = profile(cheap, data, cheap.ratios_at, point)
        log_likelihood = -0.5 * best.deviance + model.auxiliary_log_likelihood(point)
        return _named(model, point, cheap.ratios_at(point, best.z), log_likelihood, derived)

    return outputs


def record_outputs(record: Folded | Model, derived: bool = False) -> OutputFunction:
    """`nominal_outputs` of a folded record, `profiled_outputs` of a model."""
    return nominal_outputs(record, derived) if isinstance(record, Folded) else profiled_outputs(record, derived)


def _named(record: Folded | Model, point: Outputs, ratios: Array, log_likelihood: Array, derived: bool) -> Outputs:
    found = {f"rate_ratio_{name}": ratios[i] for i, name in enumerate(record.experiments)}
    found["log_likelihood"] = log_likelihood
    if derived:
        found |= {name: jnp.asarray(x) for name, x in record.derived(point).items() if name not in point}
    return found


def delta_chi2(log_likelihood: Any, best: float) -> Any:
    """-2 (ln L - best), of JAX's numbers or of NumPy's."""
    return -2.0 * (log_likelihood - best)


def with_delta_chi2(outputs: OutputFunction, best: float, threshold: float) -> OutputFunction:
    """Adds delta_chi2 = -2 (ln L - best), and whether it is below the threshold."""

    def extended(point: dict[str, Float[Array, ""]]) -> Outputs:
        found = outputs(point)
        found["delta_chi2"] = delta_chi2(found["log_likelihood"], best)
        found["allowed"] = found["delta_chi2"] < threshold
        return found

    return extended


def make_evaluator(
    outputs: OutputFunction,
    names: tuple[str, ...],
    wanted: Iterable[str],
    gradients: Iterable[str] = (),
    *,
    size: int,
    batch: int = 1024,
    devices: int | None = None,
    single: bool = False,
) -> Callable[[Float[np.ndarray, "point parameter"]], dict[str, Array]]:
    """Compile the outputs for blocks of up to `size` points.

    Parameters
    ----------
    outputs : function of one point, see `nominal_outputs`.
    names : parameters of the columns of a block.
    wanted : outputs to return.
    gradients : outputs whose derivatives with respect to every parameter are returned, `d_OUTPUT_d_PARAMETER`.
    size : largest block; all blocks are padded to it, so one shape is compiled.
    batch : points of a chunk; 256 to 1024 are best on a processor, 10^4 and more on a GPU.
    devices : how many local ones share the block; all if None.
    single : points in float32; the outputs should be made of a record in float32 as well.

    Returns
    -------
    Function of a block (point, parameter), which returns arrays by name as soon as they are dispatched.
    """
    wanted, gradients = tuple(wanted), tuple(gradients)
    available = jax.local_devices()[:devices]
    chunk = batch * len(available)
    padded = -(-size // chunk) * chunk

    def one(row: Float[Array, " parameter"]) -> Outputs:
        def differentiated(row: Float[Array, " parameter"]) -> tuple[Float[Array, " gradient"], Outputs]:
            found = outputs(dict(zip(names, row, strict=True)))
            return jnp.stack([found[name] for name in gradients] or [jnp.zeros(())]), found

        if not gradients:
            return {name: x for name, x in differentiated(row)[1].items() if name in wanted}
        stacked, pull, found = jax.vjp(differentiated, row, has_aux=True)
        kept = {name: x for name, x in found.items() if name in wanted}
        for i, name in enumerate(gradients):
            (slope,) = pull(jnp.zeros_like(stacked).at[i].set(1.0))
            kept |= {f"d_{name}_d_{parameter}": slope[j] for j, parameter in enumerate(names)}
        return kept

    mesh = jax.make_mesh((len(available),), ("point",), devices=available, axis_types=(AxisType.Auto,))
    along = PartitionSpec("point")
    sharded = jax.shard_map(
        partial(jax.lax.map, one, batch_size=batch), mesh=mesh, in_specs=along, out_specs=along, check_vma=False
    )
    compiled = jax.jit(sharded)
    kind = np.float32 if single else np.float64

    def evaluate(rows: Float[np.ndarray, "point parameter"]) -> dict[str, Array]:
        block = np.empty((padded, len(names)), dtype=kind)
        block[: len(rows)] = rows
        block[len(rows) :] = rows[-1]
        return {name: x[: len(rows)] for name, x in compiled(block).items()}

    return evaluate


def input_status(
    rows: Float[np.ndarray, "point parameter"],
    names: tuple[str, ...],
    theory: Theory,
    fixed: Mapping[str, Any] = MappingProxyType({}),
) -> Int[np.ndarray, " point"]:
    """Reason codes that the input alone decides, beside `fixed` parameters: 1 for missing numbers, 2 for forbidden."""
    finite = np.isfinite(rows)
    forbidden = np.zeros(len(rows), dtype=bool)
    for _, outside in violations(dict(zip(names, rows.T, strict=True)), theory.limits, fixed):
        forbidden |= outside
    return np.where(~finite.all(1), 1, np.where(forbidden, 2, 0)).astype(np.int8)


def finish(columns: dict[str, np.ndarray], status: Int[np.ndarray, " point"], kind: type = np.float64) -> Evaluation:
    """Put reason codes and results together: undefined rows are NaN (and not allowed) in every output."""
    undefined = np.zeros(len(status), dtype=bool)
    for x in columns.values():
        if x.dtype != bool:
            undefined |= ~np.isfinite(x)
    status = np.where((status == 0) & undefined, 3, status).astype(np.int8)
    columns = {name: x if x.dtype == bool else x.astype(kind, copy=False) for name, x in columns.items()}
    if status.any():  # else nothing is copied
        columns = {
            name: np.where(status == 0, x, False if x.dtype == bool else kind(np.nan)) for name, x in columns.items()
        }
    return Evaluation(columns, status)


def kept(
    columns: dict[str, np.ndarray],
    status: Int[np.ndarray, " point"],
    conditions: Iterable[Condition],
    all_undefined: bool,
) -> np.ndarray:
    """Rows that satisfy every condition; rows without a result only if `all_undefined`."""
    compare = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal, "==": np.equal}
    mask = status == 0
    for condition in conditions:
        mask &= compare[condition.operator](columns[condition.column], condition.value)
    return mask | (status != 0) if all_undefined else mask


def single_precision_error(
    folded: Folded, names: tuple[str, ...], rows: Float[np.ndarray, "point parameter"]
) -> dict[str, float]:
    """Largest relative error of R and absolute error of ln L in float32, over some points."""

    def evaluated(record: Folded, kind: type) -> dict[str, np.ndarray]:
        outputs = nominal_outputs(record)
        found = jax.jit(jax.vmap(lambda row: outputs(dict(zip(names, row, strict=True)))))(jnp.asarray(rows, kind))
        return {name: np.asarray(x, dtype=float) for name, x in found.items()}

    exact, rough = evaluated(folded, np.float64), evaluated(in_float32(folded), np.float32)
    ratios = [name for name in exact if name.startswith("rate_ratio_")]
    relative = max(float(np.nanmax(np.abs(rough[name] / exact[name] - 1.0))) for name in ratios)
    absolute = np.abs(rough["log_likelihood"] - exact["log_likelihood"])
    near = exact["log_likelihood"] > np.nanmax(exact["log_likelihood"]) - 50.0  # where a limit is drawn
    return {"rate_ratio_relative": relative, "log_likelihood_absolute": float(np.nanmax(absolute[near]))}
