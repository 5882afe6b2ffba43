"""Skerry's version. It stands in ``pyproject.toml`` alone; the installed package knows it."""

from importlib.metadata import version

VERSION = version("skerry")
