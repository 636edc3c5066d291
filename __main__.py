"""`python -m rrpy` is the command `rrpy`."""

from .cli import main

main(prog_name="rrpy")
