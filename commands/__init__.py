"""The commands of `rrpy`: options, output, completion, and what each command does. Only cli.py imports them."""
