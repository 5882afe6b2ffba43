"""Fonts: DejaVu Sans, which comes with matplotlib and has superscripts and degree signs."""

from functools import lru_cache
from pathlib import Path

from PIL import ImageFont


@lru_cache(maxsize=16)
def open_font(pixels: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Return DejaVu Sans at a height in pixels."""
    import matplotlib as mpl

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(mpl.get_data_path()) / "fonts/ttf" / name, pixels)
