"""What a run would do: its parameters and one log-likelihood."""

from typing import Any

import jax.numpy as jnp

from tridentjax.inference.build import make_model
from tridentjax.runs.validate import reduce_spec
from tridentjax.schema.run import RunSpec


def dry_run_report(spec: RunSpec, verb: str) -> tuple[dict[str, Any], str]:
    """Parameters of a run and one log-likelihood, at the prior median or the config's start values.

    Those of `validate` are the ones that its calibration works with: ranges narrowed, some of them fixed.
    """
    if verb == "validate":
        spec = reduce_spec(spec)
    model = make_model(spec)
    values, _ = model.parameters(jnp.zeros(len(model.names)))
    values |= {name: jnp.asarray(p.start) for name, p in spec.params.items() if p.start is not None}
    log_likelihood = float(model.log_likelihood(values))
    derived = {name: float(x) for name, x in model.derived(values).items()}
    fixed = {name: p.value for name, p in spec.params.items() if p.value is not None}
    content = {
        "config": spec.name,
        "parameters": {name: float(values[name]) for name in model.names},
        "fixed": fixed,
        "derived": derived,
        "experiments": list(model.experiments),
        "log_likelihood": log_likelihood,
    }
    lines = [f"{name:32} {float(values[name]):.6g} [{model.units[name]}]" for name in model.names]
    lines += [f"{name:32} {value} (fixed)" for name, value in fixed.items()]
    lines += [f"{name:32} {x:.6g} [{model.units[name]}] (derived)" for name, x in derived.items()]
    return content, "\n".join([*lines, f"log-likelihood = {log_likelihood:.6f}"])
