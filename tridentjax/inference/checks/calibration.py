"""Simulation-based calibration: whether likelihood and sampler together give the right posteriors.

Parameters and nuisances theta' are drawn from their priors, data x' from the likelihood at theta', and the posterior
of x' is sampled. If everything is right, theta' is one more draw of it, so that its rank among L independent draws

    rank = #(theta_l < theta'),  l = 1 ... L,    is uniform on 0 ... L                                        (1)

for every quantity (Talts et al. 2018, arXiv:1804.06788, Theorem 1). A wrong width, a wrong prior or Jacobian, or a
sampler that misses a part bends the histogram. Ranks of parameters alone cannot see a posterior that ignores the data;
the rank of the log-likelihood of the data can (Modrak et al., Bayesian Analysis 20 (2025) 461, arXiv:2211.02383).

The data are leaves of the model, so all replications of a batch run as one vectorised NUTS, shared among the local
devices. Draws go on until every replication has L effective ones; then L are taken at equal distances.
"""

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Float
from numpyro.infer.hmc import hmc

from tridentjax.inference.checks.simulate import Truth, require_informative, require_throwable, throw_truths
from tridentjax.inference.checks.uniformity import chi2_p_value, ecdf_p_value
from tridentjax.inference.data import with_data
from tridentjax.inference.diagnostics import bulk_ess
from tridentjax.inference.model import Model
from tridentjax.inference.posterior import Sampling
from tridentjax.precision import require_float64

LOG_LIKELIHOOD = "log_likelihood"


class CalibrationSettings(NamedTuple):
    """How many replications a calibration has, and the transitions of each; `batch` replications run at once."""

    replications: int = 200
    draws: int = 99
    warmup: int = 300
    block: int = 100
    max_draws: int = 2000
    batch: int = 100
    seed: int = 1

    @property
    def warmup_blocks(self) -> int:
        """Blocks of warm-up: `warmup` transitions, rounded up."""
        return -(-self.warmup // self.block)


class Calibration(NamedTuple):
    """Ranks (replication, quantity) of the truth among `draws`, and how well each replication was sampled."""

    names: tuple[str, ...]
    draws: int
    ranks: np.ndarray
    truth: np.ndarray
    data: np.ndarray
    ess: np.ndarray
    divergences: np.ndarray
    transitions: int
    seconds: float

    def tests(self, bins: int) -> dict[str, dict[str, float]]:
        """P-values of uniformity of every quantity: chi2 of the histogram, and distance of the ECDF."""
        return {
            name: {
                "chi2": chi2_p_value(self.ranks[:, i], self.draws, bins),
                "ecdf": ecdf_p_value(self.ranks[:, i], self.draws),
            }
            for i, name in enumerate(self.names)
        }


class CalibrationProgress(NamedTuple):
    """State after a block of transitions."""

    finished: int
    replications: int
    draws: int
    ess: float
    eta: float

    def __str__(self) -> str:
        return (
            f"calibration: {self.finished}/{self.replications} replications, {self.draws} draws in this batch, "
            f"least ESS {self.ess:.0f}, ETA {self.eta:.0f} s"
        )


def calibrate(
    model: Model,
    settings: CalibrationSettings,
    sampler: Sampling,
    fitted: Model | None = None,
    report: Callable[[CalibrationProgress], None] | None = None,
) -> Calibration:
    """Ranks of `settings.replications` truths among draws of their posteriors, Eq. (1).

    Parameters
    ----------
    model : throws the truths and the data; without an edge.
    settings : replications, draws L, transitions, seed.
    sampler : target acceptance and largest tree of NUTS, as in a run.
    fitted : its posterior is sampled; `model` if None. An approximation of `model` (`expand_model`) is what fits by
        the thousand use, and is then part of what is calibrated.
    report : called after every block.

    Returns
    -------
    Ranks of every parameter and nuisance, then of the log-likelihood. Same settings and devices, same ranks.

    Raises
    ------
    RuntimeError : 32-bit floats.
    InputError : see `throw_truths` and `require_informative`.
    """
    require_float64("calibrate")
    fitted = model if fitted is None else fitted
    require_throwable(fitted)
    of_truth, of_start, of_chain = jax.random.split(jax.random.PRNGKey(settings.seed), 3)
    count, started = settings.replications, time.monotonic()
    truth = throw_truths(model, count, of_truth)
    require_informative(model, truth.data)
    starts = jax.random.normal(of_start, (count, len(fitted.names)))
    keys = jax.random.split(of_chain, count)
    devices = jax.local_devices()
    size = min(settings.batch, count)
    size += -size % len(devices)
    programs, quantities = _compiled(fitted, settings, sampler, devices), _quantities(fitted)
    batches, transitions = [], 0
    for first in range(0, count, size):
        rows = np.arange(first, first + size) % count  # the last batch is filled up with replications done already
        own = Truth({name: x[rows] for name, x in truth.values.items()}, truth.data[rows])
        for drawn in _blocks(programs, settings, keys[rows], starts[rows], own.data):
            done = drawn.enough(settings)
            if report is not None:
                finished = min(first + size, count) if done else first
                eta = (time.monotonic() - started) * (count - finished) / finished if finished else np.nan
                report(CalibrationProgress(finished, count, drawn.z.shape[1], float(drawn.ess.min()), eta))
            if done:
                break
        transitions += (settings.warmup_blocks * settings.block + drawn.z.shape[1]) * size
        ranks, truths = _ranks(fitted, quantities, drawn, own, settings.draws)
        batches.append([x[: count - first] for x in (ranks, truths, drawn.ess, drawn.divergences)])
    ranks, truths, ess, divergences = (np.concatenate(x) for x in zip(*batches, strict=True))
    return Calibration(
        names=(*fitted.names, LOG_LIKELIHOOD), draws=settings.draws, ranks=ranks, truth=truths,
        data=np.asarray(truth.data), ess=ess, divergences=divergences, transitions=transitions,
        seconds=time.monotonic() - started,
    )  # fmt: skip


class _Drawn(NamedTuple):
    """What a batch of replications has drawn so far: (replication, draw), and by replication the smallest ESS."""

    z: np.ndarray
    log_likelihood: np.ndarray
    ess: np.ndarray
    divergences: np.ndarray

    def enough(self, settings: CalibrationSettings) -> bool:
        """Whether every replication has its effective draws, or none may have more."""
        draws = self.z.shape[1]
        return draws >= settings.max_draws or bool(min(self.ess.min(), draws) >= settings.draws)


def _blocks(
    programs: tuple[Callable[..., Any], Callable[..., Any]],
    settings: CalibrationSettings,
    keys: Array,
    starts: Float[Array, "replication parameter"],
    data: Float[Array, "replication experiment"],
) -> Iterator[_Drawn]:
    """Warm up the chains of a batch, then give all draws after every block."""
    start_chains, run_block = programs
    state = start_chains(keys, starts, data)
    for _ in range(settings.warmup_blocks):
        state, _ = run_block(state, data)
    kept: list[tuple[np.ndarray, ...]] = []
    while True:
        state, block = run_block(state, data)
        kept.append(jax.tree.map(np.asarray, block))
        z, energy, diverging = (np.concatenate(x, axis=1) for x in zip(*kept, strict=True))
        log_likelihood = 0.5 * (z**2).sum(2) - energy  # what the prior adds to the potential is taken out
        every = np.concatenate([z, log_likelihood[:, :, None]], axis=2)
        ess = np.asarray([min(bulk_ess(column[None]) for column in chain.T) for chain in every])
        yield _Drawn(z, log_likelihood, ess, diverging.sum(1))


def _ranks(
    model: Model, quantities: tuple[Callable[..., Any], Callable[..., Any]], drawn: _Drawn, truth: Truth, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Ranks (1) of the truths of a batch among `count` draws at equal distances, and the truths themselves."""
    values, likelihood = quantities
    places = ((np.arange(count) + 0.5) * drawn.z.shape[1] / count).astype(int)
    found = values(jnp.asarray(drawn.z[:, places]))
    columns = [(np.asarray(found[name]), np.asarray(truth.values[name])) for name in model.names]
    columns.append((drawn.log_likelihood[:, places], np.asarray(likelihood(truth.values, truth.data))))
    ranks = np.stack([(x < y[:, None]).sum(1) for x, y in columns], axis=1)  # (1)
    return ranks, np.stack([y for _, y in columns], axis=1)


def _quantities(model: Model) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Physical parameters of draws (replication, draw, parameter); log-likelihood of truths with their data."""
    values = eqx.filter_jit(jax.vmap(jax.vmap(lambda row: model.parameters(row)[0])))
    likelihood = eqx.filter_jit(jax.vmap(lambda values, data: with_data(model, data).log_likelihood(values)))
    return values, likelihood


def _compiled(
    model: Model, settings: CalibrationSettings, sampler: Sampling, devices: list[Any]
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Start and one block of transitions of many chains, each with data of its own, over all devices."""
    arrays, static = eqx.partition(model, eqx.is_array)

    def potential(arrays: Any, data: Float[Array, " experiment"]) -> Callable[[Array], Array]:
        replica = with_data(eqx.combine(arrays, static), data)
        return lambda z: 0.5 * (z @ z) - replica.log_weight(z)

    first_state, transition = hmc(potential_fn_gen=potential, algo="NUTS")

    def start_chain(arrays: Any, key: Array, start: Array, data: Array) -> Any:
        return first_state(
            start, settings.warmup_blocks * settings.block, dense_mass=True, rng_key=key, model_args=(arrays, data),
            target_accept_prob=sampler.target_accept, max_tree_depth=sampler.max_tree_depth,
        )  # fmt: skip

    def run_block(arrays: Any, state: Any, data: Array) -> Any:
        def step(state: Any, _: None) -> Any:
            state = transition(state, (arrays, data))
            return state, (state.z, state.potential_energy, state.diverging)

        return jax.lax.scan(step, state, None, length=settings.block)

    mesh, rows = Mesh(np.asarray(devices), ("replication",)), PartitionSpec("replication")

    def over_devices(function: Callable[..., Any], arguments: int) -> Callable[..., Any]:
        axes = (None, *(0 for _ in range(arguments)))
        specs = (PartitionSpec(), *(rows for _ in range(arguments)))
        # each device runs trees of its own: no step waits for the others
        every = jax.shard_map(
            jax.vmap(function, in_axes=axes), mesh=mesh, in_specs=specs, out_specs=rows, check_vma=False
        )
        return partial(jax.jit(every), arrays)

    return over_devices(start_chain, 3), over_devices(run_block, 2)
