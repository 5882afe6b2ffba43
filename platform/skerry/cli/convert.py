"""`skerry convert`: a product in another format."""

from pathlib import Path

import click

from skerry.cli.outputs import PROFILES, format_option, memory_option, say_left_out, type_option
from skerry.cli.presenting import json_option, print_json, say, show_progress
from skerry.cli.termination import clean_up_when_told_to_end


@click.command()
@click.argument("source", metavar="IN")
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@format_option
@type_option
@click.option(
    "--profile", type=click.Choice(PROFILES), help="Profile of EOPF Zarr. [default: 2025]"
)
@click.option("--chunks", "chunk", type=int, help="Edge of a chunk in pixels. [default: as in IN]")
@click.option("--shards", "shard", type=int, help="Edge of a shard in pixels, a multiple.")
@click.option("--codec", help="zstd:3, blosc-zstd:3, gzip:5, zlib:5, none. [default: as in IN]")
@memory_option
@click.option("-v", "--verbose", is_flag=True, help="Name every variable that is left out.")
@json_option
@clean_up_when_told_to_end()
def convert(
    *,
    source: str,
    out: Path,
    form: str | None,
    product_type: str | None,
    profile: str | None,
    chunk: int | None,
    shard: int | None,
    codec: str | None,
    memory_bytes: int,
    verbose: bool,
    as_json: bool,
) -> None:
    """Write a product in another format.

    IN is any product that Skerry reads: SAFE (folder or zip), EOPF Zarr, GeoZarr, NetCDF, a
    folder of COGs; a path, or an http(s):// or s3:// address. OUT must not exist.

    \b
    Example:
      skerry convert S2B_MSIL2A_20260501T103029.SAFE out.zarr --profile cpm-2.8
      skerry convert https://example.org/product.zarr out.nc --codec zlib:5
    """  # noqa: D301
    from skerry.pipelines.converting import convert_product

    with show_progress(out.name) as progress:
        result = convert_product(
            source,
            out,
            form=form,
            product_type=product_type,
            profile=profile,
            chunk=chunk,
            shard=shard,
            codec=codec,
            memory_bytes=memory_bytes,
            progress=progress,
        )
    say_left_out(f"missing in {source.partition('?')[0]}", result.missing, verbose=verbose)
    say_left_out(f"left out, {result.form} cannot hold", result.left_out, verbose=verbose)
    if as_json:
        answer = {"path": str(out), "format": result.form}
        print_json(answer | {"left_out": result.left_out, "missing": result.missing})
    else:
        say(str(result.path))
