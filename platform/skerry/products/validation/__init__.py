"""Validate a product, offline: every check by name, what it looked at, what it found."""

from skerry.products.validation.report import Finding, Outcome, Report, Result
from skerry.products.validation.validating import validate_product

__all__ = ["Finding", "Outcome", "Report", "Result", "validate_product"]
