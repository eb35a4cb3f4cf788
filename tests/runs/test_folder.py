"""Run folders: created, occupied, refused."""

import json
import os

import pytest

from tridentjax import InputError
from tridentjax.files import read_yaml
from tridentjax.runs.config import physics_hash
from tridentjax.runs.folder import RECORDS, RunFolder, provenance, run_folder


def test_provenance():
    content = provenance()
    assert content["x64"] is True and content["tridentjax"] and content["git_revision"]
    json.dumps(content, allow_nan=False)


def test_run_folder_is_created(tmp_path):
    made = run_folder(tmp_path / "a" / "b", resume=False, force=False)
    assert made.is_dir() and not os.listdir(made)
    assert run_folder(made, resume=False, force=False) == made  # an empty folder is free


def test_run_folder_refusals(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "posterior.nc").write_text("precious")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="--resume and --force exclude each other"):
        run_folder(tmp_path / "new", resume=True, force=True)
    with pytest.raises(InputError, match="exists; continue it with --resume or replace it with --force"):
        run_folder(tmp_path / "full", resume=False, force=False)
    with pytest.raises(InputError, match="is a file; give a folder"):
        run_folder(tmp_path / "file", resume=False, force=True)
    with pytest.raises(InputError, match=r"cannot write to run folder .*choose another --out"):
        run_folder(tmp_path / "file" / "below", resume=False, force=False)
    assert not (tmp_path / "new").exists()
    assert run_folder(tmp_path / "full", resume=True, force=False).is_dir()
    assert (tmp_path / "full" / "posterior.nc").read_text() == "precious"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_run_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match=r"cannot write to run folder .*Permission denied"):
        run_folder(tmp_path / "new", resume=False, force=False)


SETTINGS = {"name": "small", "theory": "sm", "fit": {"starts": 3}, "scan": {"points": 8}, "title": "t"}


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text("name: small  # as it was given\n")
    return path


def folder(tmp_path, config, **options):
    return RunFolder(tmp_path / "run", config, SETTINGS, "fit", ("fit.json", "table_*.csv", "parts"), **options)


def names(path):
    return {str(x.relative_to(path)) for x in path.rglob("*") if x.is_file()}


def test_nothing_is_on_disk_before_the_folder_is_opened(tmp_path, config):
    run = folder(tmp_path, config)
    assert not run.path.exists()
    run.open(force=False)
    assert run.path.is_dir() and names(run.path) == set()


def test_records_hold_the_config_as_given_and_resolved_with_hash_and_provenance(tmp_path, config):
    run = folder(tmp_path, config)
    run.open(force=False)
    run.record(reference={"threshold": 5.99})
    assert (run.path / "run.yaml").read_text() == config.read_text()
    stored = read_yaml(run.path / "run.resolved.yaml")
    assert list(stored) == [*SETTINGS, "hash", "reference", "provenance"]
    assert stored["hash"] == run.hash == physics_hash(SETTINGS, "fit") and stored["reference"] == {"threshold": 5.99}
    assert {"tridentjax", "git_revision", "x64"} <= set(stored["provenance"])


def test_hash_counts_the_block_of_the_verb_and_not_those_of_others(tmp_path, config):
    run = folder(tmp_path, config)

    def other(**changes):
        return RunFolder(run.path, config, SETTINGS | changes, "fit").hash

    assert other() == other(scan={"points": 9}) == other(title="u") == run.hash
    assert len({other(), other(fit={"starts": 4}), other(theory="zprime")}) == 3


def test_a_resumed_run_keeps_the_config_that_it_was_started_with(tmp_path, config):
    run = folder(tmp_path, config)
    run.open(force=False, resume=False)
    run.record()
    config.write_text("name: changed\n")
    run.open(force=False, resume=True)
    run.record()
    assert "as it was given" in (run.path / "run.yaml").read_text()


def test_refusals_name_what_helps_this_verb(tmp_path, config):
    run = folder(tmp_path, config)
    run.open(force=False)
    (run.path / "other").touch()
    with pytest.raises(InputError, match="exists; replace it with --force"):
        run.open(force=False)
    with pytest.raises(InputError, match="continue it with --resume or replace it with --force"):
        run.open(force=False, resume=False)
    with pytest.raises(InputError, match="exclude each other"):
        run.open(force=True, resume=True)
    run.open(force=True)


@pytest.mark.parametrize("log", [False, True])
def test_clear_takes_the_runs_own_files_and_leaves_those_of_others(tmp_path, config, log):
    run = folder(tmp_path, config, log=log)
    run.open(force=False)
    (run.path / "parts").mkdir()
    (run.path / "figures").mkdir()
    for name in (*RECORDS, "fit.json", "table_a.csv", "parts/1", "figures/a.png", "log.txt", "notes.txt", "table.csv"):
        (run.path / name).touch()
    run.clear()
    assert names(run.path) == {"notes.txt", "table.csv"} | (set() if log else {"log.txt"})
    run.clear()  # nothing to clear is no fault


def test_a_run_can_be_started_anew_from_the_config_that_it_keeps(tmp_path, config):
    """`fit runs/x/run.yaml --out runs/x --force` must not delete its own input."""
    first = folder(tmp_path, config)
    first.open(force=False)
    first.record()
    again = folder(tmp_path, first.path / "run.yaml")
    again.open(force=True)
    again.clear()
    again.record()
    assert (again.path / "run.yaml").read_text() == config.read_text()


@pytest.mark.parametrize("log", [False, True])
def test_what_is_said_goes_to_standard_error_and_to_a_log_where_there_is_one(tmp_path, config, capsys, log):
    run = folder(tmp_path, config, log=log)
    run.open(force=False)
    run.say("first")
    run.say(2)
    captured = capsys.readouterr()
    assert captured.err == "first\n2\n" and captured.out == ""
    assert (run.path / "log.txt").exists() == log
    assert not log or (run.path / "log.txt").read_text() == "first\n2\n"


def test_figures_are_saved_whole_and_closed(tmp_path, config):
    pytest.importorskip("matplotlib")
    from tridentjax.figures.style import pyplot

    plt = pyplot()
    run = folder(tmp_path, config)
    run.open(force=False)
    assert run.save_figures({"none": None}) == [] and names(run.path) == set()
    open_before = plt.get_fignums()
    drawn = {name: plt.figure() for name in ("b", "a")}
    assert run.save_figures(drawn | {"none": None}) == ["figures/b.png", "figures/a.png"]
    assert names(run.path) == {"figures/a.png", "figures/b.png"}
    assert (run.path / "figures" / "a.png").read_bytes()[:4] == b"\x89PNG" and plt.get_fignums() == open_before


def test_the_summary_is_what_is_returned(tmp_path, config):
    run = folder(tmp_path, config)
    run.open(force=False)
    summary = run.finish({"best": 1.0}, ["fit.json", "summary.json"])
    assert json.loads((run.path / "summary.json").read_text()) == summary
    assert list(summary) == ["config", "hash", "best", "seconds", "files"]
    assert summary["config"] == "small" and summary["hash"] == run.hash and summary["seconds"] > 0.0
    assert summary["files"] == [str(run.path / "fit.json"), str(run.path / "summary.json")]
    assert run.finish({"seconds": {"setup": 1.0}}, [])["seconds"] == {"setup": 1.0}


def test_a_summary_with_nan_is_refused_and_the_old_one_stays(tmp_path, config):
    run = folder(tmp_path, config)
    run.open(force=False)
    run.finish({"best": 1.0}, [])
    with pytest.raises(ValueError, match="not JSON compliant"):
        run.finish({"best": float("nan")}, [])
    assert json.loads((run.path / "summary.json").read_text())["best"] == 1.0 and names(run.path) == {"summary.json"}
