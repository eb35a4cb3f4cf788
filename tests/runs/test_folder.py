"""Run folders: created, occupied, refused."""

import json
import os

import pytest

from tridentjax import InputError
from tridentjax.runs.folder import provenance, run_folder


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
