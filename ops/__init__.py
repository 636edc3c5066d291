"""What an operator looks at: the plugins `status` and `metrics`."""
