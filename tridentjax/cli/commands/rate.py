"""`tridentjax rate`: the flux-averaged prediction of an experiment."""

import sys
from typing import Any

from tridentjax.cli.commands.arguments import emit, parse_theory
from tridentjax.experiment.load import Experiment, load_beams, load_experiment
from tridentjax.faults import InputError, collect
from tridentjax.rates.budget import theory_budget
from tridentjax.rates.chain import Chain, fold, unselected
from tridentjax.rates.exposure import channel_rates, expected_events, exposure_factor, prepare_for
from tridentjax.rates.response import Response, component_ratios, signal
from tridentjax.theory import theories
from tridentjax.theory.binding import BoundTheory, refuse_undefined


def rate(experiment: str, theory: str, settings: list[str], all_channels: bool, as_json: bool) -> None:
    """Flux-averaged prediction of one experiment, and numbers of events where it has an exposure."""
    faults: list[str] = []
    bound = collect(faults, parse_theory, theory, settings)
    loaded = collect(faults, load_experiment, experiment)
    if all_channels and (theory != "sm" or settings):
        faults.append("--all-channels lists the Standard Model; leave --theory and --set out")
    if all_channels and loaded is not None:
        collect(faults, exposure_factor, loaded)
    if faults:
        raise InputError(faults)
    refuse_undefined(theory, bound, loaded.channel())
    derived, derived_lines = bound.described()
    chain = prepare_for(loaded, bound.function, bound.values)
    response = fold(chain)
    sm_rate = float(signal(response, theories.sm, bound.electroweak).sum())
    rate_ratio = float(signal(response, bound.function, bound.values).sum()) / sm_rate
    components = _components(chain, response, bound)
    content = {
        "experiment": loaded.name,
        "theory": theory,
        "parameters": bound.given,
        "derived": derived,
        "rate_ratio": rate_ratio,
        "components": components,
        "sigma_flux_averaged_cm2": {"sm": sm_rate, "theory": sm_rate * rate_ratio},
        "flux_integral": float(response.flux_integral) if loaded.fluxes[0].absolute else None,
        "measurement": {
            "kind": loaded.measurement.kind,
            "observable": loaded.measurement.observable,
            "status": loaded.measurement.status,
        },
        "theory_budget": theory_budget(chain, response)._asdict(),
        **_events(loaded, response, bound, components),
    }
    if all_channels:
        content["channels"] = _channels(experiment, loaded)
    emit(content, as_json, "\n".join([*_lines(content, loaded, theory), *derived_lines, *bound.notes]))


def _components(chain: Chain, response: Response, bound: BoundTheory) -> list[dict[str, Any]]:
    """Share and rate ratio of every component; with cuts the acceptance as well, which depends on the theory."""
    shares, ratios = component_ratios(response, bound.function, bound.values)
    components: list[dict[str, Any]] = [
        {
            "flux": f"{c.species} ({c.flux})",
            "nucleus": c.nucleus,
            "regime": c.regime,
            "share": float(s),
            "rate_ratio": float(r),
        }
        for c, s, r in zip(response.components, shares, ratios, strict=True)
    ]
    if chain.experiment.cuts.active:  # relative to the same component without cuts
        whole = fold(unselected(chain))
        for name, f, v in (
            ("acceptance_sm", theories.sm, bound.electroweak),
            ("acceptance", bound.function, bound.values),
        ):
            for component, share in zip(components, signal(response, f, v) / signal(whole, f, v), strict=True):
                component[name] = float(share)
    return components


def _lines(content: dict[str, Any], experiment: Experiment, theory: str) -> list[str]:
    sigma = content["sigma_flux_averaged_cm2"]
    return [
        f"{experiment.title}: rate ratio R = N/N_SM = {content['rate_ratio']:.6f}",
        f"flux-averaged cross section per nucleus: SM {sigma['sm']:.4e} cm^2, {theory} {sigma['theory']:.4e} cm^2",
        *(
            f"  {c['flux']:24} {c['nucleus']:6} {c['regime']:20} share {c['share']:.4f}  R {c['rate_ratio']:.5f}"
            + (f"  acceptance {c['acceptance']:.4f} (SM {c['acceptance_sm']:.4f})" if "acceptance" in c else "")
            + (f"  events {c['events']['theory']:.4g} (SM {c['events']['sm']:.4g})" if c["events"] else "")
            for c in content["components"]
        ),
        f"error of the SM rate: {_budget_text(content['theory_budget'])}",
        *_event_lines(content, theory),
        f"{experiment.measurement.notice}: {experiment.measurement.status}",
    ]


def _events(
    experiment: Experiment, response: Response, bound: BoundTheory, components: list[dict[str, Any]]
) -> dict[str, Any]:
    """Events in the exposure and per tonne and year, in total and (put into `components`) of each component."""
    exposure = experiment.exposure
    if exposure is None:
        for component in components:
            component["events"] = None
        return {"events": None, "events_per_tonne_year": None, "exposure": None}
    sm = expected_events(response, experiment, theories.sm, bound.electroweak)
    own = expected_events(response, experiment, bound.function, bound.values)
    for component, a, b in zip(components, sm, own, strict=True):
        component["events"] = {"sm": float(a), "theory": float(b)}
    total = {"sm": float(sm.sum()), "theory": float(own.sum())}
    tonne_years = None if exposure.years is None else exposure.target_mass * exposure.years
    return {
        "events": total,
        "events_per_tonne_year": tonne_years and {name: events / tonne_years for name, events in total.items()},
        "exposure": {
            "target_mass_tonne": exposure.target_mass,
            "amount": exposure.amount,
            "amount_unit": exposure.amount_unit,
            "years": exposure.years,
            "status": exposure.status,
        },
    }


def _channels(name: str, experiment: Experiment) -> list[dict[str, Any]]:
    """Every open channel of every beam species; a terminal hears about each one when it is done."""
    assert experiment.exposure is not None  # checked with the input
    exposure = experiment.exposure
    tonne_years = None if exposure.years is None else exposure.target_mass * exposure.years
    found = []
    for item in channel_rates(experiment, load_beams(name)):
        if sys.stderr.isatty():
            print(f"{item.flux}: {item.channel.name}", file=sys.stderr)
        found.append(
            {
                "channel": item.channel.name,
                "flux": item.flux,
                "events": item.events,
                "events_per_tonne_year": None if tonne_years is None else item.events / tonne_years,
                "theory_budget": item.budget._asdict(),
            }
        )
    return found


def _event_lines(content: dict[str, Any], theory: str) -> list[str]:
    events, exposure = content["events"], content["exposure"]
    if events is None:
        return []
    years = "" if exposure["years"] is None else f" in {exposure['years']:g} years"
    beam = f"{exposure['target_mass_tonne']:g} t, {exposure['amount']:g} {exposure['amount_unit']}{years}"
    lines = [
        f"events: SM {events['sm']:.4g}, {theory} {events['theory']:.4g} ({beam})",
        f"exposure: {exposure['status']}",
    ]
    rate = content["events_per_tonne_year"]
    if rate is not None:
        lines.append(f"events per tonne and year: SM {rate['sm']:.4g}, {theory} {rate['theory']:.4g}")
    if "channels" in content:
        unit = "events" if rate is None else "events/(t yr)"
        lines.append(f"Standard Model, all channels [{unit}]:")
        lines += [
            f"  {c['flux']:14} {c['channel']:24} {c['events'] if rate is None else c['events_per_tonne_year']:.4e}  "
            f"{_budget_text(c['theory_budget'])}"
            for c in content["channels"]
        ]
    return lines


def _budget_text(budget: dict[str, float | None]) -> str:
    """Relative errors in per cent."""
    return ", ".join(f"{name} {100.0 * x:.3g} %" for name, x in budget.items() if x is not None) or "none given"
