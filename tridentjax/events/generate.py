"""Event samples: weighted or unweighted, of one beam or of all beams of an experiment, in any theory.

    sample = generate_events(experiment_source(load_experiment("ccfr")), 1000, seed=1)

A sample is a pure function of its arguments and the seed.
"""

import time
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from tridentjax._version import __version__
from tridentjax.currents import Channel
from tridentjax.events.sample import ComponentSummary, EventSample, effective_share, theory_name
from tridentjax.events.source import OPEN, EventComponent, EventSource, particle_codes
from tridentjax.events.stream import BATCH, MOST_PILOTS, EventStream, Trials
from tridentjax.faults import InputError
from tridentjax.precision import require_float64
from tridentjax.process.cuts import NO_CUTS, Cuts
from tridentjax.process.laboratory import laboratory_event
from tridentjax.process.phase_space import map_unit_cube
from tridentjax.process.weighted_points import MapConstants, map_constants
from tridentjax.quadrature import Rule
from tridentjax.theory.theories import TheoryFunction, has_scalars, sm

_FINISH = 2**31  # random stream of the final choice, beyond every component


def generate_events(
    source: EventSource,
    count: int,
    *,
    seed: int = 0,
    theory: TheoryFunction = sm,
    parameters: dict[str, Any] | None = None,
    cuts: Cuts = NO_CUTS,
    weighted: bool = False,
    scalar: bool = False,
    progress: Callable[[int], None] | None = None,
) -> EventSample:
    """Events of all components of a source, mixed in proportion to their rates.

    Parameters
    ----------
    source : from `experiment_source` or `beam_source`.
    count : number of events.
    seed : two calls with the same arguments give the same events.
    theory, parameters : couplings at the K2 of every event.
    cuts : their acceptance multiplies the weights, a smooth one as a probability.
    weighted : keep every trial with its weight instead of accepting in proportion to it.
    scalar : keep the structures SS and PP as well, for `reweight` to a theory with scalar couplings; a sample
        of such a theory always has them. Its neutrinos keep the code of the Standard Model.
    progress : called with the number of events so far.

    Returns
    -------
    EventSample.

    Raises
    ------
    InputError : count below 1, a channel that no neutrino flavour allows, a spectrum below every threshold,
        or a selection (or theory) that leaves no event after the stated number of tries.
    RuntimeError : 32-bit floats.
    """
    require_float64("generate_events")
    begin = time.perf_counter()
    given = {name: jnp.asarray(x, dtype=float) for name, x in (parameters or {}).items()}
    components = _open_components(source, count)
    scalar = scalar or any(has_scalars(theory, given, component.channel) for component in components.values())
    streams = [
        EventStream(component, component.fraction / source.flux_integral, seed, index, theory, given, cuts, scalar)
        for index, component in components.items()
    ]
    streams = [stream for stream in streams if stream.maxima.any()]
    if not streams:
        tries = f"{len(components)} component(s) with {MOST_PILOTS * BATCH} tries each"
        raise InputError(
            [f"{source.name}: no event passes, {tries}; widen the cuts, or check that the couplings do not vanish"]
        )
    (_unweighted if not weighted else _weighted)(streams, count, progress or _silent)
    sizes = [stream.events().weight.size for stream in streams]
    chosen = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_FINISH,)))
    order = chosen.permutation(sum(sizes))[:count]
    azimuth = 2.0 * np.pi * chosen.random(sum(sizes))
    return _assemble(source, streams, order, azimuth, seed, weighted, theory, given, begin)


def _silent(done: int) -> None:
    """No progress bar."""


def _ahead(progress: Callable[[int], None], found: int, count: int) -> Callable[[int], None]:
    """Progress of one stream, counted on top of the streams before it."""
    return lambda done: progress(min(found + done, count))


def _open_components(source: EventSource, count: int) -> dict[int, EventComponent]:
    faults = [f"number of events {count}; allowed: 1 or more"] if count < 1 else []
    allowed = {i: c for i, c in enumerate(source.components) if c.channel.outgoing_neutrinos}
    if not allowed:
        names = ", ".join(sorted({c.channel.name for c in source.components}))
        faults.append(f"{names}: forbidden at tree level for every outgoing neutrino, the rate is exactly 0")
    reached = {i: c for i, c in allowed.items() if c.highest_energy > c.threshold * OPEN}
    if allowed and not reached:
        lowest = min(c.threshold for c in allowed.values())
        highest = max(c.highest_energy for c in allowed.values())
        faults.append(f"{source.name}: energies up to {highest:g} GeV, but the lowest threshold is {lowest:.4g} GeV")
    if faults:
        raise InputError(faults)
    return reached


def _unweighted(streams: list[EventStream], count: int, progress: Callable[[int], None]) -> None:
    """Raise the common luminosity until there are `count` events: components come in proportion to their rates."""
    wanted = count + 3.0 * np.sqrt(count) + 3.0
    luminosity = wanted / sum(stream.cross_section[0] for stream in streams)
    while True:
        found = 0
        for stream in streams:
            found += stream.unweighted(luminosity, _ahead(progress, found, count))
        if found >= count:
            return
        luminosity *= max(wanted / max(found, wanted / 2.0), 1.001)


def _weighted(streams: list[EventStream], count: int, progress: Callable[[int], None]) -> None:
    """Raise the number of trials, shared in proportion to the rates, until `count` have a weight."""
    total = sum(stream.cross_section[0] for stream in streams)
    shares = [stream.cross_section[0] / total for stream in streams]
    tries = 1.02 * count
    while True:
        found = 0
        for stream, share in zip(streams, shares, strict=True):
            goal = int(np.ceil(tries * share))
            found += stream.weighted(goal, _ahead(progress, found, count))
        if found >= count:
            return
        tries *= max(1.02 * count / max(found, count / 10.0), 1.01)


def _assemble(
    source: EventSource,
    streams: list[EventStream],
    order: np.ndarray,
    azimuth: np.ndarray,
    seed: int,
    weighted: bool,
    theory: TheoryFunction,
    parameters: dict[str, Any],
    begin: float,
) -> EventSample:
    """Momenta and codes of the chosen trials, in their final order."""
    totals = [stream.cross_section for stream in streams]
    sigma, error = sum(t[0] for t in totals), float(np.hypot.reduce([t[1] for t in totals]))
    columns, summaries, first = [], [], 0
    for number, (stream, (mean, uncertainty)) in enumerate(zip(streams, totals, strict=True)):
        trials = stream.events()
        size = trials.weight.size
        mine = np.sort(order[(order >= first) & (order < first + size)]) - first
        efficiency = size / max(stream.trials, 1)
        summaries.append(
            ComponentSummary(stream.component.name, mean, uncertainty, mine.size, stream.trials, efficiency)
        )
        weight = trials.weight / max(stream.trials, 1) if weighted else np.full(size, np.nan)
        part = Trials(*(x[mine] for x in trials))
        columns.append(_finish(stream.component, part, azimuth[first + mine]))
        columns[-1] |= {"weight": weight[mine], "component": np.full(mine.size, number)}
        first += size
    merged = {key: np.concatenate([column[key] for column in columns]) for key in columns[0]}
    # `columns` run through the sorted choice: put the events back into random order
    ranks = np.argsort(np.argsort(order))
    merged = {key: values[ranks] for key, values in merged.items()}
    if weighted:
        merged["weight"] *= first / order.size  # a random choice of all that have a weight
        sigma = float(merged["weight"].sum())
    else:
        merged["weight"] = np.full(order.size, sigma / order.size)
    tried = sum(stream.trials for stream in streams)
    metadata = {
        "generator": f"tridentjax {__version__}",
        "source": source.name,
        "theory": theory_name(theory),
        "parameters": {name: np.asarray(x).tolist() for name, x in parameters.items()},
        "cross_section_unit": "cm^2 per average nucleus, averaged over the flux of all beams",
        "flux_integral": source.flux_integral,
        "flux_unit": source.flux_unit,
        "trials": tried,
        "seconds": round(time.perf_counter() - begin, 3),
    }
    return EventSample(
        **merged,
        cross_section=float(sigma),
        error=error,
        efficiency=effective_share(merged["weight"]) if weighted else first / max(tried, 1),
        weighted=weighted,
        seed=seed,
        channels=tuple(stream.component.channel for stream in streams),
        masses=tuple(stream.component.regime.mass for stream in streams),
        summaries=tuple(summaries),
        metadata=metadata,
    )


def _finish(component: EventComponent, trials: Trials, azimuth: Float[np.ndarray, " event"]) -> dict[str, np.ndarray]:
    """Laboratory momenta, codes and relative structures of the events of a component."""
    count, channel = trials.weight.size, component.channel
    momenta, Q2 = np.empty((count, 6, 4)), np.empty(count)
    for start in range(0, count, BATCH):
        rows = np.minimum(np.arange(start, start + BATCH), count - 1)  # the last event fills up
        numbers = (trials.E_nu[rows], trials.u[rows], azimuth[rows])
        E_nu, nodes, angle = (jnp.asarray(x) for x in numbers)
        lab, virtuality = _laboratory(channel, E_nu, map_constants(component.regime), nodes, angle)
        stop = min(start + BATCH, count)
        momenta[start:stop] = np.asarray(lab)[: stop - start]
        Q2[start:stop] = np.asarray(virtuality)[: stop - start]
    # W and Z allow one flavour of the outgoing neutrino in every channel
    codes = np.asarray(particle_codes(channel, channel.outgoing_neutrinos[0], component.target_code))
    return {
        "momenta": momenta,
        "codes": np.broadcast_to(codes, (count, 6)),
        "E_nu": trials.E_nu,
        "Q2": Q2,
        "K2": trials.K2,
        "structures": trials.structures / trials.weight[:, None],
    }


@eqx.filter_jit
def _laboratory(
    channel: Channel,
    E_nu: Float[Array, " point"],
    constants: MapConstants,
    nodes: Float[Array, "point dim"],
    azimuth: Float[Array, " point"],
) -> tuple[Float[Array, "point 6 4"], Float[Array, " point"]]:
    points = map_unit_cube(
        channel, E_nu, constants.mass, constants.Q2_scale, constants.Q2_cut, Rule(nodes, jnp.ones(nodes.shape[0]))
    )
    event = laboratory_event(channel, points, E_nu, constants.mass, azimuth)
    momenta = [event.k, event.P, event.k_prime, event.p_minus, event.p_plus, event.P_prime]  # as in PARTICLES
    return jnp.moveaxis(jnp.stack(momenta), 2, 0), points.Q2
