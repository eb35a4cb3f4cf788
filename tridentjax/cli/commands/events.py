"""`tridentjax events`: make a sample and write it."""

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tridentjax.cli.commands.arguments import emit, parse_channel, parse_cuts, parse_theory
from tridentjax.events.files import check_event_file, write_events
from tridentjax.events.generate import generate_events
from tridentjax.events.sample import EventSample, reweighted
from tridentjax.events.source import EventSource, beam_source, experiment_source
from tridentjax.experiment.load import load_experiment
from tridentjax.faults import InputError, collect
from tridentjax.process.cuts import NO_CUTS, Cuts
from tridentjax.theory import theories
from tridentjax.theory.binding import BoundTheory, refuse_undefined
from tridentjax.theory.theories import has_scalars


def events(
    *,
    experiment: str | None,
    count: int,
    out: Path,
    flux: str | None,
    energy: float | None,
    target: str | None,
    neutrino: str,
    leptons: str,
    theory: str,
    settings: list[str],
    reweight: str | None,
    cuts: list[str],
    weighted: bool,
    seed: int,
    force: bool,
    as_json: bool,
) -> None:
    """Events of an experiment, or of one beam on one target, written to a file."""
    begin = time.perf_counter()
    place = (experiment, flux, energy, target, neutrino, leptons)
    bound, source, selection = _read(count, out, force, theory, settings, reweight, cuts, place)
    generated = _generate(source, bound, selection, count, seed, weighted, reweight is not None)
    sample = reweighted(generated, bound.function, bound.values) if reweight else generated
    sample.metadata["cuts"] = list(cuts)
    write_events(out, sample, force)
    content = {
        "events": int(sample.weight.size),
        "efficiency": generated.efficiency,
        "effective_share": sample.efficiency if sample.weighted else 1.0,
        "weighted": sample.weighted,
        "trials": sample.metadata["trials"],
        "cross_section": sample.cross_section,
        "cross_section_error": sample.error,
        "unit": "cm^2 per average nucleus, averaged over the flux",
        "theory": reweight or theory,
        "reweighted": bool(reweight),
        "parameters": bound.given,
        "components": [summary._asdict() for summary in generated.summaries],
        "seed": seed,
        "seconds": round(time.perf_counter() - begin, 2),
        "file": str(out),
    }
    emit(content, as_json, _text(content, source.name, generated.weighted))


def _read(
    count: int,
    out: Path,
    force: bool,
    theory: str,
    settings: list[str],
    reweight: str | None,
    cuts: list[str],
    place: tuple[str | None, str | None, float | None, str | None, str, str],
) -> tuple[BoundTheory, EventSource, Cuts]:
    """Theory, source and selection of the options; `place` are the arguments of `_source`."""
    faults: list[str] = [] if count >= 1 else [f"-n {count}; allowed: 1 or more"]
    bound = collect(faults, parse_theory, reweight or theory, settings)
    if reweight and theory != "sm":
        faults.append(f"--reweight starts from Standard-Model events; leave --theory {theory} out")
    selection = collect(faults, parse_cuts, cuts) if cuts else NO_CUTS
    faults += check_event_file(out, force)
    found = collect(faults, _source, *place)
    if faults:
        raise InputError(faults)
    source, own = found
    refuse_undefined(reweight or theory, bound, source.components[0].channel)
    return bound, source, Cuts(own.cuts + selection.cuts, own.efficiency * selection.efficiency)


def _generate(
    source: EventSource, bound: BoundTheory, cuts: Cuts, count: int, seed: int, weighted: bool, from_sm: bool
) -> EventSample:
    """Events of the theory, or those of the Standard Model that are reweighted to it, with a progress bar."""
    with _progress(count) as update:
        return generate_events(
            source,
            count,
            seed=seed,
            theory=theories.sm if from_sm else bound.function,
            parameters=dict(bound.electroweak) if from_sm else bound.values,
            cuts=cuts,
            weighted=weighted,
            scalar=any(has_scalars(bound.function, bound.values, part.channel) for part in source.components),
            progress=update,
        )


def _text(content: dict[str, Any], name: str, weighted: bool) -> str:
    """The answer in words; `weighted` says what the efficiency of the generated events is."""
    kind = "weighted" if content["weighted"] else "unweighted"
    meaning = "equivalent unweighted events" if weighted else "accepted trials"
    lines = [
        f"{name}: {content['events']} {kind} events in {content['file']}",
        f"efficiency ({meaning}) {content['efficiency']:.4f}, {content['seconds']} s",
        f"flux-averaged cross section {content['cross_section']:.4e} +- {content['cross_section_error']:.1e} cm^2 per "
        "average nucleus",
        *(f"  {s['name']:50} {s['events']:8} events  {s['cross_section']:.4e} cm^2" for s in content["components"]),
    ]
    return "\n".join(lines)


def _source(
    experiment: str | None, flux: str | None, energy: float | None, target: str | None, neutrino: str, leptons: str
) -> tuple[EventSource, Cuts]:
    """Source of the events and its own cuts: an experiment, or a target with one of flux and energy."""
    if experiment is not None:
        given = {"--flux": flux, "--energy": energy, "--target": target}
        if extra := [name for name, value in given.items() if value is not None]:
            raise InputError([f"experiment {experiment!r} has its own beam and target; leave {', '.join(extra)} out"])
        loaded = load_experiment(experiment)
        return experiment_source(loaded), loaded.cuts
    faults: list[str] = []
    channel = collect(faults, parse_channel, neutrino, leptons)
    if target is None or (flux is None) == (energy is None):
        faults.append("give an experiment, or --target with one of --flux and --energy")
    if energy is not None and not 0.0 < energy < math.inf:
        faults.append(f"--energy {energy}; allowed: positive and finite [GeV]")
        energy = 1.0
    if target is not None and (flux or energy):
        # a stand-in for a bad channel, so that faults of beam and target are reported as well
        stand_in = channel or parse_channel("numu", "mu-mu+")
        beam: Any = flux if flux is not None else float(energy or 1.0)
        source = collect(faults, beam_source, beam, stand_in, target)
    if faults:
        raise InputError(faults)
    return source, NO_CUTS


@contextmanager
def _progress(count: int) -> Iterator[Callable[[int], None] | None]:
    """A progress bar on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("events", total=count)
        yield lambda done: bar.update(task, completed=done)
