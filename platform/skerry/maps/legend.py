"""The legend of a variable: its label, its units, its colours with their values."""

import io
import math
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw
from PIL.ImageFont import FreeTypeFont

from skerry.maps.colour import Style, make_palette
from skerry.maps.lettering import open_font

_WIDTH, _MARGIN, _TEXT = 300, 12, 12
_BAR_HEIGHT, _ROW_HEIGHT = 14, 18
_CLASS_INDENT = 32
_CLASS_WIDTH = _WIDTH - 2 * _MARGIN - _CLASS_INDENT
_TICKS = 5
_INK, _QUIET, _WARNING = (38, 50, 56), (84, 98, 106), (160, 60, 20)


@lru_cache(maxsize=256)
def draw_legend(label: str, units: str, style: Style, *, simulated: bool = False) -> bytes:
    """Return a legend as an opaque RGB PNG, 300 pixels wide.

    Parameters
    ----------
    label
        Name of the variable for people, such as ``Turbidity``.
    units
        Its units; ``1`` and an empty text both mean that it has none.
    simulated
        Whether the picture says that the data are simulated.
    """
    title = label if style.categories else f"{label} ({describe_units(units)})"
    lines = _wrap(title, open_font(_TEXT, bold=True), _WIDTH - 2 * _MARGIN)
    rows = [_wrap(category.meaning, open_font(_TEXT - 1), _CLASS_WIDTH)
            for category in style.categories]  # fmt: skip
    body = _ROW_HEIGHT * sum(map(len, rows)) if rows else _BAR_HEIGHT + 22
    top = _MARGIN + len(lines) * _ROW_HEIGHT + (_ROW_HEIGHT if simulated else 0)
    picture = Image.new("RGB", (_WIDTH, top + 4 + body + _MARGIN // 2), (255, 255, 255))
    draw = ImageDraw.Draw(picture)
    for at, line in enumerate(lines):
        draw.text((_MARGIN, 8 + at * _ROW_HEIGHT), line, _INK, open_font(_TEXT, bold=True))
    if simulated:
        draw.text(
            (_MARGIN, 8 + len(lines) * _ROW_HEIGHT), "SIMULATED data", _WARNING, open_font(_TEXT)
        )
    if rows:
        _draw_classes(draw, style, rows, top)
    else:
        _draw_bar(picture, draw, style, top)
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def describe_units(units: str) -> str:
    """Return units for people; never an empty text."""
    return units if units.strip() not in ("", "1") else "no unit"


def _draw_bar(picture: Image.Image, draw: ImageDraw.ImageDraw, style: Style, top: int) -> None:
    width = _WIDTH - 2 * _MARGIN
    colours = make_palette(style)[1 + np.arange(width) * 255 // width]
    bar = np.broadcast_to(colours, (_BAR_HEIGHT, width, 3))
    picture.paste(Image.fromarray(np.ascontiguousarray(bar)), (_MARGIN, top))
    font = open_font(_TEXT - 1)
    for at in range(_TICKS):
        share = at / (_TICKS - 1)
        x = _MARGIN + round(share * (width - 1))
        value = _spell_tick(style.minimum + share * (style.maximum - style.minimum), style)
        anchor = "la" if at == 0 else "ra" if at == _TICKS - 1 else "ma"
        draw.line([(x, top + _BAR_HEIGHT), (x, top + _BAR_HEIGHT + 3)], _QUIET)
        draw.text((x, top + _BAR_HEIGHT + 5), value, _QUIET, font, anchor=anchor)


def _spell_tick(value: float, style: Style) -> str:
    """Return a value with enough digits to distinguish the ticks of a legend."""
    step = (style.maximum - style.minimum) / (_TICKS - 1)
    decimals = 2 - math.floor(math.log10(step))
    whole = math.floor(math.log10(max(abs(style.minimum), abs(style.maximum)))) + 1
    exact = round(value, decimals) + 0.0  # no -0, and no 5.6e-17 for zero
    return f"{exact:.{max(4, whole + decimals - 1)}g}"


def _draw_classes(draw: ImageDraw.ImageDraw, style: Style, rows: list[list[str]], top: int) -> None:
    palette, font, y = make_palette(style), open_font(_TEXT - 1), top
    for at, lines in enumerate(rows):
        colour = tuple(int(part) for part in palette[at + 1])
        draw.rectangle([_MARGIN, y, _MARGIN + 22, y + 12], fill=colour, outline=_QUIET)
        for line in lines:
            draw.text((_MARGIN + _CLASS_INDENT, y - 1), line, _INK, font)
            y += _ROW_HEIGHT


def _wrap(text: str, font: FreeTypeFont, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
