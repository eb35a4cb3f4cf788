"""The program: every command in the order of `tridentjax --help`.

Exit codes: 0 success, 2 bad input, 3 not converged, 130 interrupted (state saved), 1 anything else.
"""

import typer

from tridentjax.cli import physics, runs
from tridentjax.cli.reach import reach

app = typer.Typer(
    name="tridentjax",
    help="Differentiable likelihood for neutrino trident production, nu N -> nu l+ l- N.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(physics.info)
app.command("list")(physics.list_)
for _command in (
    physics.show,
    physics.sigma,
    physics.distribution,
    physics.events,
    physics.rate,
    physics.couplings,
    runs.sample,
    runs.contour,
    runs.fit,
    physics.compare,
    runs.scan,
    runs.validate,
):
    app.command()(_command)
app.add_typer(reach, name="reach")


def main() -> None:
    """Entry point of the console script."""
    app()
