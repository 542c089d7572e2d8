"""`python -m sweep`: the command line."""

from sweep.cli.main import run

run()
