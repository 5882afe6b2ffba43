"""`skerry simulate`: small products made here, marked as simulated."""

from pathlib import Path

import click


@click.group()
def simulate() -> None:
    """Make small simulated products.

    \b
    Example:
      skerry simulate s2-l2a scenes --seed 7 --day 2026-05-01
    """  # noqa: D301


@simulate.command("s2-l2a")
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--size", default=1098, show_default=True, help="Edge in pixels of 10 m.")
@click.option("--seed", default=1, show_default=True, help="Another seed, another place.")
@click.option(
    "--day",
    default="2026-05-01",
    show_default=True,
    help="Day of the overpass; it names the scene.",
)
def simulate_s2_l2a(out: Path, size: int, seed: int, day: str) -> None:
    """Make a Sentinel-2 L2A scene (SAFE) below the folder OUT and print its path.

    A lake and a coast with gradients of turbidity and chlorophyll, and clouds.

    \b
    Example:
      skerry simulate s2-l2a scenes --seed 7 --day 2026-05-01
      skerry import scenes/S2*.SAFE
    """  # noqa: D301
    from skerry.core.errors import InvalidInputError
    from skerry.core.time import parse_day
    from skerry.products.simulate import simulate_s2_l2a as make

    try:
        scene = make(out, size=size, seed=seed, day=parse_day(day))
    except OSError as error:
        raise InvalidInputError(
            f"{out} cannot be written ({error.strerror}).",
            remedy="Name a folder that you may write.",
        ) from None
    click.echo(str(scene))
