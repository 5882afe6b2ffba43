"""Outputs: chooses the format by the name, and refuses bad places."""

from collections.abc import Iterable
from pathlib import Path

from skerry.core.errors import InvalidInputError

SUFFIXES = {
    ".zarr": ("eopf-zarr", "eopf-zarr-v2", "geozarr"),
    ".nc": ("netcdf",),
    ".nc4": ("netcdf",),
    ".cogs": ("cog",),
    ".safe": (),
    ".sen3": (),
    ".zip": (),
    ".tif": (),
    ".tiff": (),
}
"""Suffixes and their possible formats; the usual format is first."""
_NAMED = ".zarr for eopf-zarr, .nc for netcdf, .cogs for cog"


def choose_format(output: Path, form: str | None) -> str:
    """Return the format of a product: the given format, or the format of the name's suffix.

    Parameters
    ----------
    output
        The file or folder to make.
    form
        A format's name; None to go by the suffix.

    Raises
    ------
    InvalidInputError
        If the suffix belongs to another format, or is unknown and no format is given.
    """
    by_suffix = SUFFIXES.get(output.suffix.lower())
    if form is None:
        if not by_suffix:
            raise InvalidInputError(
                f"The name {output.name!r} does not name a format that Skerry writes.",
                remedy=f"Give --format (key 'format'), or a name with a suffix: {_NAMED}.",
            )
        return by_suffix[0]
    if by_suffix is not None and form not in by_suffix:
        raise InvalidInputError(
            f"{output.name!r} ends in {output.suffix}, and {form} is another format.",
            remedy="Leave the format out, or name the output by it: " + _NAMED + ".",
        )
    return form


def refuse_inside(output: Path, sources: Iterable[str | Path]) -> None:
    """Refuse to write into an input product.

    Raises
    ------
    InvalidInputError
        If the output is one of the sources or inside of it, or a source has no name.
    """
    for source in sources:
        if not str(source).strip():
            raise InvalidInputError("The path to read is empty.", remedy="Name a product.")
        if "://" not in str(source) and output.resolve().is_relative_to(Path(source).resolve()):
            raise InvalidInputError(
                f"{output} is inside of {source}, which is read.", remedy="Write to another place."
            )
