"""The curves of the capacity plan: a small SVG, drawn from the figures alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from tests.scale.figures import Figure

_WIDTH, _HEIGHT = 340, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 28, 38
_COLUMNS = 2
_COLOURS = ("#1b6ca8", "#c0504d", "#4f8f4f")
_TICKS = 4
_HEADROOM = 1.25
"""Above the highest point: there stand the names of the lines."""


@dataclass(frozen=True)
class Panel:
    """One diagram.

    Attributes
    ----------
    title
        What it shows; the unit of its upright axis stands there.
    axis
        What lies on the other axis.
    part
        The part of the figures.
    lines
        Name of a figure to the name of its line.
    """

    title: str
    axis: str
    part: str
    lines: dict[str, str]


PANELS = (
    Panel(
        "Hub: processor time, s", "people with a server", "servers",
        {"spawns: CPU of the hub for each": "start of a server",
         "logins: CPU of the hub for each": "login"},
    ),
    Panel(
        "Memory, MB", "people with a server", "servers",
        {"memory of the hub": "hub", "memory of the proxy": "proxy"},
    ),
    Panel(
        "Cores, while nobody acts", "people with a server", "servers",
        {"at rest: CPU of the hub": "hub", "at rest: CPU of the database": "its database"},
    ),
    Panel(
        "An answer: processor time, ms", "replicas of the api", "apis",
        {"each another person: CPU of the apis": "api",
         "each another person: CPU of the database": "database",
         "each another person: CPU of the hub": "hub"},
    ),
    Panel(
        "A new Dask cluster: processor time, ms", "Dask clusters", "clusters",
        {"created: CPU of the kube-apiserver for each": "API server",
         "created: CPU of the gateway for each": "gateway"},
    ),
    Panel(
        "Worker's executor: memory, MB", "attempts at once", "attempts",
        {"memory of the executor": "with all at work"},
    ),
)  # fmt: skip


def draw_curves(figures: Sequence[Figure], path: Path) -> None:
    """Draw what was measured; a panel without figures is left out."""
    shown = [panel for panel in PANELS if any(_find_points(figures, panel, n) for n in panel.lines)]
    rows = -(-len(shown) // _COLUMNS)
    width, height = _COLUMNS * _WIDTH, rows * _HEIGHT
    size = f'width="{width}" height="{height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {width} {height}">',
        '<g font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for number, panel in enumerate(shown):
        x, y = number % _COLUMNS * _WIDTH, number // _COLUMNS * _HEIGHT
        lines += [f'<g transform="translate({x} {y})">', *_draw(panel, figures), "</g>"]
    path.write_text("\n".join([*lines, "</g>", "</svg>"]) + "\n")


def _find_points(figures: Sequence[Figure], panel: Panel, name: str) -> list[tuple[float, float]]:
    return sorted(
        (item.at, item.value) for item in figures if item.part == panel.part and item.name == name
    )


def _draw(panel: Panel, figures: Sequence[Figure]) -> Iterator[str]:
    found = {label: _find_points(figures, panel, name) for name, label in panel.lines.items()}
    points = [point for line in found.values() for point in line]
    right, top = (
        _round_up(max(x for x, _ in points)),
        _round_up(_HEADROOM * max(y for _, y in points)),
    )

    def place(x: float, y: float) -> tuple[float, float]:
        across = _LEFT + x / right * (_WIDTH - _LEFT - _RIGHT)
        return across, _HEIGHT - _BOTTOM - y / top * (_HEIGHT - _TOP - _BOTTOM)

    yield f'<text x="{_LEFT}" y="16" font-weight="bold">{escape(panel.title)}</text>'
    for step in range(_TICKS + 1):
        _, y = place(0, top * step / _TICKS)
        x, _ = place(right * step / _TICKS, 0)
        yield f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}" stroke="#ddd"/>'
        yield f'<text x="{_LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{_write(top, step)}</text>'
        below = _HEIGHT - _BOTTOM + 14
        yield f'<text x="{x:.1f}" y="{below}" text-anchor="middle">{_write(right, step)}</text>'
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    yield f'<text x="{middle}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(panel.axis)}</text>'
    for number, (label, line) in enumerate(found.items()):
        if not line:
            continue
        colour = _COLOURS[number]
        places = [place(*point) for point in line]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
        for x, y in places:
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'
        yield (
            f'<text x="{_WIDTH - _RIGHT - 4}" y="{_TOP + 12 + 13 * number}" text-anchor="end"'
            f' fill="{colour}">{escape(label)}</text>'
        )


def _round_up(value: float) -> float:
    """Return the next number with one digit that four steps divide well."""
    if value <= 0:
        return 1.0
    power = 10.0 ** (len(f"{value:.0f}") - 1) if value >= 1 else 10.0 ** -_count_zeros(value)
    return next(step * power for step in (1, 2, 4, 6, 8, 10) if step * power >= value)


def _count_zeros(value: float) -> int:
    """Return after how many digits behind the point a small number begins."""
    return next(digits for digits in range(1, 12) if value >= 10.0**-digits)


def _write(top: float, step: int) -> str:
    return f"{top * step / _TICKS:.3g}".replace("e+03", "000")
