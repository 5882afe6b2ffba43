"""Validate a product, offline: every check by name, what it looked at, what it found."""

from skerry.validation.report import Finding, Outcome, Report, Result
from skerry.validation.validating import validate_product

__all__ = ["Finding", "Outcome", "Report", "Result", "validate_product"]
