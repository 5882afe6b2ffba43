"""Skerry's version, from the installed package; the source is ``pyproject.toml`` alone."""

from importlib.metadata import version

VERSION = version("skerry")
