"""The metadata documents of a simulated product."""

from pathlib import Path
from string import Template

from skerry.products.safe.sentinel_2_angles import BANDS as _BANDS
from skerry.products.simulate.landscape import Landscape
from skerry.products.simulate.naming import BASELINE, EPSG, LEFT_M, RELATIVE_ORBIT, TOP_M, SafeNames
from skerry.products.simulate.optics import BAND_OPTICS

BANDS = tuple(one.upper() for one in _BANDS)
ANGLE_NODES = 3


def write_documents(
    root: Path, names: SafeNames, edges: dict[int, int], images: list[str], landscape: Landscape
) -> None:
    """Write the metadata documents.

    Parameters
    ----------
    root
        The product's folder.
    names
        The product's names.
    edges
        Resolution in metres to pixels a side.
    images
        Paths of the images, without ``.jp2``.
    landscape
        For the shares of cloud and of pixels without data.
    """
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
        "ring": _ring(edges[10]),
        **_describe_grids(edges),
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


def _describe_grids(edges: dict[int, int]) -> dict[str, str]:
    sizes = [
        f'<Size resolution="{resolution}"><NROWS>{edge}</NROWS><NCOLS>{edge}</NCOLS></Size>'
        for resolution, edge in edges.items()
    ]
    corners = [
        f'<Geoposition resolution="{resolution}"><ULX>{LEFT_M}</ULX><ULY>{TOP_M}</ULY>'
        f"<XDIM>{resolution}</XDIM><YDIM>-{resolution}</YDIM></Geoposition>"
        for resolution in edges
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
