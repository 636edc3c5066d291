"""The configuration: YAML, environment and options, decoded into the plugins' sections."""

from .config import Config

__all__ = ["Config"]
