"""Validation of one product: read what is stored and run every check."""

from dataclasses import replace
from pathlib import Path

import xarray as xr

from skerry.core.errors import InvalidInputError, NotFoundError
from skerry.products.cogs.opening import read_item
from skerry.products.opening import HDF5, open_product
from skerry.products.recognition import COG_MARK, NETCDF_SUFFIXES, choose_product, list_names
from skerry.storage.remote import is_remote, parse_address
from skerry.validation.registry import list_checks
from skerry.validation.report import Report
from skerry.validation.stores import read_netcdf, read_tree, read_zarr
from skerry.validation.subject import Subject


def validate_product(
    product: Path | str | xr.DataTree,
    profile: str | None = None,
    *,
    deep: bool = False,
    product_type: str | None = None,
) -> Report:
    """Check a product: structure, completeness, encodings, CF, geometry, overviews, STAC.

    The checks read Zarr and NetCDF as they are stored, before opening heals anything. They read
    SAFE and COG sets as opened, with the COG set's own item, and report what opening found missing
    or healed. Nothing is fetched.

    Parameters
    ----------
    product
        A product's path, or a tree as `open_product` gives it.
    profile
        Name of an EOPF profile whose rules count too: ``cpm-2.8`` or ``2025``.
    deep
        Also read every chunk and checksum.
    product_type
        The EOPF type of a product on disk, if the product does not say it itself.

    Returns
    -------
    Report
        All checks, with their outcomes.

    Raises
    ------
    NotFoundError
        If nothing is at the path, or the profile is unknown.
    InvalidInputError
        If what is there is no product, or holds nothing that could be checked.
    """
    if profile is not None:
        from skerry.products.healing.profiles import check_profile

        check_profile(profile)
    if isinstance(product, xr.DataTree):
        groups, arrays = read_tree(product)
        subject = Subject(
            product.name or "tree", "tree", groups, arrays, tree=product, profile=profile, deep=deep
        )
    else:
        subject = _read_place(_parse_place(product), profile, deep, product_type)
    return report_on(subject)


def report_on(subject: Subject) -> Report:
    """Run every check on a product that was read.

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
    outcomes = [check.run(subject) for check in list_checks()]
    if any(outcome.findings for outcome in outcomes[1:]) and subject.problem:
        # The findings of the other checks explain where and why opening fails.
        outcomes[0] = replace(outcomes[0], examined=0, findings=(), note=subject.problem)
    return Report(
        subject.name, subject.container, subject.product_type, subject.profile, tuple(outcomes)
    )


def _parse_place(product: Path | str) -> Path:
    """Return the product's path; refuse an address, because validation reads local files."""
    if isinstance(product, str) and not product.strip():
        raise InvalidInputError("The path '' is empty.", remedy="Give the path of a product.")
    if is_remote(product):
        raise InvalidInputError(
            f"{parse_address(str(product))} is an address; validation reads products on this "
            "machine.",
            remedy="Download the product and give its path.",
        )
    return Path(product)


def _read_place(place: Path, profile: str | None, deep: bool, product_type: str | None) -> Subject:
    if not place.exists():
        raise NotFoundError(f"There is no {place}.", remedy="Check the path.")
    container, place = _find_product(place)
    if container == "zarr":
        (groups, arrays), version, index = read_zarr(place)
        tree, problem = _open(place, product_type)
        return Subject(
            str(place), f"zarr-v{version}", groups, arrays, place, tree, problem, profile, deep,
            index,
        )  # fmt: skip
    if container == "netcdf":
        groups, arrays = read_netcdf(place)
        tree, problem = _open(place, product_type)
        return Subject(str(place), "netcdf", groups, arrays, place, tree, problem, profile, deep)
    tree = open_product(place, product_type=product_type)
    groups, arrays = read_tree(tree)
    if container == "cog":
        groups[""]["stac_discovery"] = read_item(place / COG_MARK)
    return Subject(str(place), container, groups, arrays, place, tree, "", profile, deep)


def _find_product(place: Path) -> tuple[str, Path]:
    """Return the product's container and its path, found as on opening."""
    if place.is_dir():
        product = choose_product(place, list_names(place))
        if product is None:
            return "safe", place
        words = {"cogs": "cog", "archive": "safe"}
        return words.get(product.container, product.container), place / product.inside
    with place.open("rb") as stream:
        hdf5 = stream.read(len(HDF5)) == HDF5
    return "netcdf" if hdf5 or place.suffix.lower() in NETCDF_SUFFIXES else "safe", place


def _open(place: Path, product_type: str | None) -> tuple[xr.DataTree | None, str]:
    """Open a product; if that fails, return the reason as text."""
    try:
        return open_product(place, product_type=product_type), ""
    except InvalidInputError as error:
        return None, error.what
