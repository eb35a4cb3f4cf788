"""The run verbs of the command line: a config, overrides, a folder; prints the answer."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jax.numpy as jnp

from tridentjax.cli.commands.arguments import emit
from tridentjax.faults import InputError
from tridentjax.inference.build import make_model
from tridentjax.runs.config import config_path, load_config
from tridentjax.runs.validate import reduce_spec, validate_run
from tridentjax.schema.calibration import CalibrationSpec


def sample(config: str, overrides: tuple[str, ...], **options: Any) -> bool:
    """Sample a posterior into a run folder; returns whether it converged."""
    from tridentjax.runs.sample import sample_run

    content = _run_verb(sample_run, "", config, overrides, **options)
    return content is None or bool(content["converged"])


def contour(config: str, overrides: tuple[str, ...], **options: Any) -> None:
    """Find the contours of a config and write them into a run folder."""
    from tridentjax.runs.contour import contour_run

    _run_verb(contour_run, "_contour", config, overrides, **options)


def fit(config: str, overrides: tuple[str, ...], **options: Any) -> bool:
    """Fit a config into a run folder; returns whether everything converged."""
    from tridentjax.runs.fit import fit_run

    content = _run_verb(fit_run, "_fit", config, overrides, **options)
    return content is None or bool(content["converged"])


def scan(config: str, overrides: tuple[str, ...], **options: Any) -> None:
    """Evaluate the points of a config into a run folder."""
    from tridentjax.runs.scan import scan_run

    _run_verb(scan_run, "_scan", config, overrides, **options)


def _run_verb(
    run: Callable[..., tuple[dict[str, Any], str]],
    suffix: str,
    config: str,
    overrides: tuple[str, ...],
    *,
    out: Path | None,
    dry_run: bool,
    as_json: bool,
    **options: Any,
) -> dict[str, Any] | None:
    """Run a verb in its folder and print the answer; a dry run prints parameters and returns None.

    The folder is `out`, or that of the config (`runs/NAME`) with the suffix of the verb; `options` are those of `run`.
    """
    from tridentjax.runs.dry_run import dry_run_report

    spec = load_config(config, overrides)
    if dry_run:
        content, text = dry_run_report(spec)
        emit(content, as_json, text)
        return None
    _require_cluster(options.get("dask"))
    folder = out or Path((spec.output.folder or f"runs/{spec.name}") + suffix)
    content, text = run(spec, folder, config=config_path(config), **options)
    emit(content, as_json, text)
    return content


def _require_cluster(scheduler: str | None) -> None:
    """Find out that a scheduler is not there before anything is computed or written."""
    if scheduler is None:
        return
    if not all(map(find_spec, ("dask", "distributed"))):
        raise InputError(["--dask needs Dask; install it with: pip install 'tridentjax[cluster]'"])
    from tridentjax.scan.cluster import check_scheduler

    check_scheduler(scheduler)


def validate(
    config: str, out: Path | None, overrides: tuple[str, ...], force: bool, dry_run: bool, as_json: bool
) -> bool:
    """Validate the posterior of a config into a folder; returns whether every check passed."""
    spec = load_config(config, overrides)
    if dry_run:
        model = make_model(reduce_spec(spec, spec.calibration or CalibrationSpec()))
        values, _ = model.parameters(jnp.zeros(len(model.names)))
        content = {"config": spec.name, "parameters": {name: float(values[name]) for name in model.names},
                   "log_likelihood": float(model.log_likelihood(values))}  # fmt: skip
        lines = [f"{name:32} {float(values[name]):.6g} [{model.units[name]}]" for name in model.names]
        emit(content, as_json, "\n".join([*lines, f"log-likelihood = {content['log_likelihood']:.6f}"]))
        return True
    folder = out or Path(f"runs/{spec.name}_validation")
    content, text = validate_run(spec, folder, force=force, config=config_path(config))
    emit(content, as_json, text)
    return bool(content["passed"])
