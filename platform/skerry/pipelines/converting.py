"""Converting: any product that opens, into any format that is written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from skerry.core.errors import InvalidInputError
from skerry.pipelines.downloads import Progress


@dataclass(frozen=True)
class ConversionResult:
    """What a conversion came to.

    Attributes
    ----------
    path
        What was written.
    left_out
        Paths of variables that the format cannot hold.
    missing
        What the product lacked to begin with.
    """

    path: Path
    left_out: list[str]
    missing: list[str]


def convert_product(
    source: str | Path,
    out: Path,
    *,
    form: str,
    profile: str | None = None,
    chunk: int | None = None,
    shard: int | None = None,
    codec: str | None = None,
    progress: Progress | None = None,
) -> ConversionResult:
    """Read a product and write it in another format.

    Parameters
    ----------
    source
        A product on this machine, or an ``http(s)://`` or ``s3://`` address.
    out
        The file or folder to make; it is complete or absent.
    form, profile, chunk, shard, codec
        As `skerry.products.writing.write_product` takes them.
    progress
        Told what is being done and how far it is.

    Raises
    ------
    NotFoundError, InvalidInputError
        If there is no product, it is damaged, or the format cannot hold it.
    ConflictError
        If `out` exists.
    """
    from skerry.products import open_product
    from skerry.products.writing import write_product
    from skerry.storage.writing import check_free

    report = progress or _ignore
    check_free(out)
    _refuse_inside(source, out)
    report("Opening", 0.0)
    tree = open_product(source)
    left_out = write_product(
        tree,
        out,
        form=form,
        profile=profile,
        chunk=chunk,
        shard=shard,
        codec=codec,
        progress=lambda done, _name: report("Writing", done),
    )
    report("Done", 1.0)
    missing = list((tree.attrs.get("other_metadata") or {}).get("missing", []))
    return ConversionResult(out, left_out, missing)


def _refuse_inside(source: str | Path, out: Path) -> None:
    """Refuse to write into the product that is read."""
    if "://" not in str(source) and out.resolve().is_relative_to(Path(source).resolve()):
        raise InvalidInputError(
            f"{out} is inside of {source}, which is read.", remedy="Write to another place."
        )


def _ignore(_what: str, _done: float) -> None:
    """Report to nobody."""
