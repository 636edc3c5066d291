"""The plugin container: contracts, dependency order, lifecycle, signals, configuration, logging."""
