"""Checks of a mail without a network: what a recipient's server or program would find wrong. Pure."""
