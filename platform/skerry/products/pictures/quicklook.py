"""Quicklooks: small pictures of products, with a label if a product is simulated."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from skerry.core.errors import InvalidInputError
from skerry.products.coding.true_colour import find_bands
from skerry.products.grids import list_rasters
from skerry.storage.writing import make_aside

EDGE = 512
"""Longest side of a quicklook in pixels."""
BRIGHTEST = 0.25
"""Reflectance that is drawn white; for radiance it is the band's ``display_max``."""
GAMMA = 1.8
CAPTION = "SIMULATED"


def write_quicklook(
    product: xr.DataTree | xr.Dataset,
    path: Path | str,
    *,
    simulated: bool | None = None,
    drawn_first: Sequence[str] = (),
) -> None:
    """Write a PNG of at most 512 pixels a side.

    Parameters
    ----------
    product
        A tree with the bands of true colour of Sentinel-2 or OLCI, or a tree or dataset whose
        first variable ``(y, x)`` is drawn in its ``colormap`` between ``display_min`` and
        ``display_max``, else between its 2nd and 98th percentile.
    path
        The file to write; it appears when complete, and replaces a file that is there.
    simulated
        Whether to draw SIMULATED over it; by default what the product's attributes say.
    drawn_first
        Names of variables that are drawn rather than the first, in this order.

    Raises
    ------
    InvalidInputError
        If there is nothing to draw.
    """
    datasets = [product] if isinstance(product, xr.Dataset) else _by_size(product)
    coloured = next((dataset for dataset in datasets if find_bands(dataset.data_vars)), None)
    if coloured is not None:
        image = _draw_true_colour([coloured[name] for name in find_bands(coloured.data_vars)])
    else:
        image = _draw_palette(_choose_variable(datasets, drawn_first))
    image.thumbnail((EDGE, EDGE))
    if _is_simulated(product) if simulated is None else simulated:
        write_caption(image)
    with make_aside(Path(path), replace=True) as aside:
        image.save(aside, "PNG", optimize=True)


def _by_size(product: xr.DataTree) -> list[xr.Dataset]:
    """Return the rasters; the smallest that is large enough for a quicklook comes first."""
    rasters = [item for _, item in list_rasters(product)]
    return sorted(rasters, key=lambda item: (item.sizes["x"] < EDGE, abs(item.sizes["x"] - EDGE)))


def _is_simulated(product: xr.DataTree | xr.Dataset) -> bool:
    other = product.attrs.get("other_metadata", {})
    return bool(product.attrs.get("simulated", other.get("simulated", False)))


def _choose_variable(datasets: list[xr.Dataset], drawn_first: Sequence[str]) -> xr.DataArray:
    for name in drawn_first:
        for data in datasets:
            if name in data.data_vars and data[name].dims == ("y", "x"):
                return data[name]
    for data in datasets:
        for variable in data.data_vars.values():
            if variable.dims == ("y", "x"):
                return variable
    raise InvalidInputError(
        "The product has no variable (y, x) to draw.", remedy="Give a product with a raster."
    )


def _thin(variable: xr.DataArray) -> npt.NDArray[Any]:
    """Return every n-th pixel, so that the longer side is less than twice `EDGE`."""
    step = max(1, max(variable.sizes["y"], variable.sizes["x"]) // EDGE)
    return variable.isel(y=slice(step // 2, None, step), x=slice(step // 2, None, step)).to_numpy()


def _draw_true_colour(colours: list[xr.DataArray]) -> Image.Image:
    bands = np.stack([_thin(band) for band in colours], axis=-1)
    valid = np.isfinite(bands).all(axis=-1)
    white = np.array([_find_white(band) for band in colours])
    bright = np.clip(np.nan_to_num(bands) / white, 0, 1) ** (1 / GAMMA)
    alpha = np.where(valid, 255, 0)[..., np.newaxis]
    return Image.fromarray(np.concatenate([bright * 255, alpha], -1).astype(np.uint8), "RGBA")


def _find_white(band: xr.DataArray) -> float:
    if band.attrs.get("units", "1") == "1":
        return BRIGHTEST
    return float(band.attrs.get("display_max", band.max()))


def _draw_palette(variable: xr.DataArray) -> Image.Image:
    from matplotlib import colormaps

    values = _thin(variable)
    if "flag_colors" in variable.attrs:
        return _draw_classes(values, variable)
    finite = values[np.isfinite(values)]
    low, high = np.percentile(finite, (2, 98)) if finite.size else (0.0, 1.0)
    low = variable.attrs.get("display_min", low)
    high = variable.attrs.get("display_max", high)
    scaled = (values - low) / max(high - low, 1e-12)
    colours = colormaps[variable.attrs.get("colormap", "viridis")](np.nan_to_num(scaled))
    colours[..., 3] = np.isfinite(values)
    return Image.fromarray((colours * 255).astype(np.uint8), "RGBA")


def _draw_classes(values: npt.NDArray[Any], variable: xr.DataArray) -> Image.Image:
    table = np.zeros((256, 4), np.uint8)
    colours = str(variable.attrs["flag_colors"]).split()
    for value, colour in zip(variable.attrs["flag_values"], colours, strict=True):
        table[int(value)] = (*bytes.fromhex(colour.removeprefix("#")), 255)
    return Image.fromarray(table[values.astype(np.uint8)], "RGBA")


def caption_file(path: Path) -> None:
    """Draw SIMULATED over a picture file."""
    with Image.open(path) as picture:
        image = picture.convert("RGBA")
        text = dict(getattr(picture, "text", {}))
    write_caption(image)
    metadata = PngInfo()
    for name, value in text.items():
        metadata.add_text(name, value)
    with make_aside(path, replace=True) as aside:
        image.save(aside, "PNG", pnginfo=metadata)


def write_caption(image: Image.Image) -> None:
    """Draw SIMULATED along the lower edge of an RGBA image."""
    size = max(12, image.width // 10)
    font = ImageFont.load_default(size)
    ImageDraw.Draw(image).text(
        (image.width / 2, image.height - size),
        CAPTION,
        font=font,
        anchor="ms",
        fill=(255, 255, 255, 255),
        stroke_width=2,
        stroke_fill=(160, 0, 0, 255),
    )
