"""What the map page reads, against a session that answers as api and maps do."""

from typing import Any

import pytest
from pydantic import BaseModel

from skerry.core.errors import InvalidInputError, NotFoundError
from skerry.dashboards.map_view import Wish, parse_place, read_values, read_view
from skerry.dashboards.templating import render


class Answers:
    """A session with items by name; maps refuses a layer called ``broken``."""

    def __init__(self, items: dict[str, dict[str, Any]]) -> None:
        self.items = [
            {
                "id": name,
                "collection": "water",
                "bbox": [13, 54, 14, 55],
                "properties": {
                    "datetime": f"2026-05-0{at + 1}T10:00:00Z",
                    "created": f"2026-05-0{at + 1}T11:00:00Z",
                    "skerry:variables": variables,
                },
                "assets": {},
            }
            for at, (name, variables) in enumerate(items.items())
        ]
        self.asked: list[str] = []

    def request(self, _method: str, path: str, *, params: Any = None) -> Any:
        self.asked.append(path)
        if path == "stac/collections":
            return {"collections": [{"id": "water", "title": "Water"}]}
        if path == "stac/search":
            assert params["sortby"] == "-created"
            return {"features": self.items[::-1]}
        if path == "stac/collections/water/items":
            return {"features": self.items}
        if path.startswith("stac/collections/water/items/"):
            return next(item for item in self.items if path.endswith(f"/{item['id']}"))
        if "/broken/" in path:
            raise InvalidInputError("Too many pixels.", remedy="Zoom in.")
        if "point.json" in path:
            value = {"label": "Turbidity", "units": "FNU", "value": 4.5, "meaning": ""}
            place = {"latitude": params["lat"], "longitude": params["lon"]}
            return {"simulated": True, "values": [value], **place}
        style = {"min": 0, "max": 50, "colormap": "viridis", "classes": "scl" in path}
        return {
            "name": path.split("/")[-2], "description": "", "attribution": "", "tiles": [],
            "legend": "", "bounds": [13, 54, 14, 55], "center": [13, 54, 9], "minzoom": 0,
            "maxzoom": 14, "skerry:label": "", "skerry:units": "", "skerry:simulated": True,
            "skerry:style": style,
        }  # fmt: skip

    def fetch(self, kind: type[BaseModel], method: str, path: str, *, params: Any = None) -> Any:
        return kind.model_validate(self.request(method, path, params=params))

    def send(self, *_args: Any, **_options: Any) -> Any:
        raise NotFoundError("There is no legend.", remedy="Go without.")


TWO = {"turbidity": {"units": "FNU"}, "ndci": {}}


def test_the_newest_item_that_can_be_drawn_is_shown_first():
    session = Answers({"old": TWO, "drawn": TWO, "files-alone": {}})
    view = read_view(session, Wish())
    assert view is not None
    assert view.names == ("water", "drawn", "turbidity")
    assert view.problem is None
    assert view.layer is not None
    assert view.layer.limits == (0, 50)
    assert set(view.selection.items.values()) == {"old", "drawn", "files-alone"}


def test_a_catalogue_without_anything_to_draw_still_has_its_choosers():
    view = read_view(Answers({"files-alone": {}}), Wish())
    assert view is not None
    assert view.layer is None
    assert "nothing that can be drawn" in str(view.problem)
    assert list(view.selection.items.values()) == ["files-alone"]
    title = render("map_title.html", product=view.product, variable=view.variable)
    assert "Nothing drawn" in title


def test_a_variable_that_the_address_names_is_never_another():
    session = Answers({"lake": TWO})
    view = read_view(session, Wish("water", "lake", "zzz", exact=True))
    assert view is not None
    assert view.layer is None
    assert "has no variable 'zzz'" in str(view.problem)
    assert "turbidity, ndci" in str(view.problem)
    assert not [path for path in session.asked if "maps/tiles" in path]


def test_a_variable_left_over_from_another_item_gives_way():
    view = read_view(Answers({"lake": TWO}), Wish("water", "lake", "oxygen"))
    assert view is not None
    assert view.names[2] == "turbidity"


def test_what_maps_refuses_is_said_and_the_choosers_stay():
    view = read_view(Answers({"lake": {"broken": {}, "ndci": {}}}), Wish())
    assert view is not None
    assert view.layer is None
    assert "Too many pixels" in str(view.problem)
    assert len(view.product.variables) == 2


def test_a_range_reaches_the_tiles():
    view = read_view(Answers({"lake": TWO}), Wish("water", "lake", "ndci", limits=(-0.1, 0.25)))
    assert view is not None
    assert view.layer is not None
    assert view.layer.query == "?min=-0.1&max=0.25"
    assert view.layer.description.endswith("/ndci/tilejson.json?min=-0.1&max=0.25")


@pytest.mark.parametrize("limits", [(1.0, 1.0), (2.0, 1.0), (float("nan"), 1.0)])
def test_a_range_that_is_none_is_said(limits):
    view = read_view(Answers({"lake": TWO}), Wish("water", "lake", "ndci", limits=limits))
    assert view is not None
    assert "is an empty range" in str(view.problem)


def test_classes_have_no_range():
    view = read_view(Answers({"scene": {"scl": {}}}), Wish())
    assert view is not None
    assert view.layer is not None
    assert view.layer.limits is None


def test_a_second_layer_is_another_variable_or_the_same_of_another_item():
    session = Answers({"old": TWO, "new": TWO})
    view = read_view(session, Wish("water", "new", "turbidity"))
    assert view is not None
    assert list(view.list_seconds().values()) == ["", "new/ndci", "old/turbidity"]
    both = read_view(session, Wish("water", "new", "turbidity", second="old/turbidity"))
    assert both is not None
    assert both.second is not None
    assert both.second.tiles.endswith("/tiles/water/old/turbidity")


def test_values_are_shown_with_their_units_and_that_they_are_simulated():
    session = Answers({"lake": TWO})
    view = read_view(session, Wish())
    assert view is not None
    assert view.layer is not None
    documents = read_values(session, [view.layer], 54.1, 13.5)
    html = render("values.html", latitude=54.1, longitude=13.5, layers=documents)
    assert "54.10000, 13.50000" in html
    assert "4.5 FNU" in html
    assert "Simulated" in html


@pytest.mark.parametrize("text", ["54.1, 13.5", "54.1 13.5", " 54.1,13.5 "])
def test_a_place_is_read(text):
    assert parse_place(text) == (54.1, 13.5)


@pytest.mark.parametrize("text", ["", "54", "x, y", "91, 0", "0, 181", "1, 2, 3", "nan, 0"])
def test_what_is_not_a_place_is_refused(text):
    with pytest.raises(InvalidInputError, match="not a place"):
        parse_place(text)
