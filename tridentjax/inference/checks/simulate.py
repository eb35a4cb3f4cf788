"""Truths from the priors of a model, and data thrown about what they predict."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from tridentjax.faults import InputError
from tridentjax.inference.data import positive_background, throw
from tridentjax.inference.model import Model

_FAR = 1e3  # errors from the Standard Model


class Truth(NamedTuple):
    """Parameters drawn from the priors, by replication, and the data thrown about their predictions."""

    values: dict[str, Float[Array, " replication"]]
    data: Float[Array, "replication experiment"]


def require_throwable(model: Model) -> None:
    """Refuse a model whose likelihood is no distribution of data.

    Raises
    ------
    InputError : upper limits, backgrounds that are profiled, an auxiliary term, or coordinates bent along an edge
        (a map fitted to one data set); all at once.
    """
    faults = []
    for chain, background in zip(model.chains, model.background_names, strict=True):
        m, name = chain.experiment.measurement, chain.experiment.name
        if m.is_limit:
            faults.append(f"experiments: {name} is an upper limit, no data can be thrown from it; leave it out")
        if m.uncertain_background and not background:
            faults.append(
                f"nuisances: the background of {name} is profiled; calibration needs it sampled, switch it on"
            )
    if model.auxiliary is not None:
        faults.append("auxiliary: its data cannot be thrown; leave it out of a calibration")
    if model.edge is not None:
        faults.append("sampler.edge is fitted to one data set; leave edge and along out of a calibration")
    if faults:
        raise InputError(faults)


def throw_truths(model: Model, count: int, key: Array) -> Truth:
    """Draw parameters and nuisances from their priors, and data of every experiment about the predictions.

    Draws for which the theory has no solution (NaN) are not part of its prior and are drawn again.

    Raises
    ------
    InputError : see `require_throwable`; or fewer than one draw in 20 has a solution.
    """
    require_throwable(model)

    @eqx.filter_jit
    def draw(model: Model, keys: Array) -> Any:
        def one(key: Array) -> Any:
            of_z, of_data = jax.random.split(key)
            values, _ = model.parameters(jax.random.normal(of_z, (len(model.names),)))
            ratios = model.rate_ratios(values)
            backgrounds = _backgrounds(model, ratios, values)
            return values, throw(model, ratios, jnp.zeros(0), backgrounds, of_data).value, ratios

        return jax.lax.map(one, keys, batch_size=32)

    parts: list[Any] = []
    found = 0
    for attempt in range(20):
        values, data, ratios = draw(model, jax.random.split(jax.random.fold_in(key, attempt), count))
        good = np.isfinite(np.asarray(ratios)).all(1)
        parts.append(jax.tree.map(lambda x, good=good: np.asarray(x)[good], (values, data)))
        found += int(good.sum())
        if found >= count:
            values, data = jax.tree.map(lambda *x: jnp.asarray(np.concatenate(x)[:count]), *parts)
            return Truth(values, data)
    raise InputError(
        [f"params: only {found} of {20 * count} prior draws have a solution in the theory; narrow the priors"]
    )


def require_informative(model: Model, data: Float[Array, "replication experiment"]) -> None:
    """Refuse priors under which one truth in ten is excluded beyond all measure; their posteriors are needles.

    Raises
    ------
    InputError : more than 10 % of the data lie 1000 errors or more from the Standard Model.
    """
    far = np.zeros(data.shape[0], bool)
    for chain, x in zip(model.chains, data.T, strict=True):
        m = chain.experiment.measurement
        far |= np.asarray(m.distance(x, m.expected(1.0, m.background)) > _FAR)
    if far.mean() > 0.1:
        raise InputError(
            [
                f"calibration: {100 * far.mean():.0f} % of the simulated data lie more than {_FAR:g} errors from the "
                "Standard Model; narrow the priors with calibration.ranges, e.g. --set calibration.ranges.g=[3e-4,3e-3]"
            ]
        )


def _backgrounds(
    model: Model, ratios: Float[Array, " experiment"], values: dict[str, Any]
) -> Float[Array, " experiment"]:
    """True background of every experiment."""
    measured = [chain.experiment.measurement for chain in model.chains]
    return jnp.stack(
        [
            positive_background(m, ratios[i], values.get(name, m.background))
            for i, (name, m) in enumerate(zip(model.background_names, measured, strict=True))
        ]
    )
