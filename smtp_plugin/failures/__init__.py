"""The rules of `smtp.rules`, by which the server fails on purpose: their keys and presets, and the table of a host."""
