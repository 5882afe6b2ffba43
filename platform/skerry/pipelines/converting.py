"""Converts a product that Skerry reads into a format that Skerry writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from skerry.core.memory import MEMORY_BYTES
from skerry.core.progress import Progress, ignore_progress
from skerry.pipelines.outputs import choose_format, refuse_inside


@dataclass(frozen=True)
class ConversionResult:
    """The result of a conversion.

    Attributes
    ----------
    path
        The written product.
    form
        Its format.
    left_out
        Paths of variables that the format cannot hold.
    missing
        Parts that the input product lacks.
    """

    path: Path
    form: str
    left_out: list[str]
    missing: list[str]


def convert_product(
    source: str | Path,
    out: Path,
    *,
    form: str | None = None,
    product_type: str | None = None,
    profile: str | None = None,
    chunk: int | None = None,
    shard: int | None = None,
    codec: str | None = None,
    progress: Progress | None = None,
    memory_bytes: int = MEMORY_BYTES,
) -> ConversionResult:
    """Read a product and write it in another format.

    Parameters
    ----------
    source
        A product on this machine, or an ``http(s)://`` or ``s3://`` address.
    out
        The file or folder to make; it is complete or absent.
    form
        What to write; by the suffix of `out` if None.
    product_type
        The product's EOPF type, if the product does not say it itself.
    profile, chunk, shard, codec, memory_bytes
        As `skerry.products.writing.write_product` takes them.
    progress
        Receives the progress.

    Raises
    ------
    NotFoundError, InvalidInputError
        If there is no product, it is damaged, the format cannot hold it, or `out` names another
        format or is inside of the product.
    ConflictError
        If `out` exists.
    """
    from skerry.products.opening import open_product
    from skerry.products.writing import write_product
    from skerry.storage.writing import check_free

    report = progress or ignore_progress
    check_free(out)
    output_format = choose_format(out, form)
    refuse_inside(out, [source])
    report(0.0, "Opening")
    tree = open_product(source, product_type=product_type)
    left_out = write_product(
        tree,
        out,
        form=output_format,
        profile=profile,
        chunk=chunk,
        shard=shard,
        codec=codec,
        memory_bytes=memory_bytes,
        progress=lambda done, name: report(done, f"Writing: {name}"),
    )
    report(1.0, "Done")
    missing = list((tree.attrs.get("other_metadata") or {}).get("missing", []))
    return ConversionResult(out, output_format, left_out, missing)
