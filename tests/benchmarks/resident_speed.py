"""What `speed.py` measures on a GPU: batches that never leave it, against its roofline, and NUTS with 1024 chains."""

import time

import jax
import jax.numpy as jnp
import numpy as np
from speed import HIGH, LOW, NAMES, best_of

CHAINS = 1024


def roofline():
    """Measured ceilings of the device: bytes/s of a copy, float64 and float32 operations/s of a matrix product."""
    array = jnp.ones(2**26)
    seconds, _ = best_of(jax.jit(lambda: array + 1.0))
    ceilings = {"bandwidth": 2 * array.nbytes / seconds}
    size = 4096 if jax.default_backend() != "cpu" else 1024
    for kind in (jnp.float64, jnp.float32):
        square = jnp.ones((size, size), dtype=kind)
        seconds, _ = best_of(jax.jit(lambda square=square: square @ square))
        ceilings[square.dtype.name] = 2 * size**3 / seconds
    return ceilings


def resident_table(folded, count):
    """Value, and value with gradient, of `count` points made and reduced on the device; rows of the table."""
    from tridentjax.inference.folded_model import in_float32

    ceilings, table = roofline(), []
    print("\ndevice-resident, ceilings: " + ", ".join(f"{name} {x:.3g}/s" for name, x in ceilings.items()))
    batch = 2**16 if jax.default_backend() != "cpu" else 256
    for record, kind in ((folded, "float64"), (in_float32(folded), "float32")):
        for gradient in (False, True):

            def one(row, record=record):
                return record.log_likelihood(dict(zip(NAMES, row, strict=True)))

            function = jax.value_and_grad(one) if gradient else one
            unit = jax.random.uniform(jax.random.key(0), (count, 2), dtype=kind)
            rows = jnp.exp(jnp.asarray(LOW, kind)[None] + jnp.asarray(HIGH - LOW, kind)[None] * unit)
            compiled = jax.jit(lambda rows, f=function: jax.lax.map(f, rows, batch_size=batch)).lower(rows).compile()
            seconds, _ = best_of(lambda compiled=compiled, rows=rows: compiled(rows), repeat=3)
            # of one pass of the loop, as XLA counts them
            flops = _operations(function, rows[:batch]) / batch
            fraction = flops * count / seconds / ceilings[kind]
            what = f"device-resident {kind}, " + ("value and gradient" if gradient else "value")
            table.append({"what": what, "points_per_second": count / seconds, "of_arithmetic_roofline": fraction})
            print(f"{what:58} {count / seconds:10.3g} points/s  {flops:.0f} flop a point, {fraction:.1%} of arithmetic")
    return [*table, _chains()]


def _operations(function, rows):
    analysis = jax.jit(jax.vmap(function)).lower(rows).compile().cost_analysis()
    analysis = analysis[0] if isinstance(analysis, list) else analysis
    return float(analysis["flops"])


def _chains():
    """NUTS with 1024 vectorised chains on CCFR, nuisances nominal."""
    from tridentjax.inference.build import make_model, settings_of
    from tridentjax.inference.posterior import Sampling, sample_posterior
    from tridentjax.runs.config import load_config

    chains = CHAINS if jax.default_backend() != "cpu" else 64
    settings = (
        f"sampler.chains={chains}",
        "sampler.warmup=300",
        "sampler.draws=100",
        "sampler.max_draws=100",
        "sampler.block=100",
    )
    spec = load_config("zprime_ccfr", ("nuisances=false", *settings))
    model = make_model(spec)
    started = time.perf_counter()
    posterior = sample_posterior(model, settings_of(Sampling, spec.sampler))
    seconds = time.perf_counter() - started
    draws = posterior.z.shape[0] * posterior.z.shape[1]
    acceptance = float(np.mean(posterior.statistics["acceptance_rate"]))
    print(
        f"{f'NUTS, {chains} chains, {draws} draws with compilation':58} {draws / seconds:10.3g} draws/s  "
        f"{posterior.divergences} divergences, acceptance {acceptance:.2f}, converged {posterior.converged}"
    )
    return {"what": f"NUTS {chains} chains", "draws_per_second": draws / seconds, "converged": posterior.converged}
