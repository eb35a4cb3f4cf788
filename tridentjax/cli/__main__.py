"""`python -m tridentjax.cli`, the same as the console script."""

from tridentjax.cli.app import main

main()
