"""The SAFE container of a simulated product: files, folders and metadata documents."""

import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import numpy.typing as npt
from affine import Affine
from PIL import Image

from skerry.products.quicklook import BRIGHTEST, GAMMA, write_caption
from skerry.products.safe_metadata import BANDS
from skerry.products.simulate.landscape import Landscape
from skerry.products.simulate.optics import BAND_OPTICS

LEFT_M = 399_960
TOP_M = 6_000_000
EPSG = 32633
BASELINE = "05.11"
RELATIVE_ORBIT = 22
ABSOLUTE_ORBIT = 50_000
ANGLE_NODES = 3


@dataclass(frozen=True)
class SafeNames:
    """The names in a product, all from moment and tile."""

    moment: datetime
    tile: str

    @property
    def sensed(self) -> str:
        """The time of sensing as names write it."""
        return f"{self.moment:%Y%m%dT%H%M%S}"

    @property
    def generated(self) -> datetime:
        """A plausible time of processing; the real one would change the bytes."""
        return self.moment + timedelta(hours=3, minutes=38, seconds=59)

    @property
    def product(self) -> str:
        """The product's folder."""
        baseline = BASELINE.replace(".", "")
        return (
            f"S2A_MSIL2A_{self.sensed}_N{baseline}_R{RELATIVE_ORBIT:03d}_{self.tile}_"
            f"{self.generated:%Y%m%dT%H%M%S}_SIM.SAFE"
        )

    @property
    def granule(self) -> str:
        """The granule's folder."""
        return f"L2A_{self.tile}_A{ABSOLUTE_ORBIT:06d}_{self.sensed}"

    def image(self, what: str, resolution: int) -> str:
        """Return the path of one image below the product, without ``.jp2``."""
        folder = f"GRANULE/{self.granule}/IMG_DATA/R{resolution}m"
        return f"{folder}/{self.tile}_{self.sensed}_{what}_{resolution}m"

    def mask(self, what: str) -> str:
        """Return the path of one quality file below the product."""
        return f"GRANULE/{self.granule}/QI_DATA/MSK_{what}"


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
    _write_documents(root, names, rendered, images, landscape)


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


def _write_documents(
    root: Path,
    names: SafeNames,
    rendered: dict[int, ResolutionFiles],
    images: list[str],
    landscape: Landscape,
) -> None:
    values = {
        "product": names.product,
        "granule": names.granule,
        "tile": names.tile,
        "tile_code": names.tile.removeprefix("T"),
        "moment": f"{names.moment:%Y-%m-%dT%H:%M:%S}.000Z",
        "generated": f"{names.generated:%Y-%m-%dT%H:%M:%S}.000000Z",
        "sensed": names.sensed,
        "baseline": BASELINE,
        "orbit": str(RELATIVE_ORBIT),
        "epsg": str(EPSG),
        "cloud": f"{100 * float((landscape.cloud | landscape.cirrus).mean()):.6f}",
        "nodata": f"{100 * float(landscape.nodata.mean()):.6f}",
        "images": "\n".join(f"<IMAGE_FILE>{one}</IMAGE_FILE>" for one in images),
        "offsets": _each_band('<BOA_ADD_OFFSET band_id="{id}">-1000</BOA_ADD_OFFSET>'),
        "spectral": _each_band(
            '<Spectral_Information bandId="{id}" physicalBand="{physical}"><Wavelength>'
            '<CENTRAL unit="nm">{nm}</CENTRAL></Wavelength></Spectral_Information>'
        ),
        "ring": _ring(rendered[10].classes.shape[0]),
        **_describe_grids(rendered),
        **_describe_angles(),
    }
    template = Path(__file__).parent / "templates"
    for name, place in {
        "MTD_MSIL2A.xml": "MTD_MSIL2A.xml",
        "manifest.safe": "manifest.safe",
        "MTD_TL.xml": f"GRANULE/{names.granule}/MTD_TL.xml",
        "MTD_DS.xml": f"DATASTRIP/DS_SIMU_{names.sensed}/MTD_DS.xml",
    }.items():
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        text = Template((template / name).read_text("utf-8")).substitute(values)
        (root / place).write_text(text, "utf-8")


def _each_band(pattern: str) -> str:
    return "\n".join(
        pattern.format(
            id=number,
            physical=f"B{band[1:].lstrip('0')}",
            nm=BAND_OPTICS[band].wavelength_nm if band in BAND_OPTICS else 1373.5,
        )
        for number, band in enumerate(BANDS)
    )


def _ring(size: int) -> str:
    from pyproj import Transformer

    side = 10 * size
    corners = [(0, 0), (side, 0), (side, -side), (0, -side), (0, 0)]
    transformer = Transformer.from_crs(EPSG, 4326, always_xy=True)
    points = [transformer.transform(LEFT_M + east, TOP_M + north) for east, north in corners]
    return " ".join(f"{latitude:.9f} {longitude:.9f}" for longitude, latitude in points)


def _describe_grids(rendered: dict[int, ResolutionFiles]) -> dict[str, str]:
    sizes = [
        f'<Size resolution="{resolution}"><NROWS>{files.classes.shape[0]}</NROWS>'
        f"<NCOLS>{files.classes.shape[1]}</NCOLS></Size>"
        for resolution, files in rendered.items()
    ]
    corners = [
        f'<Geoposition resolution="{resolution}"><ULX>{LEFT_M}</ULX><ULY>{TOP_M}</ULY>'
        f"<XDIM>{resolution}</XDIM><YDIM>-{resolution}</YDIM></Geoposition>"
        for resolution in rendered
    ]
    return {"grids": "\n".join(sizes + corners)}


def _describe_angles() -> dict[str, str]:
    def grid(zenith: float, azimuth: float) -> str:
        parts = []
        for name, value in (("Zenith", zenith), ("Azimuth", azimuth)):
            row = " ".join([f"{value:.4f}"] * ANGLE_NODES)
            rows = "".join(f"<VALUES>{row}</VALUES>" for _ in range(ANGLE_NODES))
            parts.append(
                f'<{name}><COL_STEP unit="m">5000</COL_STEP><ROW_STEP unit="m">5000</ROW_STEP>'
                f"<Values_List>{rows}</Values_List></{name}>"
            )
        return "".join(parts)

    views = "\n".join(
        f'<Viewing_Incidence_Angles_Grids bandId="{number}" detectorId="6">{grid(4.2, 105.0)}'
        "</Viewing_Incidence_Angles_Grids>"
        for number in range(len(BANDS))
    )
    means = "\n".join(
        f'<Mean_Viewing_Incidence_Angle bandId="{number}"><ZENITH_ANGLE unit="deg">4.2'
        '</ZENITH_ANGLE><AZIMUTH_ANGLE unit="deg">105.0</AZIMUTH_ANGLE>'
        "</Mean_Viewing_Incidence_Angle>"
        for number in range(len(BANDS))
    )
    return {"sun": grid(39.5, 162.0), "views": views, "mean_views": means}
