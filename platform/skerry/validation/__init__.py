"""Validate a product offline; each check reports its name, subjects and findings."""

from skerry.validation.report import Finding, Outcome, Report, Result
from skerry.validation.validating import validate_product

__all__ = ["Finding", "Outcome", "Report", "Result", "validate_product"]
