"""A contour run from config to run folder: regions, CSV, HEPData-style YAML, figure, summary."""

from pathlib import Path
from typing import Any

from scipy.stats import chi2

from tridentjax.experiment.belle2 import LABEL
from tridentjax.faults import InputError, collect
from tridentjax.figures.contour import plot_contours
from tridentjax.figures.goodness import plot_impacts
from tridentjax.figures.overlays import Overlay, load_overlay
from tridentjax.figures.style import label, pyplot
from tridentjax.inference.build import make_model, settings_of
from tridentjax.inference.limits.impacts import impacts
from tridentjax.inference.limits.rays import Plane
from tridentjax.inference.limits.region import ContourSettings, Region, find_region, make_plane
from tridentjax.inference.limits.rows import Row, make_rows, open_ends
from tridentjax.inference.limits.statistics import STATISTICS
from tridentjax.inference.model import Model, expand_model
from tridentjax.runs.config import resolved
from tridentjax.runs.contour_files import write_csv, write_hepdata
from tridentjax.runs.folder import RECORDS, RunFolder
from tridentjax.schema.contour import ContourSpec
from tridentjax.schema.run import RunSpec, SamplerSpec
from tridentjax.theory.catalogue import Theory, find_theory

_OWN = ("contour.csv", "submission.yaml", "contour_*.yaml")


def contour_run(spec: RunSpec, folder: Path, *, force: bool, config: Path) -> tuple[dict[str, Any], str]:
    """Find the contours of a config, write them into `folder`, and return the summary as data and as text.

    Raises
    ------
    InputError : no contour block, parameters or statistics that do not fit, bad overlays, an occupied folder.
    """
    run = RunFolder(folder, config, resolved(spec), "contour", _OWN)
    if spec.contour is None:
        raise InputError([f"config {spec.name} has no block `contour`; add contour: {{x: NAME, y: NAME}}"])
    if spec.output.figures:
        pyplot()  # a missing matplotlib is said before the run, not after it
    models, settings = _models(spec, spec.contour), settings_of(ContourSettings, spec.contour)
    planes = {id(model): make_plane(model, settings) for model in models}
    plane = planes[id(models[0])]
    overlays = _overlays(spec, spec.contour, plane, config.parent)
    run.open(force=force)
    regions: list[Region] = []
    for key in spec.contour.statistics:
        for model in models:
            if key == "gaussian" and len(model.chains) > 1:
                continue  # a statement about one experiment; drawn for each below
            run.say(f"{key}: {', '.join(model.experiments)}, {spec.contour.points} rays")
            regions.append(find_region(model, planes[id(model)], key, settings))
        if key == "gaussian" and len(models[0].chains) > 1:
            for name in spec.experiments:
                single = _build(spec, [name])
                run.say(f"gaussian: {name}, {spec.contour.points} rays")
                regions.append(find_region(single, make_plane(single, settings), key, settings))
    run.clear()
    run.record()
    return _write(spec, spec.contour, run, regions, overlays)


def _models(spec: RunSpec, contour: ContourSpec) -> list[Model]:
    """One model of all experiments, or one of each."""
    if contour.combine:
        return [_build(spec, spec.experiments)]
    return [_build(spec, [name]) for name in spec.experiments]


def _build(spec: RunSpec, experiments: list[str]) -> Model:
    return make_model(spec.model_copy(update={"experiments": experiments, "sampler": SamplerSpec()}))


def _overlays(spec: RunSpec, contour: ContourSpec, plane: Plane, folder: Path) -> list[Overlay]:
    faults: list[str] = []
    units, limits = (spec.params[contour.x].unit, spec.params[contour.y].unit), _limits(plane)
    found = [collect(faults, load_overlay, overlay, units, limits, folder) for overlay in contour.overlays]
    if faults:
        raise InputError(faults)
    return found


def _limits(plane: Plane) -> tuple[tuple[float, float], tuple[float, float]]:
    ranges = [(plane.priors[name].low, plane.priors[name].high) for name in (plane.x, plane.y)]
    return ranges[0], ranges[1]


def _write(
    spec: RunSpec, contour: ContourSpec, run: RunFolder, regions: list[Region], overlays: list[Overlay]
) -> tuple[dict[str, Any], str]:
    names = (contour.x, contour.y)
    units = (spec.params[contour.x].unit, spec.params[contour.y].unit)
    rows = [row for region in regions for row in make_rows(region)]
    statements = {(r.statement.key, "+".join(r.experiments)): r.statement.text for r in regions}
    title = spec.title or spec.name
    kinds = {c.experiment.name: c.experiment.measurement.kind for r in regions for c in r.model.chains}
    header = [f"title: {title}", *(f"experiment: {name} ({kind})" for name, kind in kinds.items())]
    header += [f"statistic {key} ({experiments}): {text}" for (key, experiments), text in statements.items()]
    if regions[0].model.auxiliary is not None:
        header.append(f"with an auxiliary term, belle2: {LABEL}")
    header += [f"fixed: {name} = {x:g}" for name, x in regions[0].plane.fixed.items()]
    write_csv(run.path / "contour.csv", rows, names, units, header)
    files = ["contour.csv", *write_hepdata(run.path, rows, names, units, statements, title)]
    if spec.output.figures:
        files += run.save_figures(_figures(spec, contour, regions, rows, overlays, kinds))
    theory = find_theory(spec.theory)
    found = [_summary(region, rows, theory) for region in regions]
    projections = [name for name, kind in kinds.items() if kind == "projection"]
    content = {
        "confidence_level": contour.confidence_level,
        "statistic": contour.statistics[0] if len(contour.statistics) == 1 else list(contour.statistics),
        "parameters": {"x": contour.x, "y": contour.y, "units": list(units), "fixed": regions[0].plane.fixed},
        "regions": found,
        "projections": projections,
        "auxiliary": None if regions[0].model.auxiliary is None else f"belle2: {LABEL}",
    }
    content = run.finish(content, [*files, *RECORDS])
    lines = [line for region in found for line in _lines(region)]
    if projections:
        lines.append(f"projections, not data: {', '.join(projections)}")
    if content["auxiliary"]:
        lines.append(f"with an auxiliary term, {content['auxiliary']}, in every statistic but gaussian")
    return content, "\n".join([*lines, f"{len(rows)} points in {content['seconds']:.1f} s; files in {run.path}"])


def _figures(
    spec: RunSpec,
    contour: ContourSpec,
    regions: list[Region],
    rows: list[Row],
    overlays: list[Overlay],
    kinds: dict[str, str],
) -> dict[str, Any]:
    names = (contour.x, contour.y)
    x, y = (label(spec.params[n].latex or n.replace("_", " "), spec.params[n].unit) for n in names)
    log = tuple(regions[0].plane.priors[name].kind == "loguniform" for name in names)
    projected = {name for name, kind in kinds.items() if kind == "projection"}
    legend = {
        (r.statement.key, "+".join(r.experiments)): f"{_titles(r, projected)}\n{r.statement.text}" for r in regions
    }
    axes = plot_contours(
        rows,
        (x, y),
        legend,
        log=(log[0], log[1]),
        overlays=overlays,
        title=spec.title,
        limits=_limits(regions[0].plane),
    )
    figures: dict[str, Any] = {"contour": axes.get_figure(root=True)}
    for region in regions:
        if (drawn := _draw_impacts(region, contour)) is not None:
            figures[f"impacts_{'_'.join(region.experiments)}"] = drawn
    return figures


def _draw_impacts(region: Region, contour: ContourSpec) -> Any:
    """Pulls and impacts of all nuisances at the boundary on the middle ray of a profile-likelihood region."""
    middle = [ray for ray in region.rays if ray.boundaries]
    if region.statement.key != "profile" or not middle or not region.model.profiled:
        return None
    boundary = middle[len(middle) // 2].boundaries[-1]
    threshold = float(chi2.ppf(contour.confidence_level, contour.parameters_of_interest))
    found = impacts(expand_model(region.model), region.plane, boundary, threshold, region.statement.best)
    point = {name: float(x) for name, x in region.point(boundary).items()}
    place = f"boundary at {region.plane.x} = {point[region.plane.x]:.3g}"
    title = f"{' + '.join(region.experiments)}, {place}; {region.statement.text}"
    return plot_impacts(found, region.plane.y if region.plane.origin is None else "radius", title)


def _titles(region: Region, projected: set[str]) -> str:
    chains = region.model.chains
    return " + ".join(c.experiment.title + (" (projection)" if c.experiment.name in projected else "") for c in chains)


def _summary(region: Region, rows: list[Row], theory: Theory) -> dict[str, Any]:
    experiments = "+".join(region.experiments)
    own = [row for row in rows if (row.statistic, row.experiments) == (region.statement.key, experiments)]
    content: dict[str, Any] = {
        "statistic": region.statement.key,
        "definition": STATISTICS[region.statement.key],
        "statement": region.statement.text,
        "experiments": list(region.experiments),
        "points": len(own),
        "open": open_ends(region),
    }
    if own:
        gaps = [
            abs(row.y_excluded - row.y_allowed) / abs(row.y) for row in own if row.status != "no solution" and row.y
        ]
        content["widest_bracket"] = max(gaps, default=None)
        content["ends_of_the_theory"] = sum(row.status == "no solution" for row in own)
    if (region.plane.x, region.plane.y) == ("mass", "g") and own and all(row.excluded == "above" for row in own):
        content |= _ends_in_mass(region, own, theory)
    return content


def _ends_in_mass(region: Region, rows: list[Row], theory: Theory) -> dict[str, Any]:
    """Coupling at the smallest mass; at the largest one m/g against the closed form, where the theory has one.

    That form has no muon mass, which is what is left between the two.
    """
    heavy, light = max(rows, key=lambda row: row.x), min(rows, key=lambda row: row.x)
    content: dict[str, Any] = {"plateau": {"mass": light.x, "coupling": light.y}}
    if theory.contact_limit is None:
        return content
    model, experiment = region.model, region.model.chains[0].experiment
    parameters = {**model.fixed, **model.choices, **region.plane.fixed, "mass": heavy.x, "g": heavy.y}
    formula = theory.contact_limit(parameters, experiment.channel(experiment.fluxes[0]), heavy.rate_ratios[0])
    if formula is not None:
        reached = heavy.x / heavy.y
        content["contact_limit"] = {
            "mass": heavy.x,
            "mass_over_coupling": reached,
            "high_energy_formula": formula,
            "muon_mass_correction": reached / formula - 1.0,
            "rate_ratio": heavy.rate_ratios[0],
        }
    return content


def _lines(region: dict[str, Any]) -> list[str]:
    lines = [f"{' + '.join(region['experiments'])}: {region['statement']}", f"  {region['points']} boundary points"]
    if region.get("widest_bracket") is not None:
        lines[-1] += f", relative width of brackets up to {region['widest_bracket']:.1e}"
    if region.get("ends_of_the_theory"):
        lines[-1] += f"; {region['ends_of_the_theory']} are where the theory has no solution, not where data exclude it"
    ends = region["open"]
    lines.append(
        f"  of {ends['rays']} rays, {ends['allowed_at_start']} are allowed at their start and "
        f"{ends['allowed_at_end']} at their end, where the region goes on outside the range"
    )
    if "contact_limit" in region:
        c = region["contact_limit"]
        lines.append(
            f"  contact limit m/g' = {c['mass_over_coupling']:.1f} GeV at {c['mass']:g} GeV = "
            f"{c['high_energy_formula']:.1f} GeV (high-energy formula) x (1 {c['muon_mass_correction']:+.4f}, "
            f"muon mass); g' = {region['plateau']['coupling']:.4g} at {1e3 * region['plateau']['mass']:g} MeV"
        )
    return lines
