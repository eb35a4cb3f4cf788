"""`tridentjax contour`: run folder, table, HEPData files, overlays, refusals. The statistics have their own tests."""

import csv
import json

import numpy as np
import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from tridentjax import cli
from tridentjax.cli import options as cli_support
from tridentjax.figures.contour import plot_contours
from tridentjax.figures.overlays import Overlay
from tridentjax.inference.limits.rows import Row
from tridentjax.runs.config import load_config

SMALL = ("--set", "contour.points=5", "--set", "contour.samples=24", "--set", "nuisances=false")


@pytest.fixture(autouse=True)
def jax_is_set_up(monkeypatch):
    monkeypatch.setattr(cli_support, "start_jax", lambda device: None)


def call(*arguments):
    return CliRunner().invoke(cli.app, ["contour", *(str(a) for a in arguments)])


def faults(*arguments):
    result = call(*arguments)
    assert result.exit_code == 2 and result.stdout == "" and "Traceback" not in result.stderr
    return result.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run with two statistics and an overlay, with its answer."""
    path = tmp_path_factory.mktemp("contour")
    (path / "mine.csv").write_text("m,limit\n20,0.0011\n300,0.0018\n")
    overlay = f"[{{label: mine, file: {path / 'mine.csv'}, x: m, y: limit, x_unit: MeV, y_unit: '1'}}]"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cli_support, "start_jax", lambda device: None)
        result = call(
            "zprime_ccfr", "--out", path / "run", *SMALL, "--statistic", "gaussian", "--statistic", "profile",
            "--set", f"contour.overlays={overlay}", "--json",
        )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    return path / "run", json.loads(result.stdout)


def table(folder):
    lines = [line for line in (folder / "contour.csv").read_text().splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines))


def test_answer_names_level_statistic_and_files(folder):
    path, answer = folder
    assert answer["confidence_level"] == 0.95 and answer["statistic"] == ["gaussian", "profile"]
    assert [region["statistic"] for region in answer["regions"]] == ["gaussian", "profile"]
    assert all("95 % CL" in region["statement"] for region in answer["regions"])
    names = {"contour.csv", "submission.yaml", "figures/contour.png", "run.resolved.yaml", "summary.json"}
    assert names <= {file.removeprefix(f"{path}/") for file in answer["files"]}
    assert all((path / name).stat().st_size > 0 for name in names)


def test_contact_limit_is_told_apart_from_the_formula_without_muon_mass(folder):
    limit = folder[1]["regions"][0]["contact_limit"]
    assert limit["high_energy_formula"] == pytest.approx(545.4, abs=0.1)
    assert limit["muon_mass_correction"] == pytest.approx(limit["mass_over_coupling"] / 545.4 - 1.0, abs=2e-4)
    assert -0.02 < limit["muon_mass_correction"] < -0.005


def test_table_holds_certified_brackets(folder):
    rows = table(folder[0])
    assert len(rows) == 10 and {row["statistic"] for row in rows} == {"gaussian", "profile"}
    for row in rows:
        inside, at, outside = (float(row[f"g{end}"]) for end in ("_allowed", "", "_excluded"))
        assert inside <= at <= outside and outside / inside - 1.0 < 1e-5 and row["excluded"] == "above"
    R = [float(row["rate_ratios"]) for row in rows if row["statistic"] == "gaussian"]
    np.testing.assert_allclose(R, 0.82 + 1.959963984540054 * 0.28, rtol=1e-6)


def test_hepdata_layout(folder):
    documents = list(YAML(typ="safe", pure=True).load_all((folder[0] / "submission.yaml").read_text()))
    assert "comment" in documents[0] and len(documents) == 3
    for document in documents[1:]:
        content = YAML(typ="safe", pure=True).load((folder[0] / document["data_file"]).read_text())
        (x,), (y,) = content["independent_variables"], content["dependent_variables"]
        assert x["header"] == {"name": "mass", "units": "GeV"} and y["header"] == {"name": "g"}
        assert len(x["values"]) == len(y["values"]) == 5
        assert {q["name"] for q in y["qualifiers"]} == {"statistic", "experiments"}


@pytest.mark.slow
def test_existing_run_is_kept(folder):
    before = (folder[0] / "contour.csv").read_bytes()
    assert "exists" in faults("zprime_ccfr", "--out", folder[0], *SMALL)
    assert (folder[0] / "contour.csv").read_bytes() == before


@pytest.mark.slow
def test_projections_are_curves_of_their_own_and_labelled(tmp_path):
    """40 % and 25 % of DUNE are never combined, and no output calls them data."""
    result = call("zprime_dune", "--out", tmp_path / "dune", *SMALL, "--json", "--set", "output.figures=false")
    answer = json.loads(result.stdout)
    assert answer["projections"] == ["dune_0p40", "dune_0p25"]
    loose, tight = ([float(r["g"]) for r in table(tmp_path / "dune") if r["experiments"] == name]
                    for name in answer["projections"])  # fmt: skip
    assert len(loose) == len(tight) == 5 and all(a > b for a, b in zip(loose, tight, strict=True))
    assert "dune_0p40 (projection)" in (tmp_path / "dune" / "contour.csv").read_text()


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (["contour.x=mess"], "contour.x = 'mess'; allowed: a parameter with a prior (mass, g)"),
        (["contour.y=mass"], "x and y are both mass"),
        (["contour.at={c: 1}"], "c is not among the other sampled parameters"),
        (["contour.statistics=[gauss]"], "contour.statistics.0 = 'gauss'"),
        (["contour.confidence_level=1.2"], "contour.confidence_level = 1.2"),
        (["contour.rays={origin: {mass: 1}}"], "needed: mass and g"),
        (["contour.rays={origin: {mass: -1, g: 0.1}}"], "allowed: positive"),
        (["contour.overlays=[{label: a, file: b.csv}]"], "x_unit and y_unit missing"),
        (["contour.overlays=[{label: a, band: muon_g_minus_2, file: c}]"], "exactly one of file and band"),
        (
            ["contour.overlays=[{label: a, file: nowhere.csv, x_unit: GeV, y_unit: '1'}]"],
            "overlay 'a': cannot read",
        ),
        (["params.g={prior: {dist: normal, loc: 1, scale: 0.1}, unit: '1'}"], "no range; use uniform or loguniform"),
        (["experiments=[nova]"], "statistic gaussian: nova is a published limit"),
    ],
)
def test_refusals(settings, text, tmp_path):
    options = [word for setting in settings for word in ("--set", setting)]
    assert text in faults("zprime_ccfr", "--out", tmp_path / "x", *SMALL, *options)
    assert not (tmp_path / "x").exists() or not any((tmp_path / "x").iterdir())


def test_config_without_contour(tmp_path):
    assert "has no block `contour`" in faults("smeft", "--out", tmp_path / "x")


@pytest.mark.parametrize("name", ["zprime_ccfr", "zprime_joint", "zprime_dune", "contact_plane"])
def test_packaged_contours_are_complete(name):
    contour = load_config(name).contour
    assert {contour.x, contour.y} <= set(load_config(name).params)


def test_figure_of_several_lines_and_overlays():
    def row(statistic, line, x, y):
        return Row(statistic, "ccfr", line, x, y, x, 0.99 * y, x, 1.01 * y, "above", "bracketed", (1.3,))

    rows = [row("gaussian", 0, x, 1e-3 * x) for x in (0.1, 1.0, 7.0)] + [row("cls", 0, x, 2e-3 * x) for x in (0.1, 9.0)]
    gap = Overlay("with a gap", np.asarray([0.1, 0.11, 0.12, 5.0, 5.5]), np.full(5, 2e-4))
    band = Overlay("band", np.asarray([0.1, 5.0]), np.full(2, 1e-3), np.full(2, 2e-3))
    legend = {("gaussian", "ccfr"): "first", ("cls", "ccfr"): "second", ("profile", "ccfr"): "none"}
    axes = plot_contours(rows, ("x [GeV]", "y"), legend, overlays=[gap, band])
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["first", "second", "none: no boundary in the plane", "with a gap", "band"]
    drawn = next(line for line in axes.get_lines() if line.get_label() == "with a gap")
    assert np.isnan(drawn.get_xdata()).sum() == 1
    axes.get_figure().clear()
