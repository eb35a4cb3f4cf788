"""NUTS in blocks: one compilation, a progress line and a checkpoint after every block, exact resume."""

import json
import logging
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jaxtyping import Array, Float
from numpyro.infer import NUTS, init_to_sample

from tridentjax import __version__
from tridentjax.cache import save_arrays
from tridentjax.faults import InputError
from tridentjax.inference.diagnostics import bulk_ess, r_hat
from tridentjax.inference.model import Model
from tridentjax.precision import require_float64

logger = logging.getLogger("tridentjax")

LARGEST_R_HAT = 1.01


class Sampling(NamedTuple):
    """Settings of a NUTS run; draws, warm-up and blocks count transitions of a chain."""

    chains: int = 4
    warmup: int = 600
    draws: int = 1000
    max_draws: int = 4000
    block: int = 200
    seed: int = 1
    target_accept: float = 0.9
    max_tree_depth: int = 8
    ess: int = 400


class BlockReport(NamedTuple):
    """State of a run after a block, for the progress line."""

    warmup: bool
    done: int
    total: int
    r_hat: float
    ess: float
    divergences: int
    draws_per_second: float
    eta: float

    def __str__(self) -> str:
        if self.warmup:
            return f"warm-up {self.done}/{self.total}"
        return (
            f"draws {self.done}/{self.total}  R-hat {self.r_hat:.4f}  bulk ESS {self.ess:.0f}  "
            f"divergences {self.divergences}  {self.draws_per_second:.0f} draws/s  ETA {self.eta:.0f} s"
        )


class Posterior(NamedTuple):
    """Draws of a run, each (chain, draw): physical parameters, where they lie in their priors, what follows.

    `derived` are the quantities of the theory and the shift of (g_V, g_A) at K2 = 0.
    """

    parameters: dict[str, np.ndarray]
    prior_quantiles: dict[str, np.ndarray]
    derived: dict[str, np.ndarray]
    rate_ratios: dict[str, np.ndarray]
    log_likelihood: np.ndarray
    z: np.ndarray
    statistics: dict[str, np.ndarray]
    converged: bool

    @property
    def divergences(self) -> int:
        """Number of divergent transitions after warm-up."""
        return int(self.statistics["diverging"].sum())


_STATISTICS = ("diverging", "energy", "acceptance_rate", "n_steps", "step_size", "potential_energy")


def sample_posterior(
    model: Model,
    settings: Sampling,
    *,
    checkpoint: Path | None = None,
    resume: bool = False,
    identity: str = "",
    report: Callable[[BlockReport], None] | None = None,
) -> Posterior:
    """Draw from the posterior with NUTS until it has converged.

    Blocks of `settings.block` transitions are run until every parameter has R-hat < 1.01 and bulk ESS above
    `settings.ess` (but at least `settings.draws` and at most `settings.max_draws` draws a chain). Same
    settings, versions and device give identical draws, also when killed and resumed at any moment.

    Parameters
    ----------
    model : from `build_model` or `make_model`.
    settings : see `Sampling`.
    checkpoint : file written (atomically) after every block.
    resume : continue from the checkpoint.
    identity : hash of everything that fixes the draws; a checkpoint with another one is refused.
    report : called after every block.

    Raises
    ------
    RuntimeError : 32-bit floats.
    InputError : the checkpoint is missing, damaged, foreign, or of another configuration.
    """
    require_float64("sample_posterior")
    arrays, static = eqx.partition(model, eqx.is_array)
    count = len(model.names)

    def numpyro_model(arrays: Any) -> None:
        z = numpyro.sample("z", dist.Normal(0.0, 1.0).expand([count]).to_event(1))
        numpyro.factor("log_weight", eqx.combine(arrays, static).log_weight(z))

    blocks_of_warmup = -(-settings.warmup // settings.block)
    kernel = NUTS(
        numpyro_model,
        target_accept_prob=settings.target_accept,
        max_tree_depth=settings.max_tree_depth,
        dense_mass=True,
        init_strategy=init_to_sample,
    )
    keys = jax.random.split(jax.random.PRNGKey(settings.seed), settings.chains)
    state = kernel.init(keys, blocks_of_warmup * settings.block, None, (arrays,), {})

    @jax.jit
    def run_block(state: Any, arrays: Any) -> Any:
        def step(state: Any, _: None) -> Any:
            state = kernel.sample(state, (arrays,), {})
            kept = (state.diverging, state.energy, state.accept_prob, state.num_steps)
            return state, (state.z["z"], *kept, state.adapt_state.step_size, state.potential_energy)

        return jax.lax.scan(step, state, None, length=settings.block)

    history: list[tuple[np.ndarray, ...]] = []
    done_blocks = 0
    if resume:
        state, history, done_blocks = _load_checkpoint(checkpoint, state, identity)
    started, first_block = time.monotonic(), len(history)
    while True:
        warmup = done_blocks < blocks_of_warmup
        if not warmup and history and _finished(history, settings):
            break
        state, kept = run_block(state, arrays)
        done_blocks += 1
        if not warmup:
            # scan puts the draw first: (draw, chain, ...) -> (chain, draw, ...)
            history.append(tuple(np.moveaxis(np.asarray(x), 0, 1) for x in kept))
        if checkpoint is not None:
            _save_checkpoint(checkpoint, state, history, done_blocks, identity)
        if report is not None:
            new_draws = (len(history) - first_block) * settings.block * settings.chains
            rate = new_draws / max(time.monotonic() - started, 1e-9)
            report(_progress(warmup, done_blocks, blocks_of_warmup, history, settings, rate))
    return _assemble(model, history, settings)


def _progress(
    warmup: bool, blocks: int, warmup_blocks: int, history: list[Any], settings: Sampling, rate: float
) -> BlockReport:
    if warmup:
        total = warmup_blocks * settings.block
        nan = np.nan
        return BlockReport(
            warmup=True, done=blocks * settings.block, total=total, r_hat=nan, ess=nan, divergences=0,
            draws_per_second=0.0, eta=nan,
        )  # fmt: skip
    z = np.concatenate([block[0] for block in history], axis=1)
    total = max(settings.draws, z.shape[1])
    worst, ess = _worst(z)
    eta = (total - z.shape[1]) * settings.chains / max(rate, 1e-9)
    divergences = int(sum(block[1].sum() for block in history))
    return BlockReport(
        warmup=False, done=z.shape[1], total=total, r_hat=worst, ess=ess, divergences=divergences,
        draws_per_second=rate, eta=eta,
    )  # fmt: skip


def _worst(z: np.ndarray) -> tuple[float, float]:
    columns = [z[:, :, i] for i in range(z.shape[2])]
    return max(r_hat(column) for column in columns), min(bulk_ess(column) for column in columns)


def _finished(history: list[Any], settings: Sampling) -> bool:
    z = np.concatenate([block[0] for block in history], axis=1)
    if z.shape[1] < settings.draws:
        return False
    worst, ess = _worst(z)
    return (worst < LARGEST_R_HAT and ess > settings.ess) or z.shape[1] >= settings.max_draws


def _assemble(model: Model, history: list[Any], settings: Sampling) -> Posterior:
    """Physical parameters, rate ratios and log-likelihood of every draw, in chunks."""
    blocks = [np.concatenate([block[i] for block in history], axis=1) for i in range(len(history[0]))]
    z, *statistics = blocks

    @eqx.filter_jit
    def derive(model: Model, rows: Float[Array, "point parameter"]) -> Any:
        def one(row: Float[Array, " parameter"]) -> Any:
            values, _ = model.parameters(row)
            responses = model.responses(values)
            outcome = model.rate_ratios(values, responses), model.log_likelihood(values, responses)
            return values, model.prior_quantiles(row), model.derived(values), *outcome

        return jax.lax.map(one, rows, batch_size=64)

    shape = z.shape[:2]
    values, quantiles, derived, ratios, log_likelihood = derive(model, jnp.asarray(z.reshape(-1, z.shape[2])))
    worst, ess = _worst(z)
    return Posterior(
        parameters={name: np.asarray(values[name]).reshape(shape) for name in model.names},
        prior_quantiles={name: np.asarray(quantiles[name]).reshape(shape) for name in model.names},
        derived={name: np.asarray(x).reshape(shape) for name, x in derived.items()},
        rate_ratios={name: np.asarray(ratios[:, i]).reshape(shape) for i, name in enumerate(model.experiments)},
        log_likelihood=np.asarray(log_likelihood).reshape(shape),
        z=z,
        statistics=dict(zip(_STATISTICS, statistics, strict=True)),
        converged=worst < LARGEST_R_HAT and ess > settings.ess,
    )


def merge_posteriors(sets: list[Posterior], settings: Sampling) -> Posterior:
    """One posterior of the chains of several, cut to the draws that all have; convergence is that of all together."""
    draws = min(posterior.z.shape[1] for posterior in sets)

    def joined(name: str) -> Any:
        parts = [getattr(posterior, name) for posterior in sets]
        if isinstance(parts[0], dict):
            return {key: np.concatenate([part[key][:, :draws] for part in parts]) for key in parts[0]}
        return np.concatenate([part[:, :draws] for part in parts])

    fields = {name: joined(name) for name in Posterior._fields if name != "converged"}
    worst, ess = _worst(fields["z"])
    return Posterior(**fields, converged=worst < LARGEST_R_HAT and ess > settings.ess)


def _versions() -> dict[str, str]:
    return {"tridentjax": __version__, "jax": jax.__version__, "numpyro": numpyro.__version__}


def _save_checkpoint(path: Path, state: Any, history: list[Any], blocks: int, identity: str) -> None:
    leaves = jax.tree.leaves(state)
    arrays = {f"leaf_{i:03d}": np.asarray(leaf) for i, leaf in enumerate(leaves)}
    for i in range(len(history[0]) if history else 0):
        arrays[f"history_{i}"] = np.concatenate([block[i] for block in history], axis=1)
    arrays["meta"] = np.asarray(json.dumps({"identity": identity, "blocks": blocks, "versions": _versions()}))
    save_arrays(path, arrays)


def _load_checkpoint(path: Path | None, template: Any, identity: str) -> tuple[Any, list[Any], int]:
    if path is None or not path.is_file():
        raise InputError([f"nothing to resume: no checkpoint {str(path)!r}; leave out --resume to start the run"])
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        meta = json.loads(str(arrays["meta"]))
        leaves, structure = jax.tree.flatten(template)
        restored = [arrays[f"leaf_{i:03d}"] for i in range(len(leaves))]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, TypeError) as error:
        raise InputError(
            [
                f"checkpoint {str(path)!r} is damaged or not one of ours ({type(error).__name__}: {error}); "
                "start again with --force"
            ]
        ) from None
    shapes = [np.shape(leaf) for leaf in leaves]
    if meta.get("identity") != identity or [x.shape for x in restored] != shapes:
        raise InputError(
            [
                f"checkpoint {str(path)!r} is of another configuration (hash {meta.get('identity')}, now {identity}); "
                "resume with the config of that run, or start again with --force"
            ]
        )
    for name, version in _versions().items():
        if meta["versions"].get(name) != version:
            logger.warning("resuming with %s %s; the run began with %s", name, version, meta["versions"].get(name))
    state = jax.tree.unflatten(structure, [jnp.asarray(x) for x in restored])
    history = [tuple(arrays[f"history_{i}"] for i in range(7))] if "history_0" in arrays else []
    return state, history, int(meta["blocks"])
