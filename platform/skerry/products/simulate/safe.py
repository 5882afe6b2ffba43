"""The files of a simulated product, in SAFE form."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from affine import Affine
from PIL import Image

from skerry.products.quicklook import BRIGHTEST, GAMMA, write_caption
from skerry.products.safe.sentinel_2_angles import BANDS as _BANDS
from skerry.products.simulate.documents import write_documents
from skerry.products.simulate.landscape import Landscape
from skerry.products.simulate.naming import EPSG, LEFT_M, TOP_M, SafeNames

BANDS = tuple(one.upper() for one in _BANDS)


@dataclass(frozen=True)
class ResolutionFiles:
    """What one resolution's files hold, all ``(y, x)``."""

    bands: dict[str, npt.NDArray[np.uint16]]
    classes: npt.NDArray[Any]
    cloud: npt.NDArray[np.uint8]
    aerosol: npt.NDArray[np.uint16]
    vapour: npt.NDArray[np.uint16]


def write_safe(
    root: Path, names: SafeNames, rendered: dict[int, ResolutionFiles], landscape: Landscape
) -> None:
    """Write all files of a product below `root`."""
    images = []
    for resolution, files in rendered.items():
        numbers: dict[str, npt.NDArray[Any]] = {**files.bands}
        numbers |= {"AOT": files.aerosol, "WVP": files.vapour, "TCI": _true_colour(files.bands)}
        if resolution > 10:  # noqa: PLR2004 -- as in real products
            numbers["SCL"] = files.classes
            probability = files.cloud
            _write_jp2(root / f"{names.mask(f'CLDPRB_{resolution}m')}.jp2", probability, resolution)
            snow = np.zeros_like(probability)
            _write_jp2(root / f"{names.mask(f'SNWPRB_{resolution}m')}.jp2", snow, resolution)
        for what, values in numbers.items():
            _write_jp2(root / f"{names.image(what, resolution)}.jp2", values, resolution)
            images.append(names.image(what, resolution))
    _write_masks(root, names, rendered)
    _write_preview(root, names, rendered[60])
    edges = {resolution: files.classes.shape[0] for resolution, files in rendered.items()}
    write_documents(root, names, edges, images, landscape)


def _write_jp2(path: Path, values: npt.NDArray[Any], resolution: int) -> None:
    import rasterio

    path.parent.mkdir(parents=True, exist_ok=True)
    planes = values if values.ndim == 3 else values[np.newaxis]  # noqa: PLR2004 -- band, y, x
    with rasterio.open(
        path, "w", driver="JP2OpenJPEG", count=planes.shape[0], height=planes.shape[1],
        width=planes.shape[2], dtype=planes.dtype.name, crs=f"EPSG:{EPSG}",
        transform=Affine(resolution, 0, LEFT_M, 0, -resolution, TOP_M),
        QUALITY="100", REVERSIBLE="YES", YCBCR420="NO",
    ) as sink:  # fmt: skip
        sink.write(planes)


def _true_colour(bands: dict[str, npt.NDArray[np.uint16]]) -> npt.NDArray[np.uint8]:
    stack = np.stack([bands[name] for name in ("B04", "B03", "B02")]).astype(np.float32)
    reflectance = np.clip((stack - 1000) / 10_000 / BRIGHTEST, 0, 1)
    colours = 1 + reflectance ** (1 / GAMMA) * 254
    return np.where((stack > 0).all(axis=0), colours, 0).astype(np.uint8)


def _write_masks(root: Path, names: SafeNames, rendered: dict[int, ResolutionFiles]) -> None:
    """Write footprints of one detector, quality masks and the L1C classification."""
    home = {10: ("B02", "B03", "B04", "B08"), 60: ("B01", "B09", "B10")}
    home[20] = tuple(band for band in BANDS if band not in home[10] + home[60])
    for resolution, bands in home.items():
        classes = rendered[resolution].classes
        detector = np.where(classes == 0, 0, 6).astype(np.uint8)
        quality = np.zeros((8, *classes.shape), np.uint8)
        quality[5] = classes == 0
        for what, values in {"DETFOO": detector, "QUALIT": quality}.items():
            first, *others = (root / f"{names.mask(f'{what}_{band}')}.jp2" for band in bands)
            _write_jp2(first, values, resolution)
            for other in others:
                shutil.copyfile(first, other)
    classes = rendered[60].classes
    cloudy = np.stack([classes == 9, classes == 10, classes == 11]).astype(np.uint8)  # noqa: PLR2004
    _write_jp2(root / f"{names.mask('CLASSI_B00')}.jp2", cloudy, 60)


def _write_preview(root: Path, names: SafeNames, files: ResolutionFiles) -> None:
    """Write the preview with SIMULATED drawn in, as JPEG 2000 and as the browse image."""
    image = Image.fromarray(np.moveaxis(_true_colour(files.bands), 0, -1)).resize((343, 343))
    image = image.convert("RGBA")
    write_caption(image)
    opaque = image.convert("RGB")
    folder = root / "GRANULE" / names.granule / "QI_DATA"
    planes = np.moveaxis(np.asarray(opaque), -1, 0)
    _write_jp2(folder / f"{names.tile}_{names.sensed}_PVI.jp2", planes, 320)
    opaque.save(root / f"{names.product.removesuffix('.SAFE')}-ql.jpg", quality=85)
