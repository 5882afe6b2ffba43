"""`skerry simulate`: makes small products, marked as simulated."""

from pathlib import Path

import click

from skerry.cli.presenting import json_option, print_json, say, show_progress
from skerry.cli.termination import clean_up_when_told_to_end

KINDS = ("s2-l1c", "s2-l2a", "olci-efr", "olci-err", "slstr-rbt", "s1-iw-grd")
MOST_SEED = 2**32 - 1
"""Largest seed: the random generators of all sensors take 32 bits."""


@click.command()
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--size", type=int, help="Edge in pixels. [default: some hundred, by kind]")
@click.option(
    "--seed", type=click.IntRange(0, MOST_SEED), default=1, show_default=True,
    help="A number that selects the simulated place.",
)  # fmt: skip
@click.option(
    "--day",
    default="2026-05-01",
    show_default=True,
    help="Day of the overpass; it names the scene.",
)
@click.option(
    "--format", "form", type=click.Choice(("safe", "eopf-zarr")), default="safe", show_default=True,
    help="What to write.",
)  # fmt: skip
@json_option
@clean_up_when_told_to_end()
def simulate(
    *, kind: str, out: Path, size: int | None, seed: int, day: str, form: str, as_json: bool
) -> None:
    """Make a small simulated product below the folder OUT and print its path.

    With the same seed and day, all sensors see the same place and weather: sea, coast and lake with
    gradients of turbidity, chlorophyll and temperature, and clouds. The file NAME.truth.nc next to
    the product holds the true values.

    \b
    Kinds:
      s2-l1c, s2-l2a      Sentinel-2 MSI, SIZE pixels of 10 m (a multiple of 6)
      olci-efr, olci-err  Sentinel-3 OLCI, full and reduced resolution
      slstr-rbt           Sentinel-3 SLSTR
      s1-iw-grd           Sentinel-1 IW GRD, VV and VH

    \b
    Example:
      skerry simulate s2-l2a scenes --seed 7 --day 2026-05-01
      skerry import scenes/S2*.SAFE
      skerry simulate olci-efr scenes --size 240 --format eopf-zarr
    """  # noqa: D301
    from skerry.core.errors import InvalidInputError
    from skerry.core.time import parse_day
    from skerry.simulate.kinds import simulate_product

    try:
        with show_progress(kind) as progress:
            product = simulate_product(
                kind,
                out,
                day=parse_day(day),
                size=size,
                seed=seed,
                form=form,
                progress=lambda done, what: progress(done, f"Simulating: {what}"),
            )
    except OSError as error:
        raise InvalidInputError(
            f"{out} cannot be written ({error.strerror}).",
            remedy="Give a folder that you may write to.",
        ) from None
    if as_json:
        print_json({"path": str(product), "kind": kind, "seed": seed, "day": day})
    else:
        say(str(product))
