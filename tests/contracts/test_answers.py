"""Answers of the command line, byte for byte, as they were before the rooms (commit 0bba5e4).

`python tests/contracts/test_answers.py` prints the answers as they are now: a change that users see is made by hand in
`tests/references/answers/` and named in the changelog.
"""

import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tridentjax.cli import app, options

FOLDER = Path(__file__).parents[1] / "references" / "answers"
FILES = sorted(FOLDER.glob("*.txt"))


def answer(path):
    """What the command in the first line of a file says now, with its exit code."""
    command = path.read_text(encoding="utf-8").splitlines()[0]
    result = CliRunner().invoke(app, shlex.split(command.removeprefix("$ tridentjax ")))
    return f"{command}\n{result.stdout}{result.stderr}exit {result.exit_code}\n"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_answer(path, monkeypatch):
    monkeypatch.setattr(options, "start_jax", lambda device: None)
    assert answer(path) == path.read_text(encoding="utf-8")


if __name__ == "__main__":
    print(*(answer(path) for path in FILES), sep="\n")
