"""The command line in this process, or in one of its own."""

import json
import os
import subprocess
import sys

from typer.testing import CliRunner

from tridentjax import cli


def call(*arguments):
    return CliRunner().invoke(cli.app, [str(a) for a in arguments])


def answer(*arguments):
    """The JSON object on standard output; nothing else may be there."""
    result = call(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    assert len(result.stdout.splitlines()) == 1
    content = json.loads(result.stdout)
    assert isinstance(content, dict)
    return content


def faults(*arguments):
    """Standard error of a refused command."""
    result = call(*arguments)
    assert result.exit_code == 2, (result.exit_code, result.output)
    assert result.stdout == "" and "Traceback" not in result.stderr
    return result.stderr


def process(*arguments):
    command = [sys.executable, "-m", "tridentjax.cli", *(str(a) for a in arguments)]
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)
