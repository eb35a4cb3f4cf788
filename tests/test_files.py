"""Files are written whole or not at all."""

import json
import os

import pytest

from tridentjax.files import read_yaml, write_json, write_text, write_yaml


def test_failed_text_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"a": float("nan")})

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_text(path, "new")
    assert json.loads(path.read_text()) == {"a": 1} and os.listdir(tmp_path) == ["x.json"]


def test_yaml_round_trip(tmp_path):
    content = {"z": 1e-5, "a": [1, 2.5, "1"], "deep": {"flag": False, "text": "a: b # c", "none": None}}
    write_yaml(tmp_path / "x.yaml", content)
    assert read_yaml(tmp_path / "x.yaml") == content
    assert list(read_yaml(tmp_path / "x.yaml")) == ["z", "a", "deep"]
