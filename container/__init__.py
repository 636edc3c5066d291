"""The plugin container: contracts, dependency order, lifecycle, signals, configuration, logging.

It imports nothing, so that the command line can import one module without the others. `rrpy` has the public names.
"""
