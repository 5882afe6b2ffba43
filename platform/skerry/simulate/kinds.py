"""All kinds of simulated products by name, in SAFE form or as EOPF Zarr."""

import tempfile
from dataclasses import dataclass, field
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Any

from skerry.core.errors import ConflictError, InvalidInputError
from skerry.core.progress import Progress

FORMS = ("safe", "eopf-zarr")
MOST_SEED = 2**32 - 1
_SIMULATED = 0.6
"""Share of the work for the SAFE if a Zarr is written from it."""


@dataclass(frozen=True)
class Simulation:
    """A kind of simulated product.

    Attributes
    ----------
    title
        What the kind is, for people.
    size
        Default edge of the picture, and the unit in which it counts.
    module, function
        The function that makes it: ``function(out, size=, seed=, day=, progress=, **arguments)``.
    arguments
        Further arguments of the kind.
    """

    title: str
    size: tuple[int, str]
    module: str
    function: str
    arguments: dict[str, Any] = field(default_factory=dict)


SIMULATIONS = {
    "s2-l1c": Simulation(
        "Sentinel-2 MSI Level-1C: top-of-atmosphere reflectance",
        (1098, "pixels of 10 m, a multiple of 6"), "sentinel_2.product", "simulate_s2_l1c",
    ),
    "s2-l2a": Simulation(
        "Sentinel-2 MSI Level-2A: surface reflectance and scene classes",
        (1098, "pixels of 10 m, a multiple of 6"), "sentinel_2.product", "simulate_s2_l2a",
    ),
    "olci-efr": Simulation(
        "Sentinel-3 OLCI Level-1 full resolution: radiance",
        (513, "pixels of 300 m"), "olci.product", "simulate_olci", {"kind": "efr"},
    ),
    "olci-err": Simulation(
        "Sentinel-3 OLCI Level-1 reduced resolution: radiance",
        (513, "pixels of 1.2 km"), "olci.product", "simulate_olci", {"kind": "err"},
    ),
    "slstr-rbt": Simulation(
        "Sentinel-3 SLSTR Level-1: radiance and brightness temperature",
        (600, "pixels of 500 m"), "slstr.product", "simulate_slstr_rbt",
    ),
    "s1-iw-grd": Simulation(
        "Sentinel-1 IW GRD: backscatter in VV and VH",
        (1024, "pixels of 10 m"), "sentinel_1.product", "simulate_s1_iw_grd",
    ),
}  # fmt: skip
"""The simulations by kind."""


def simulate_product(
    kind: str,
    out: Path | str,
    *,
    day: date | str,
    size: int | None = None,
    seed: int = 1,
    form: str = "safe",
    progress: Progress | None = None,
) -> Path:
    """Make a simulated product of any kind below the folder `out`.

    Parameters
    ----------
    kind
        A key of `SIMULATIONS`.
    out
        The folder in which the product is made, with ``<name>.truth.nc`` beside it.
    day
        The day of the overpass.
    size
        Edge of the picture in the kind's pixels.
    seed
        The place, 0 to `MOST_SEED`.
    form
        One of `FORMS`.
    progress
        Called with the finished fraction and the name of the current step.

    Returns
    -------
    pathlib.Path
        The product.

    Raises
    ------
    InvalidInputError
        If the kind, form or seed is unknown, or the kind does not accept the size or the day.
    ConflictError
        If the product exists already.
    """
    if kind not in SIMULATIONS or form not in FORMS:
        raise InvalidInputError(
            f"There is no simulation {kind!r} in the form {form!r}.",
            remedy=f"Kinds are {', '.join(SIMULATIONS)}; forms {', '.join(FORMS)}.",
        )
    if not 0 <= seed <= MOST_SEED:
        raise InvalidInputError(
            f"The seed is {seed}.", remedy=f"Give a whole number from 0 to {MOST_SEED}."
        )
    simulation = SIMULATIONS[kind]
    module = import_module(f"skerry.simulate.{simulation.module}")
    arguments = simulation.arguments | {
        "size": simulation.size[0] if size is None else size,
        "seed": seed,
        "day": day,
    }
    make = getattr(module, simulation.function)
    if form == "safe":
        return Path(make(out, **arguments, progress=progress))
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".simulating-") as aside:
        safe = Path(make(aside, **arguments, progress=_part(progress, 0.0, _SIMULATED)))
        return _write_zarr(safe, folder, _part(progress, _SIMULATED, 1.0))


def _write_zarr(safe: Path, folder: Path, progress: Progress | None) -> Path:
    from skerry.products.eopf.writing import write_eopf_zarr
    from skerry.products.opening import open_product

    target = folder / f"{safe.stem}.zarr"
    if target.exists():
        raise ConflictError(f"{target} exists already.", remedy="Choose another folder or day.")
    write_eopf_zarr(open_product(safe), target, progress=progress)
    truth = safe.with_name(f"{safe.stem}.truth.nc")
    truth.replace(folder / truth.name)
    return target


def _part(progress: Progress | None, start: float, stop: float) -> Progress | None:
    if progress is None:
        return None
    return lambda done, what: progress(start + (stop - start) * done, what)
