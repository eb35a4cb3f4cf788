"""`tridentjax rate` with an exposure: events, all channels, and the documented experiment of one's own."""

import functools
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tridentjax import cli
from tridentjax.cli.commands import rate as rate_command
from tridentjax.files import read_yaml
from tridentjax.rates import exposure as event_rates

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_experiment" / "argon_detector.yaml"


@pytest.fixture
def only_dimuons(monkeypatch):
    """The leptonic tables of the other pairs would cost half a minute."""
    rates = functools.partial(event_rates.channel_rates, pairs=[("mu", "mu")])
    monkeypatch.setattr(rate_command, "channel_rates", rates)


def call(*arguments, code=0):
    result = CliRunner().invoke(cli.app, [str(a) for a in arguments])
    assert result.exit_code == code, result.output
    return result.stderr if code else result.stdout


@functools.cache
def example():
    """A hydrogen target instead of argon: the same file, a fraction of the time."""
    text = EXAMPLE.read_text()
    start, end = text.index("  - {nucleus: Ar40"), text.index("# Cuts on generated leptons")
    return text[:start] + "  - {nucleus: H1}\n\n" + text[end:]


@pytest.fixture
def hydrogen(tmp_path):
    (tmp_path / "beam.csv").write_text(EXAMPLE.with_name("beam.csv").read_text())
    (tmp_path / "own.yaml").write_text(example())
    return tmp_path / "own.yaml"


def test_the_documented_experiment_gives_events():
    content = json.loads(call("rate", EXAMPLE, "--json"))
    file = read_yaml(EXAMPLE)
    assert content["experiment"] == file["name"] and content["rate_ratio"] == 1.0
    assert 10 < content["events"]["sm"] < 100
    assert content["exposure"]["target_mass_tonne"] == file["exposure"]["target_mass"]["value"]
    assert {c["nucleus"] for c in content["components"]} == {"Ar40", "Fe56"}


def test_events_add_up(hydrogen):
    content = json.loads(call("rate", hydrogen, "--theory", "contact", "--set", "delta_g_V=0.4", "--set",
                              "delta_g_A=-0.1", "--json"))  # fmt: skip
    events = content["events"]
    assert events["theory"] == pytest.approx(events["sm"] * content["rate_ratio"], rel=1e-12)
    for key in ("sm", "theory"):
        assert sum(c["events"][key] for c in content["components"]) == pytest.approx(events[key], rel=1e-12)
        per_tonne_year = events[key] / 50 / (200 / 365.25)
        assert content["events_per_tonne_year"][key] == pytest.approx(per_tonne_year, rel=1e-12)
    assert content["exposure"]["amount"] == 5e20 and content["exposure"]["amount_unit"] == "POT"
    assert content["measurement"]["kind"] == "measurement"
    budget = content["theory_budget"]
    assert budget["coherent"] == 0.0 and budget["theory"] == budget["incoherent"] == pytest.approx(0.30)
    assert 0.0 < budget["flux"] < 0.3


@pytest.mark.slow
def test_all_channels(hydrogen, only_dimuons):
    content = json.loads(call("rate", hydrogen, "--all-channels", "--json"))
    channels = content["channels"]
    assert [c["channel"] for c in channels] == ["numu -> mu- mu+", "antinumu -> mu- mu+"]
    assert sum(c["events"] for c in channels) == pytest.approx(content["events"]["sm"], rel=1e-6)
    total = sum(c["events_per_tonne_year"] for c in channels)
    assert total == pytest.approx(content["events_per_tonne_year"]["sm"], rel=1e-6)
    text = call("rate", hydrogen, "--all-channels")
    assert "all channels [events/(t yr)]" in text and f"{channels[1]['events_per_tonne_year']:.4e}" in text


def test_a_projection_says_so(hydrogen):
    hydrogen.write_text(example().replace("observed: 31", "observed: asimov").replace(
        "  duration: {value: 200, unit: day}", "  # duration:"))  # fmt: skip
    content = json.loads(call("rate", hydrogen, "--json"))
    assert content["measurement"]["kind"] == "projection" and content["events_per_tonne_year"] is None
    assert "projection, not data: invented" in call("rate", hydrogen)


def test_refused(hydrogen):
    text = call("rate", hydrogen, "--all-channels", "--theory", "contact", "--set", "delta_g_V=1", "--set",
                "delta_g_A=0", code=2)  # fmt: skip
    assert "--all-channels lists the Standard Model; leave --theory and --set out" in text
    assert "ccfr has no exposure; add exposure" in call("rate", "ccfr", "--all-channels", code=2)


def test_list_says_what_is_a_projection():
    lines = {line.split()[0]: line for line in call("list", "experiments").splitlines()}
    assert "[measurement] CCFR 1991" in lines["ccfr"] and "second-hand" in lines["ccfr"]
    assert all("[projection]" in lines[name] for name in ("dune_0p40", "dune_rhc", "fasernu", "fasernu2"))
    assert "[measurement]" in lines["nova"] and "surrogate" in lines["nova"]
