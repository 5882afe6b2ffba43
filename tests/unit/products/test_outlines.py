import pytest
from shapely.geometry import MultiPolygon, box, mapping

from skerry.core.errors import InvalidInputError
from skerry.products.outlines import bound_geometry


def test_bounds_of_one_part_and_of_several() -> None:
    parts = MultiPolygon([box(-9, 52, -8, 53), box(1, 50, 2, 51)])
    assert bound_geometry(mapping(box(-9, 52, -8, 53))) == [-9, 52, -8, 53]
    assert bound_geometry(mapping(parts)) == [-9, 50, 2, 53]


def test_bounds_across_the_antimeridian_do_not_go_around_the_world() -> None:
    parts = MultiPolygon(
        [box(179, 63, 180, 64), box(-180, 63, -178.5, 65), box(178, 63, 178.5, 64)]
    )
    assert bound_geometry(mapping(parts)) == [178, 63, -178.5, 65]


def test_bounds_of_the_world_stay() -> None:
    assert bound_geometry(mapping(box(-180, -80, 180, 80))) == [-180, -80, 180, 80]


def test_an_empty_geometry_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="no valid pixel"):
        bound_geometry({"type": "Polygon", "coordinates": []})
