"""Files beside an answer: their rules, and that the table and the figure are written whole."""

import sys

import pytest

from tridentjax.cli.commands.out_files import output_files, write_outputs
from tridentjax.faults import InputError


def test_a_figure_brings_its_table(tmp_path):
    assert output_files(None, False) == []
    assert output_files(tmp_path / "a.csv", False) == [tmp_path / "a.csv"]
    assert output_files(tmp_path / "a.pdf", False) == [tmp_path / "a.csv", tmp_path / "a.pdf"]


def test_every_fault_is_told_once(tmp_path, monkeypatch):
    (tmp_path / "a.csv").touch()
    (tmp_path / "a.png").touch()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError) as caught:
        output_files(tmp_path / "a.png", False)
    exists, again, missing = caught.value.faults
    assert "a.csv exists; add --force" in exists and "a.png exists; add --force" in again
    assert "needs matplotlib" in missing
    assert output_files(tmp_path / "a.csv", True) == [tmp_path / "a.csv"]  # a table needs no figure
    with pytest.raises(InputError) as caught:
        output_files(tmp_path / "no" / "b.txt", False)
    ending, folder = caught.value.faults
    assert "allowed: a table .csv, or a figure .png, .pdf, .svg" in ending and "does not exist; make it" in folder


def test_outputs_are_written_and_figures_closed(tmp_path):
    pytest.importorskip("matplotlib")
    from tridentjax.figures.style import pyplot

    plt = pyplot()
    before = plt.get_fignums()
    written = []
    write_outputs(output_files(tmp_path / "a.svg", False), written.append, plt.figure)
    assert written == [tmp_path / "a.csv"] and "<svg" in (tmp_path / "a.svg").read_text()
    assert plt.get_fignums() == before
    write_outputs([tmp_path / "b.csv"], written.append, lambda: pytest.fail("no figure was asked for"))
    assert written[1:] == [tmp_path / "b.csv"]
