"""Files are written whole or not at all."""

import json
import os

import pytest

from tridentjax.files import read_yaml, replacing, write_json, write_table, write_text, write_yaml


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


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_new_file_takes_the_place_of_the_old_one(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old" and temporary.parent == tmp_path and temporary != path
    assert path.read_text() == "new" and names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt])
@pytest.mark.parametrize("old", ["old", None])
def test_a_crash_in_the_middle_leaves_the_old_file_and_no_temporary_one(tmp_path, error, old):
    path = tmp_path / "a.txt"
    if old is not None:
        path.write_text(old)

    def crash():
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        crash()
    assert names(tmp_path) == ([] if old is None else ["a.txt"])
    assert old is None or path.read_text() == old


def test_a_crash_before_anything_is_written_is_that_error(tmp_path):
    def crash():
        with replacing(tmp_path / "a.txt"):
            raise ValueError("first")

    with pytest.raises(ValueError, match="first"):
        crash()
    assert names(tmp_path) == []


def test_a_replacement_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def refuse(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="disk full"):
        write_text(path, "new")
    assert path.read_text() == "old" and names(tmp_path) == ["a.txt"]


def test_a_table_with_a_missing_column_leaves_the_old_one(tmp_path):
    """It left a temporary file behind once."""
    path = tmp_path / "t.csv"
    write_table(path, ["title"], ["x"], [{"x": 1.0}])
    before = path.read_bytes()
    with pytest.raises(KeyError):
        write_table(path, ["title"], ["x", "y"], [{"x": 1.0, "y": 2.0}, {"x": 1.0}])
    assert path.read_bytes() == before and names(tmp_path) == ["t.csv"]


def test_a_figure_that_cannot_be_drawn_leaves_the_old_one(tmp_path):
    pytest.importorskip("matplotlib")
    from tridentjax.figures.style import pyplot, write_figure

    plt = pyplot()
    figure, axes = plt.subplots()
    path = tmp_path / "f.png"
    write_figure(path, figure)
    before = path.read_bytes()
    axes.set_title("$\\frac{$")  # no such formula: matplotlib finds out while it draws
    with pytest.raises(ValueError, match="frac"):
        write_figure(path, figure)
    plt.close(figure)
    assert path.read_bytes() == before and names(tmp_path) == ["f.png"]
