"""Options for the products that commands write: format and memory."""

from collections.abc import Sequence

import click

from skerry.cli.presenting import say
from skerry.core.memory import parse_memory
from skerry.core.wording import FEW, shorten

FORMATS = ("eopf-zarr", "eopf-zarr-v2", "geozarr", "netcdf", "cog")
PROFILES = ("2025", "cpm-2.8")

format_option = click.option(
    "--format", "form", type=click.Choice(FORMATS),
    help="Output format. [default: by OUT's suffix: .zarr eopf-zarr, .nc netcdf, .cogs cog]",
)  # fmt: skip
type_option = click.option(
    "--type", "product_type", metavar="TYPE",
    help="The product's type, such as S02MSIL2A, if the product does not say it itself.",
)  # fmt: skip
memory_option = click.option(
    "--memory", "memory_bytes", default="1GB", show_default=True, metavar="AMOUNT",
    callback=lambda _context, _option, text: parse_memory(text),
    help="Approximate memory limit for writing, in addition to the program's own memory.",
)  # fmt: skip


def say_left_out(what: str, names: Sequence[str], *, verbose: bool) -> None:
    """Write the names of missing variables to standard error: the first few, or all."""
    if not names:
        return
    if verbose:
        for name in names:
            say(f"  {what}: {name}", err=True)
        return
    more = " (-v names all)" if len(names) > FEW else ""
    say(f"  {what}: {shorten(names)}{more}", err=True)
