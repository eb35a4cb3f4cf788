"""Whether the posterior of a config can be trusted: calibration, chains against a grid, seeds; one report."""

import csv
import io
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tridentjax.faults import InputError
from tridentjax.figures.calibration import plot_ecdf_differences, plot_grid_deviations, plot_rank_histograms, plot_seeds
from tridentjax.figures.style import pyplot
from tridentjax.files import write_text
from tridentjax.inference.build import make_model, settings_of
from tridentjax.inference.checks.agreement import Deviation, SeedAgreement, across_seeds, against_grid, equal_lengths
from tridentjax.inference.checks.calibration import Calibration, CalibrationSettings, calibrate
from tridentjax.inference.checks.simulate import require_throwable
from tridentjax.inference.grid_posterior import grid_posterior
from tridentjax.inference.model import Model, expand_model
from tridentjax.inference.posterior import LARGEST_R_HAT, BlockReport, Posterior, Sampling, sample_posterior
from tridentjax.runs.config import resolved
from tridentjax.runs.folder import RECORDS, RunFolder
from tridentjax.schema.calibration import CalibrationSpec
from tridentjax.schema.run import ParameterSpec, RunSpec

_GRID, _COARSE = ((120, 160), 128), ((60, 80), 64)  # cells, points of the nuisances


def validate_run(spec: RunSpec, folder: Path, *, force: bool, config: Path) -> tuple[dict[str, Any], str]:
    """Run the checks of the block `calibration` into `folder`; the report as data and as text.

    Raises
    ------
    InputError : a block that does not fit the parameters, a likelihood that has no data to throw, a bad config, an
        occupied folder.
    """
    settings = spec.calibration or CalibrationSpec()
    content = resolved(spec) | {"calibration": settings.model_dump(mode="json")}
    run = RunFolder(folder, config, content, "calibration", ("ranks.csv",))
    if spec.output.figures:
        pyplot()  # a missing matplotlib is said before the run, not after it
    small = reduce_spec(spec) if "sbc" in settings.checks else None
    run.open(force=force)
    reduced = None if small is None else make_model(small)
    if reduced is not None:
        require_throwable(reduced)
    checks: list[dict[str, Any]] = []
    figures: dict[str, Any] = {}
    ranks: Calibration | None = None
    if reduced is not None:
        run.say(f"calibration of {len(reduced.names)} parameters, {settings.responses} responses")
        fitted = expand_model(reduced) if settings.responses == "expanded" else reduced
        sbc, sampler = settings_of(CalibrationSettings, settings), settings_of(Sampling, spec.sampler)
        ranks = calibrate(reduced, sbc, sampler, fitted, run.say)
        checks += _sbc_checks(ranks, settings)
        if spec.output.figures:
            figures["rank_histograms"] = plot_rank_histograms(ranks, settings.bins)
            figures["rank_ecdf"] = plot_ecdf_differences(ranks)
    if {"grid", "seeds"} & set(settings.checks):
        found, drawn = _chain_checks(spec, settings, run)
        checks += found
        figures |= drawn
    run.clear()
    run.record()
    return _write(settings, run, checks, figures, ranks)


def reduce_spec(spec: RunSpec) -> RunSpec:
    """The config with the priors narrowed and the values fixed that its block `calibration` names, without an edge.

    Raises
    ------
    InputError : names that are not sampled, ranges outside of the prior or of a normal one; all at once.
    """
    settings = spec.calibration or CalibrationSpec()
    faults, params = [], dict(spec.params)
    sampled = {name: p.prior for name, p in spec.params.items() if p.prior is not None}
    for block in ("ranges", "fixed"):
        faults += [
            f"calibration.{block}.{name}: not a sampled parameter; sampled are {', '.join(sampled)}"
            for name in getattr(settings, block)
            if name not in sampled
        ]
    for name, (low, high) in settings.ranges.items():
        prior = sampled.get(name)
        if prior is None:
            continue
        if prior.min is None or prior.max is None:
            faults.append(f"calibration.ranges.{name}: its prior is normal and has no range; leave it out")
        elif low < prior.min or high > prior.max:
            faults.append(f"calibration.ranges.{name} = [{low}, {high}] leaves the prior [{prior.min}, {prior.max}]")
        else:
            narrow = prior.model_copy(update={"min": low, "max": high})
            params[name] = params[name].model_copy(update={"prior": narrow, "start": None})
    for name, value in settings.fixed.items():
        if name in sampled:
            params[name] = ParameterSpec(unit=spec.params[name].unit, latex=spec.params[name].latex, value=value)
    if not faults and not set(sampled) - set(settings.fixed):
        faults.append("calibration.fixed: no parameter is left to sample; leave one out")
    if faults:
        raise InputError(faults)
    sampler = spec.sampler.model_copy(update={"edge": None, "along": None})
    return spec.model_copy(update={"params": params, "sampler": sampler})


def _sbc_checks(found: Calibration, settings: CalibrationSpec) -> list[dict[str, Any]]:
    """One check for each test of uniformity over all quantities, and one that the replications are sampled well."""
    tests = found.tests(settings.bins)
    checks = []
    for test, text in (("chi2", f"chi2 of rank histograms in {settings.bins} bins"), ("ecdf", "ECDF of ranks")):
        p = {name: values[test] for name, values in tests.items()}
        worst = min(p, key=lambda name: p[name])
        level = settings.significance / len(p)
        checks.append(
            _check(f"sbc {test}", f"{text}, smallest of {len(p)} p-values ({worst})", p[worst], f">= {level:.2g}",
                   p[worst] >= level, {"p_values": p})
        )  # fmt: skip
    short = float(np.mean(found.ess < found.draws))
    detail = {"replications": len(found.ess), "draws": found.draws, "divergences": int(found.divergences.sum()),
              "transitions": found.transitions, "seconds": found.seconds}  # fmt: skip
    checks.append(_check("sbc sampling", f"share of replications with ESS < {found.draws}", short, "<= 0.05",
                         short <= 0.05, detail))  # fmt: skip
    return checks


def _chain_checks(
    spec: RunSpec, settings: CalibrationSpec, run: RunFolder
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Chains of the config itself: convergence, against a grid, and seed against seed."""
    model = make_model(spec)

    def report(seed: int, progress: BlockReport) -> None:
        run.say(f"seed {seed}: {progress}")

    chains: list[Posterior] = []
    for number in range(settings.seeds if "seeds" in settings.checks else 1):
        sampler = settings_of(Sampling, spec.sampler)._replace(seed=spec.sampler.seed + number)
        chains.append(sample_posterior(model, sampler, report=partial(report, sampler.seed)))
    checks, figures = [], {}
    failed = sum(not x.converged for x in chains)
    divergences = {"divergences": sum(x.divergences for x in chains)}
    checks.append(_check("chains", "seeds that have not converged", float(failed), "= 0", failed == 0, divergences))
    if "grid" in settings.checks:
        if rows := _grid_rows(model, chains, run):
            checks.append(_grid_check(rows, settings))
            figures["grid"] = plot_grid_deviations(rows) if spec.output.figures else None
        else:
            run.say("no grid: the model has not exactly two uniform or loguniform parameters")
    if "seeds" in settings.checks:
        found = across_seeds([x.parameters for x in chains])
        checks += _seed_checks(found, settings)
        figures["seeds"] = plot_seeds(found) if spec.output.figures else None
    return checks, figures


def _grid_rows(model: Model, chains: list[Posterior], run: RunFolder) -> list[Deviation]:
    """Draws of all seeds against a grid; nothing for a model that is no plane."""
    names = tuple(name for name in model.names if name in model.priors)
    if len(names) != 2 or any(prior.kind == "normal" for prior in model.priors.values()):
        return []
    run.say(f"grid of {' x '.join(str(n) for n in _GRID[0])} cells")
    grid, coarse = (grid_posterior(model, (names[0], names[1]), *size) for size in (_GRID, _COARSE))
    draws = equal_lengths([x.parameters for x in chains])
    return against_grid({name: np.concatenate([x[name] for x in draws]) for name in names}, grid, coarse)


def _grid_check(rows: list[Deviation], settings: CalibrationSpec) -> dict[str, Any]:
    worst, level = min(rows, key=lambda row: row.p_value), settings.significance / len(rows)
    text = f"quantiles, smallest of {len(rows)} p-values ({worst.parameter}, {100 * worst.q:g} %: {worst.pull:+.2f} sd)"
    detail = {"quantiles": [row._asdict() for row in rows]}
    return _check("grid", text, worst.p_value, f">= {level:.2g}", worst.p_value >= level, detail)


def _seed_checks(found: dict[str, SeedAgreement], settings: CalibrationSpec) -> list[dict[str, Any]]:
    worst, level = min(found, key=lambda name: found[name].p_value), settings.significance / len(found)
    p = found[worst].p_value
    widest = max(found, key=lambda name: found[name].r_hat)
    R = found[widest].r_hat
    means = {name: {"means": x.means.tolist(), "errors": x.errors.tolist(), "p_value": x.p_value, "r_hat": x.r_hat}
             for name, x in found.items()}  # fmt: skip
    text = f"means of {settings.seeds} seeds, smallest of {len(found)} p-values ({worst})"
    return [
        _check("seeds", text, p, f">= {level:.2g}", p >= level, {"parameters": means}),
        _check("seeds R-hat", f"largest R-hat with each seed a chain ({widest})", R, f"< {LARGEST_R_HAT}",
               R < LARGEST_R_HAT, {}),
    ]  # fmt: skip


def _check(
    name: str, statistic: str, value: float, threshold: str, passed: bool, detail: dict[str, Any]
) -> dict[str, Any]:
    return {"check": name, "statistic": statistic, "value": float(value), "threshold": threshold,
            "passed": bool(passed), **detail}  # fmt: skip


def _write(
    settings: CalibrationSpec, run: RunFolder, checks: list[dict[str, Any]], figures: dict[str, Any],
    ranks: Calibration | None,
) -> tuple[dict[str, Any], str]:  # fmt: skip
    files = [*RECORDS]
    if ranks is not None:
        write_text(run.path / "ranks.csv", _table(ranks))
        files.append("ranks.csv")
    content = {
        "passed": all(check["passed"] for check in checks),
        "significance": settings.significance,
        "checks": checks,
    }
    report = run.finish(content, [*files, *run.save_figures(figures)])
    lines = [f"{'check':14} {'value':>10} {'allowed':>10}  verdict  statistic"]
    lines += [
        f"{c['check']:14} {c['value']:10.4g} {c['threshold']:>10}  {'ok     ' if c['passed'] else 'FAILED '}  "
        f"{c['statistic']}"
        for c in checks
    ]
    return report, "\n".join([*lines, f"{report['seconds']:.1f} s; files in {run.path}"])


def _table(found: Calibration) -> str:
    """Ranks as CSV: rank of the truth among the draws, the truth itself, least ESS and divergences."""
    stream = io.StringIO()
    stream.write(
        f"# rank of the truth among {found.draws} draws, and the truth itself (in the unit of its parameter)\n"
    )
    writer = csv.writer(stream, lineterminator="\n")
    names = found.names
    writer.writerow(["replication", *(f"rank_{n}" for n in names), *(f"true_{n}" for n in names), "ess", "divergences"])
    for i, (ranks, truth) in enumerate(zip(found.ranks, found.truth, strict=True)):
        row = [*ranks.tolist(), *(f"{x:.10g}" for x in truth), f"{found.ess[i]:.1f}", int(found.divergences[i])]
        writer.writerow([i, *row])
    return stream.getvalue()
