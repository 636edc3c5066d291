"""For an operator: the plugins `status` and `metrics`."""
