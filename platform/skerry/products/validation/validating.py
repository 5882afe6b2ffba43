"""Validation of one product: see what is stored, make every check."""

from dataclasses import replace
from pathlib import Path

import xarray as xr

from skerry.core.errors import InvalidInputError, NotFoundError
from skerry.products.validation.registry import list_checks
from skerry.products.validation.report import Report
from skerry.products.validation.stores import read_netcdf, read_tree, read_zarr
from skerry.products.validation.subject import Subject

NETCDF_SUFFIXES = {".nc", ".nc4"}


def validate_product(
    product: Path | str | xr.DataTree, profile: str | None = None, *, deep: bool = False
) -> Report:
    """Check a product: structure, completeness, encodings, CF, geometry, overviews, STAC.

    Zarr and NetCDF are judged as they are stored, before opening heals anything; SAFE and COG
    sets as they are opened, and by what opening found missing or had to heal. Nothing is fetched.

    Parameters
    ----------
    product
        A product's path, or a tree as `open_product` gives it.
    profile
        Name of an EOPF profile whose rules count too: ``cpm-2.8`` or ``2025``.
    deep
        Also read every chunk and checksum.

    Returns
    -------
    Report
        Every check there is, with its outcome.

    Raises
    ------
    NotFoundError
        If nothing is at the path, or there is no such profile.
    InvalidInputError
        If what is there is no product, or holds nothing that could be checked.
    """
    if profile is not None:
        from skerry.products.eopf.profiles import check_profile

        check_profile(profile)
    if isinstance(product, xr.DataTree):
        groups, arrays = read_tree(product)
        subject = Subject(
            product.name or "tree", "tree", groups, arrays, tree=product, profile=profile, deep=deep
        )
    else:
        subject = _read_place(Path(product), profile, deep)
    return report_on(subject)


def report_on(subject: Subject) -> Report:
    """Make every check of a product that was read.

    Raises
    ------
    InvalidInputError
        If it holds nothing that could be checked.
    """
    if not subject.arrays:
        raise InvalidInputError(
            f"{subject.name} holds no array, so there is nothing to check.",
            remedy="Give a complete product.",
        )
    outcomes = [one.run(subject) for one in list_checks()]
    if any(one.findings for one in outcomes[1:]) and subject.problem:
        # What the other checks found says why it cannot be opened, and where.
        outcomes[0] = replace(outcomes[0], examined=0, findings=(), note=subject.problem)
    return Report(
        subject.name, subject.container, subject.product_type, subject.profile, tuple(outcomes)
    )


def _read_place(place: Path, profile: str | None, deep: bool) -> Subject:
    if not place.exists():
        raise NotFoundError(f"There is no {place}.", remedy="Check the path.")
    if place.is_dir() and any((place / name).is_file() for name in ("zarr.json", ".zgroup")):
        (groups, arrays), version, indexed = read_zarr(place)
        tree, problem = _open(place)
        return Subject(
            str(place), f"zarr-v{version}", groups, arrays, place, tree, problem, profile, deep,
            indexed,
        )  # fmt: skip
    if place.suffix in NETCDF_SUFFIXES:
        groups, arrays = read_netcdf(place)
        tree, problem = _open(place)
        return Subject(str(place), "netcdf", groups, arrays, place, tree, problem, profile, deep)
    from skerry.products.opening import open_product

    tree = open_product(place)
    groups, arrays = read_tree(tree)
    container = "safe" if "mapping" in tree.attrs.get("other_metadata", {}) else "cog"
    return Subject(str(place), container, groups, arrays, place, tree, "", profile, deep)


def _open(place: Path) -> tuple[xr.DataTree | None, str]:
    """Open a product, or say in words why it cannot be opened."""
    from skerry.products.opening import open_product

    try:
        return open_product(place), ""
    except InvalidInputError as error:
        return None, error.what
