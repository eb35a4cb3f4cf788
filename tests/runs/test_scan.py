"""`tridentjax scan`: files, tables, resume after a kill, refusals. Numbers have their own tests (test_scan)."""

import json
import os
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xarray
from fixtures_statistics import OFF, statistical_model
from typer.testing import CliRunner

from tridentjax import cli
from tridentjax.cli import options as cli_support
from tridentjax.inference.folded_model import fold_model
from tridentjax.scan import build as scan_setup
from tridentjax.scan import parts as part_files
from tridentjax.scan.parts import read_part

SMALL = ("--set", "experiments=[ccfr]", "--set", "scan.part=1024", "--set", "scan.reference=standard_model")
GRID = ("--set", "scan.points=null", "--set")


@pytest.fixture(autouse=True)
def light(monkeypatch):
    """No new JAX set-up, and one model for all runs."""
    monkeypatch.setattr(cli_support, "start_jax", lambda device: None)
    monkeypatch.setattr(scan_setup, "make_model", lambda spec: statistical_model(", ".join(spec.experiments), OFF))


def call(*arguments):
    return CliRunner().invoke(cli.app, ["scan", *(str(a) for a in arguments)])


def run(*arguments):
    result = call(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def faults(*arguments):
    result = call(*arguments)
    assert result.exit_code == 2 and result.stdout == "" and "Traceback" not in result.stderr, result.output
    return result.stderr


def columns(answer):
    parts = [read_part(Path(file)) for file in answer["files"]]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def test_columns_are_those_of_the_likelihood(tmp_path):
    settings = ("scan.points=2500", "scan.gradients=[log_likelihood]", "scan.reference=best_fit")
    options = [x for setting in settings for x in ("--set", setting)]
    answer = run("zprime_plane", *SMALL, *options, "--out", tmp_path / "s")
    found = columns(answer)
    assert answer["points"] == answer["kept"] == 2500 and len(answer["files"]) == 3
    assert answer["points_per_second"] > 0 and answer["status"] == {"0": {"points": 2500, "meaning": "evaluated"}}
    assert found["index"].tolist() == list(range(2500))
    folded = fold_model(statistical_model("ccfr", OFF))
    for i in (0, 1023, 1024, 2499):
        point = {name: jnp.asarray(found[name][i]) for name in ("mass", "g")}
        assert found["rate_ratio_ccfr"][i] == pytest.approx(float(folded.rate_ratios(point)[0]), rel=1e-12, abs=0.0)
    # Standard Model and best fit: L_mu - L_tau only adds, and CCFR is below 1, so the best point is R = 1
    best = -0.5 * ((0.82 - 1.0) / 0.28) ** 2 - np.log(0.28 * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(found["delta_chi2"], -2 * (found["log_likelihood"] - best), atol=1e-6)
    np.testing.assert_array_equal(found["allowed"], found["delta_chi2"] < 5.991464547107979)
    assert answer["allowed"] == found["allowed"].sum()
    # distributed as the priors
    for name, low, high in (("mass", 1e-3, 1e3), ("g", 1e-5, 3.0)):
        u = np.log(found[name] / low) / np.log(high / low)
        assert abs(np.sort(u) - (np.arange(2500) + 0.5) / 2500).max() < 3e-3
    meta = pq.read_schema(answer["files"][0])
    assert (
        meta.field("mass").metadata[b"unit"] == b"GeV"
        and b"derivative" in meta.field("d_log_likelihood_d_g").metadata[b"meaning"]
    )
    assert answer["columns"]["d_log_likelihood_d_mass"]["unit"] == "1/GeV"


@pytest.mark.slow
def test_grid_is_one_netcdf_file(tmp_path):
    grid = "scan.grid={mass: 41, g: [1.0e-4, 3.0e-3, 0.2]}"
    answer = run("zprime_plane", *SMALL, *GRID, grid, "--out", tmp_path / "s")
    assert answer["files"] == [str(tmp_path / "s" / "scan.nc")] and not (tmp_path / "s" / "parts").exists()
    data = xarray.open_dataset(answer["files"][0], engine="h5netcdf")
    assert data.sizes == {"mass": 41, "g": 3} and data.mass.attrs["units"] == "GeV"
    np.testing.assert_allclose(data.mass, np.geomspace(1e-3, 1e3, 41), rtol=1e-13)
    folded = fold_model(statistical_model("ccfr", OFF))
    for i, j in ((0, 2), (17, 1), (40, 0)):
        point = {"mass": jnp.asarray(float(data.mass[i])), "g": jnp.asarray(float(data.g[j]))}
        assert float(data.log_likelihood[i, j]) == pytest.approx(float(folded.log_likelihood(point)), rel=1e-12)
    assert json.loads((tmp_path / "s" / "summary.json").read_text()) == answer
    before = os.stat(answer["files"][0]).st_mtime_ns
    assert run("zprime_plane", *SMALL, *GRID, grid, "--out", tmp_path / "s", "--resume")["points"] == 123
    assert os.stat(answer["files"][0]).st_mtime_ns == before


@pytest.mark.slow
def test_rows_of_a_table(tmp_path):
    """Own names and units, a missing entry, a forbidden mass; rows without a result are kept with a reason."""
    text = "# mine\nlabel,m,g\na,100,1e-3\nb,,2e-3\nc,0.5,2e-3\nd,2000,nan\ne,300,0.2\n"
    (tmp_path / "rows.csv").write_text(text)
    block = f"{{file: {tmp_path}/rows.csv, columns: {{mass: m}}, units: {{mass: MeV}}}}"
    options = (*SMALL, *GRID, f"scan.rows={block}", "--set", "scan.keep=delta_chi2 < 5")
    answer = run("zprime_plane", *options, "--out", tmp_path / "s")
    found = columns(answer)
    assert found["index"].tolist() == [0, 1, 2, 3] and found["status"].tolist() == [0, 1, 2, 1]
    assert found["mass"][0] == 0.1 and np.isnan(found["rate_ratio_ccfr"][1:]).all() and not found["allowed"][1:].any()
    assert {code: n["points"] for code, n in answer["status"].items()} == {"0": 2, "1": 2, "2": 1}
    # the same as Parquet, where the unit can be checked
    schema = pa.schema([pa.field("mass", pa.float32(), metadata={"unit": "MeV"}), pa.field("g", pa.float64())])
    pq.write_table(pa.table([pa.array([100.0], pa.float32()), [1e-3]], schema=schema), tmp_path / "rows.parquet")
    plain = f"scan.rows={{file: {tmp_path}/rows.parquet}}"
    assert "column 'mass' says unit 'MeV' and the config 'GeV'; set scan.rows.units.mass" in faults(
        "zprime_plane", *SMALL, *GRID, plain, "--out", tmp_path / "t"
    )
    again = run("zprime_plane", *SMALL, *GRID, plain.replace("}", ", units: {mass: MeV}}"), "--out", tmp_path / "t")
    assert columns(again)["rate_ratio_ccfr"][0] == pytest.approx(found["rate_ratio_ccfr"][0], rel=1e-6)


def test_resume_does_what_is_missing_and_nothing_else(tmp_path):
    options = ("zprime_plane", *SMALL, "--set", "scan.points=4000")
    whole = run(*options, "--out", tmp_path / "a")
    run(*options, "--out", tmp_path / "b")
    parts = tmp_path / "b" / "parts"
    (parts / "part-000001.parquet").unlink()
    (parts / "part-000002.parquet").write_bytes(b"half a file")
    (parts / "part-000003.parquet.99.tmp").write_bytes(b"of a killed process")
    kept = (parts / "part-000000.parquet").stat().st_mtime_ns
    answer = run(*options, "--out", tmp_path / "b", "--resume")
    assert answer["evaluated_now"] == 2048 and (parts / "part-000000.parquet").stat().st_mtime_ns == kept
    assert sorted(path.name for path in parts.iterdir()) == [f"part-{i:06d}.parquet" for i in range(4)]
    for name, x in columns(whole).items():
        np.testing.assert_array_equal(columns(answer)[name], x)
    message = faults(*options, "--out", tmp_path / "b", "--resume", "--set", "scan.seed=2")
    assert "the config changed (scan.seed: was 1, is 2); use --force to start anew or --allow-changes" in message
    more = run(*options, "--out", tmp_path / "b", "--resume", "--allow-changes", "--set", "scan.points=5000")
    assert more["evaluated_now"] == 5000 - 3 * 1024 and more["points"] == 5000


@pytest.mark.slow
def test_single_precision_says_what_it_costs(tmp_path):
    single = ("--set", "scan.precision=float32", "--set", "scan.columns=float32", "--set", "scan.points=1500")
    answer = run("zprime_plane", *SMALL, *single, "--out", tmp_path / "s")
    exact = columns(run("zprime_plane", *SMALL, "--set", "scan.points=1500", "--out", tmp_path / "t"))
    found, error = columns(answer), answer["float32_error"]
    assert found["rate_ratio_ccfr"].dtype == found["mass"].dtype == np.float32
    deviation = np.abs(found["rate_ratio_ccfr"].astype(float) / exact["rate_ratio_ccfr"] - 1.0).max()
    assert 0.0 < deviation <= error["rate_ratio_relative"] + 1e-7 < 1e-5  # columns are rounded once more


def test_without_pyarrow_parts_are_npz(tmp_path, monkeypatch):
    monkeypatch.setattr(part_files, "find_spec", lambda name: None)
    answer = run("zprime_plane", *SMALL, "--set", "scan.points=1100", "--out", tmp_path / "s")
    assert [Path(file).suffix for file in answer["files"]] == [".npz", ".npz"]
    assert columns(answer)["index"].tolist() == list(range(1100))
    assert run("zprime_plane", *SMALL, "--set", "scan.points=1100", "--out", tmp_path / "s", "--resume")["kept"] == 1100


@pytest.mark.parametrize(
    ("settings", "messages"),
    [
        (("scan=null",), ["config zprime_plane has no block `scan`"]),
        (("scan.grid={mass: 3, g: 4}",), ["give exactly one of points, grid and rows; received points, grid"]),
        (("scan.points=null", "scan.grid={mass: 3}"), ["parameter g is no axis of scan.grid", "scan.at.g"]),
        (("scan.points=null", "scan.grid={mass: 3, h: 3}"), ["unknown sampled parameter 'h' in scan.grid"]),
        (("scan.at={mass: 1, g: 1}",), ["no parameter varies"]),
        (("scan.gradients=[L]", "scan.keep=chi2 < 4"), ["unknown output 'L'", "unknown column 'chi2'"]),
        (("scan.keep=g ~ 4",), ["is no comparison; allowed: NAME < NUMBER"]),
        (("scan.outputs=[rates]", "scan.seed=-1"), ["scan.outputs.0", "scan.seed"]),
        (("scan.points=0",), ["scan.points"]),
        (("scan.points=null", "scan.grid={mass: 0, g: []}"), ["scan.grid.mass = 0: allowed", "scan.grid.g = []"]),
        (("scan.precision=float32", "scan.nuisances=profiled"), ["float32 needs nominal nuisances"]),
        (("scan.points=null", "scan.rows={file: none.csv}"), ["'none.csv' does not exist"]),
        (("scan.points=4000000000",), ["GB free; write fewer outputs"]),
    ],
)  # fmt: skip
def test_bad_input_is_refused_before_anything_is_written(tmp_path, monkeypatch, settings, messages):
    monkeypatch.setattr(scan_setup.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 10**11})())
    options = [x for setting in settings for x in ("--set", setting)]
    message = faults("zprime_plane", *SMALL, *options, "--out", tmp_path / "s")
    assert all(text in message for text in messages), message
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mass,g\n0.1,x\n", "invalid value 'x'"),
        ("a,b\n1,2\n", "has columns a, b; needed: mass, g"),
        ("mass\n1\n", "parameter g is no column of scan.rows.file"),
        ("mass,g\n", "has no rows"),
    ],
)
def test_bad_tables(tmp_path, text, message):
    (tmp_path / "rows.csv").write_text(text)
    out = ("--out", tmp_path / "s")
    assert message in faults("zprime_plane", *SMALL, *GRID, f"scan.rows={{file: {tmp_path}/rows.csv}}", *out)


def test_occupied_folders_and_flags(tmp_path):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "mine.txt").write_text("mine")
    out = ("--out", tmp_path / "s")
    assert "continue it with --resume or replace it with --force" in faults("zprime_plane", *SMALL, *out)
    assert "exclude each other" in faults("zprime_plane", *SMALL, *out, "--resume", "--force")
    assert "--allow-changes belongs to --resume" in faults("zprime_plane", *SMALL, *out, "--allow-changes")
    assert "--devices 9; allowed: 1 to 2" in faults("zprime_plane", *SMALL, "--out", tmp_path / "t", "--devices", 9)
    assert "nothing to resume" in faults("zprime_plane", *SMALL, *out, "--resume")
    assert (tmp_path / "s" / "mine.txt").read_text() == "mine"


def test_full_disk_is_a_clear_end(tmp_path, monkeypatch):
    def full(path, columns, about, description):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tridentjax.scan.plan.write_part", full)
    result = call("zprime_plane", *SMALL, "--set", "scan.points=1024", "--out", tmp_path / "s")
    assert result.exit_code == 1 and "No space left on device" in result.stderr and "Traceback" not in result.stderr
