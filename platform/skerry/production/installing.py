"""Refuses to install packages inside of a run: when a notebook is proposed, and in its kernel.

A run's environment must be the approved environment. A package that a cell installs would go to
some other Python of the machine, or change the environment of all runs.
"""

import re
from collections.abc import Iterable
from typing import Any

REMEDY = (
    "Give the package as a wheel with the proposal: "
    "skerry release propose NOTEBOOK --wheel FILE.whl."
)

# Whoever proposes chooses the lines, and nothing else of the api runs during a match: each part
# is bounded, or stands where only one way of reading it is left.
_SHELL = re.compile(r"^(?:[\w.,][\w.,\s]*=\s*)?(?:!+|%+(?:sx|system)?)\s*(?P<command>.*)$")
_SHELL_CELL = re.compile(r"^\s*%%(?:bash|sh|script|system|sx|!)\b")
_INSTALLER = re.compile(
    r"(?:^|[;&|(`]|\bsudo|\benv)\s*(?:[^\s;&|(`]{0,255}/)?(?:(?:python[\d.]*|\{sys\.executable\}|\$\{?\w+\}?)\s+-m\s+)?"
    r"(?:pip[\d.]*|conda|mamba|micromamba|easy_install|uv(?:\s+pip)?|pixi|poetry)\s+"
    r"(?:-\S{1,255}\s+){0,9}(?:install|add|sync|update|upgrade|uninstall|remove)\b"
)


def find_install(lines: Iterable[str]) -> int | None:
    """Return the number (from 1) of a cell's first line that installs packages, or None."""
    whole_cell = False
    for number, line in enumerate(lines, start=1):
        if number == 1 and _SHELL_CELL.match(line):
            whole_cell = True
            continue
        shell = _SHELL.match(line.lstrip())
        command = line if whole_cell else shell["command"] if shell else ""
        if _INSTALLER.search(command):
            return number
    return None


def guard_kernel(shell: Any) -> None:
    """Make an IPython shell refuse cells that install packages. For the kernel of a run."""
    from IPython.core.error import UsageError

    def refuse(lines: list[str]) -> list[str]:
        if find_install(lines) is not None:
            raise UsageError(f"Packages cannot be installed inside of a run. {REMEDY}")
        return lines

    shell.input_transformers_cleanup.append(refuse)
