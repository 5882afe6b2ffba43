"""The report of a validation: every check by name, with its outcome."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Result(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FINDING = "finding"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True)
class Finding:
    """A fault that a check found.

    Attributes
    ----------
    where
        Path in the product, such as ``measurements/reflectance/r10m/b02``.
    what
        What is wrong, with the values.
    """

    where: str
    what: str


@dataclass(frozen=True)
class Outcome:
    """The outcome of a check.

    Attributes
    ----------
    check
        The check's name, ``<group>.<rule>``.
    meaning
        What is true if the check passes.
    remedy
        What to do if it fails.
    examined
        How many values the check judged; with 0 it is not applicable.
    findings
        What is wrong.
    note
        Why the check did not run, if that is not obvious.
    """

    check: str
    meaning: str
    remedy: str
    examined: int
    findings: tuple[Finding, ...] = ()
    note: str = ""

    @property
    def result(self) -> Result:
        """How the check ended."""
        if self.findings:
            return Result.FINDING
        return Result.PASSED if self.examined else Result.NOT_APPLICABLE

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "check": self.check,
            "result": self.result.value,
            "meaning": self.meaning,
            "examined": self.examined,
            **({"note": self.note} if self.note else {}),
            **({"remedy": self.remedy} if self.findings else {}),
            "findings": [
                {"where": finding.where, "what": finding.what} for finding in self.findings
            ],
        }


@dataclass(frozen=True)
class Report:
    """The report of a validation.

    Attributes
    ----------
    product
        Its name or path.
    container
        ``safe``, ``zarr-v2``, ``zarr-v3``, ``netcdf``, ``cog`` or ``tree``.
    product_type
        The type that the product names, such as ``S02MSIL2A``, or empty.
    profile
        The profile whose rules were checked, or None.
    outcomes
        The outcomes of all checks.
    """

    product: str
    container: str
    product_type: str
    profile: str | None
    outcomes: tuple[Outcome, ...] = field(default=())

    @property
    def made(self) -> int:
        """Number of checks that judged at least one value."""
        return sum(outcome.result is not Result.NOT_APPLICABLE for outcome in self.outcomes)

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """The checks with findings."""
        return tuple(outcome for outcome in self.outcomes if outcome.findings)

    @property
    def clean(self) -> bool:
        """Whether checks ran and all of them passed."""
        return self.made > 0 and not self.failed

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "product": self.product,
            "container": self.container,
            "product_type": self.product_type,
            "profile": self.profile,
            "clean": self.clean,
            "checks_made": self.made,
            "checks_failed": len(self.failed),
            "checks": [outcome.to_dict() for outcome in self.outcomes],
        }
