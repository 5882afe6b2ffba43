"""`skerry convert`: a product in another format."""

from pathlib import Path

import click

from skerry.cli.presenting import json_option, print_json, show_progress

FORMATS = ("eopf-zarr", "eopf-zarr-v2", "geozarr", "netcdf", "cog")
PROFILES = ("2025", "cpm-2.8")


@click.command()
@click.argument("source", metavar="IN")
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(FORMATS), required=True, help="What to write.")
@click.option(
    "--profile", type=click.Choice(PROFILES), help="Profile of EOPF Zarr. [default: 2025]"
)
@click.option("--chunks", "chunk", type=int, help="Edge of a chunk in pixels. [default: as in IN]")
@click.option("--shards", "shard", type=int, help="Edge of a shard in pixels, a multiple.")
@click.option("--codec", help="zstd:3, blosc-zstd:3, gzip:5, zlib:5, none. [default: as in IN]")
@json_option
def convert(  # noqa: PLR0917 -- click hands them over by name
    source: str,
    out: Path,
    form: str,
    profile: str | None,
    chunk: int | None,
    shard: int | None,
    codec: str | None,
    as_json: bool,
) -> None:
    """Write a product in another format.

    IN is any product that Skerry reads: SAFE (folder or zip), EOPF Zarr, GeoZarr, NetCDF, a
    folder of COGs; a path, or an http(s):// or s3:// address. OUT must not exist.

    \b
    Example:
      skerry convert S2B_MSIL2A_20260501T103029.SAFE out.zarr --format eopf-zarr --profile cpm-2.8
      skerry convert https://example.org/product.zarr out.nc --format netcdf --codec zlib:5
    """  # noqa: D301
    from skerry.pipelines.converting import convert_product

    with show_progress(out.name) as progress:
        result = convert_product(
            source,
            out,
            form=form,
            profile=profile,
            chunk=chunk,
            shard=shard,
            codec=codec,
            progress=progress,
        )
    for name in result.missing:
        click.echo(f"  missing in {source.partition('?')[0]}: {name}", err=True)
    for name in result.left_out:
        click.echo(f"  left out, {form} cannot hold it: {name}", err=True)
    if as_json:
        print_json(
            {"path": str(result.path), "left_out": result.left_out, "missing": result.missing}
        )
    else:
        click.echo(str(result.path))
