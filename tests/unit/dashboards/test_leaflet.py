"""Where the map looks, and that it asks nobody but the platform."""

import pytest

from skerry.dashboards.leaflet import fit_zoom, make_layer, make_map, show_whole


@pytest.mark.parametrize(
    ("bbox", "zoom"),
    [
        ((-180.0, -85.0, 180.0, 85.0), 1),
        ((13.4, 54.04, 13.6, 54.14), 12),
        ((13.0, 54.0, 13.0, 54.0), 18),  # a point
        ((10.0, 80.0, 11.0, 90.0), 4),  # up to the pole, where Mercator ends
    ],
)
def test_a_product_is_seen_whole(bbox: tuple[float, float, float, float], zoom: int):
    assert fit_zoom(bbox) == zoom


def test_map_and_layer_come_from_the_platform():
    leaflet = make_map()
    layer = make_layer("/services/maps/tiles/c/i/v", (13.0, 54.0, 14.0, 55.0), opacity=0.5)
    leaflet.add(layer)
    assert [item.url for item in leaflet.layers] == [
        "/services/maps/basemap/{z}/{x}/{y}.png",
        "/services/maps/tiles/c/i/v/{z}/{x}/{y}.png",
    ]
    assert [list(corner) for corner in layer.bounds] == [[54.0, 13.0], [55.0, 14.0]]
    show_whole(leaflet, (13.0, 54.0, 14.0, 55.0))
    assert tuple(leaflet.center) == (54.5, 13.5)
