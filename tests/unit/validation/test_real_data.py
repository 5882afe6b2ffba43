"""The real Sentinel-2 product: it is partial, and the validation says so and nothing else."""

import os
from pathlib import Path

import pytest

from skerry.validation import validate_product

pytestmark = pytest.mark.real_data


def test_the_real_product_lists_its_real_defects() -> None:
    (product,) = Path(os.environ["SKERRY_REAL_DATA"]).rglob("S2*_MSIL2A_*.SAFE")
    report = validate_product(product)
    result = {item.check: item for item in report.failed}
    assert {"completeness.parts", "completeness.files"} <= set(result)
    absent = {finding.where for finding in result["completeness.files"].findings}
    assert any(item.endswith("_B02_10m.jp2") for item in absent)
    assert all(not (product / item).exists() for item in absent)
    assert set(result) == {"completeness.parts", "completeness.files"}
