"""`skerry validate`: every check of a product by name, as a table or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from skerry.cli.outputs import type_option
from skerry.cli.presenting import json_option, print_json, print_table, say

if TYPE_CHECKING:
    from skerry.validation.report import Report

MOST_LINES = 5
"""Number of findings to show for one check; JSON has all."""


@click.command()
@click.argument("product")
@click.option("--profile", help="Also check the rules of an EOPF profile: cpm-2.8 or 2025.")
@type_option
@click.option("--deep", is_flag=True, help="Also read every chunk and checksum.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), hidden=True)
@json_option
@click.pass_context
def validate(
    context: click.Context,
    /,
    *,
    product: str,
    profile: str | None,
    product_type: str | None,
    deep: bool,
    form: str | None,
    as_json: bool,
) -> None:
    """Check a product: SAFE, EOPF Zarr, GeoZarr, NetCDF or a set of COGs. Nothing is fetched.

    The exit code is 0 without findings, 1 with findings, and 2 if there is nothing to check.

    \b
    Example:
      skerry validate S2B_MSIL2A_20260501T103029_N0511_R108_T33UVV_20260501T134557.SAFE
      skerry validate product.zarr --profile 2025 --json
    """  # noqa: D301
    from skerry.validation.validating import validate_product

    report = validate_product(product, profile, deep=deep, product_type=product_type)
    if as_json or form == "json":
        print_json(report.to_dict())
    else:
        _print_report(report)
    context.exit(0 if report.clean else 1)


def _print_report(report: Report) -> None:
    """Print every check as a row, then each finding with its place and remedy."""
    say(f"{report.product}: {report.container} {report.product_type}".rstrip())
    rows = [
        (item.check, item.result.value, str(item.examined), item.note or item.meaning)
        for item in report.outcomes
    ]
    print_table(("CHECK", "RESULT", "JUDGED", "TRUE IF IT PASSES"), rows)
    for outcome in report.failed:
        say(f"\n{outcome.check}: {len(outcome.findings)} found")
        for finding in outcome.findings[:MOST_LINES]:
            say(f"  {finding.where}: {finding.what}")
        if len(outcome.findings) > MOST_LINES:
            say(f"  and {len(outcome.findings) - MOST_LINES} more (--json has all)")
        say(f"  Remedy: {outcome.remedy}")
    failed = f"{len(report.failed)} have findings" if report.failed else "none has findings"
    say(f"\n{report.made} of {len(report.outcomes)} checks ran, {failed}.")
