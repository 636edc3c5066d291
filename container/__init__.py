"""The plugin container: contracts, dependency order, lifecycle, signals, configuration, logging.

Nothing is imported here, so that the command line gets a module of it without the others; the public names are those
of `rrpy`.
"""
