"""Notebooks run at small settings; their .ipynb is what jupytext makes of the percent source."""

from pathlib import Path

import jupytext
import nbformat
import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
SOURCES = sorted(FOLDER.glob("*.py"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_ipynb_is_generated_from_the_source(source):
    made = jupytext.read(source)
    stored = nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    assert [cell.source for cell in stored.cells] == [cell.source for cell in made.cells]
    assert all(not cell.get("outputs") for cell in stored.cells)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_source_defines_no_function_and_ends_in_an_assertion(source):
    code = [cell.source for cell in jupytext.read(source).cells if cell.cell_type == "code"]
    assert not any(line.startswith(("def ", "class ")) for cell in code for line in cell.splitlines())
    assert code[-1].splitlines()[-1].startswith("assert ")


@pytest.mark.timeout(1200)
@pytest.mark.slow
@pytest.mark.notebook
@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_notebook_runs(source, monkeypatch, tmp_path):
    # a kernel of its own process, so that it meets the library as a user does
    from nbclient import NotebookClient

    monkeypatch.setenv("TRIDENTJAX_NOTEBOOK_DRAWS", "200")
    monkeypatch.setenv("MPLBACKEND", "agg")
    NotebookClient(jupytext.read(source), timeout=900, resources={"metadata": {"path": tmp_path}}).execute()
