"""What becomes of a message: events, workers, verdicts, observers, history."""
