"""Command line `tridentjax`: options and commands; JAX is imported only when a command runs."""

from tridentjax.cli.app import app, main

__all__ = ["app", "main"]
