"""The registry of checks: each check is one function that tests one rule and has one name.

A check has a function that gives places and values in the subject. It judges a single value at a
time: it returns what is wrong with the value in words, or None. A check without values to judge is
not applicable.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from skerry.validation.report import Finding, Outcome
from skerry.validation.subject import Subject

MODULES = (
    "structure",
    "completeness",
    "encodings",
    "conventions",
    "geometry",
    "multiscales",
    "stac",
    "profiles",
)
"""Groups of checks, in the order of a report."""
MOST_FINDINGS = 1000
"""How many findings of a check a report lists."""

Places = Iterable[tuple[str, Any]]


@dataclass(frozen=True)
class Check:
    """A named check.

    Attributes
    ----------
    name
        ``<group>.<rule>``.
    meaning
        What is true if the check passes: the first line of the function's docstring.
    remedy
        What to do if the check fails.
    look_at
        Gives the places and values in a subject for the check to judge.
    judge
        Returns what is wrong with a value, or None.
    deep
        Whether the check reads all values and therefore runs only on demand.
    """

    name: str
    meaning: str
    remedy: str
    look_at: Callable[[Subject], Places]
    judge: Callable[[Any, Subject], str | None]
    deep: bool = False

    def run(self, subject: Subject) -> Outcome:
        """Judge everything that the check looks at."""
        if self.deep and not subject.deep:
            return self._outcome(0, (), "runs only with --deep, because it reads every value")
        examined = 0
        findings: list[Finding] = []
        for where, value in self.look_at(subject):
            examined += 1
            what = self._judge(value, subject)
            if what and len(findings) < MOST_FINDINGS:
                findings.append(Finding(where or "/", what))
        return self._outcome(examined, tuple(findings), "")

    def _judge(self, value: Any, subject: Subject) -> str | None:
        try:
            return self.judge(value, subject)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            # Content of a product can have any form; a form that no check expects is a finding.
            return f"cannot be understood ({type(error).__name__}: {error})"

    def _outcome(self, examined: int, findings: tuple[Finding, ...], note: str) -> Outcome:
        return Outcome(self.name, self.meaning, self.remedy, examined, findings, note)


_CHECKS: dict[str, Check] = {}


def check(
    name: str, *, of: Callable[[Subject], Places], remedy: str, deep: bool = False
) -> Callable[[Callable[[Any, Subject], str | None]], Callable[[Any, Subject], str | None]]:
    """Register the decorated function as a check; see `Check` for the parameters."""

    def register(judge: Callable[[Any, Subject], str | None]) -> Any:
        if name in _CHECKS:
            raise ValueError(f"two checks are called {name}")
        meaning = (judge.__doc__ or "").strip().partition("\n")[0]
        _CHECKS[name] = Check(name, meaning, remedy, of, judge, deep)
        return judge

    return register


@cache
def list_checks() -> tuple[Check, ...]:
    """Return every check, in the order of a report."""
    for module in MODULES:
        import_module(f"skerry.validation.{module}")
    order = {module: number for number, module in enumerate(MODULES)}
    groups = {"cf": "conventions", "profile": "profiles"}

    def rank(check: Check) -> int:
        group = check.name.partition(".")[0]
        return order[groups.get(group, group)]

    return tuple(sorted(_CHECKS.values(), key=rank))
