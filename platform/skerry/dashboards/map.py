"""The map page: a variable of a product over the base map, with legend, values and facts."""

import asyncio
import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import ipyleaflet
import panel as pn
from bokeh.models import CustomJS, TextInput

from skerry.core.errors import SkerryError
from skerry.core.scopes import Scope
from skerry.dashboards.catalogue import list_collections
from skerry.dashboards.leaflet import LocalWidget, make_layer, make_map, show_whole
from skerry.dashboards.map_view import Layer, View, Wish, parse_place, read_values, read_view
from skerry.dashboards.products import link_export, parse_item_name
from skerry.dashboards.shell import lay_page, show_error, show_html, style_widget
from skerry.dashboards.templating import render
from skerry.dashboards.visit import Visit
from skerry.products.coding.true_colour import TRUE_COLOUR

# In the browser: window title and address first. Then, because a tile is an <img> and cannot log
# in, ask for the layer's description: as the browser follows the redirects through the hub, it
# gets its session with the maps program.
_OPEN_LAYER = """
const view = JSON.parse(cb_obj.value);
document.title = view.title;
history.replaceState(null, "", view.permalink);
fetch(view.layer, {mode: "no-cors", credentials: "same-origin", headers: {Accept: "text/html"}})
  .then((response) => { answer.value = [view.turn, view.layer, response.status].join(" "); })
  .catch(() => { answer.value = [view.turn, view.layer, 0].join(" "); });
"""
_OK = "200"


class MapPage:
    """The map page of one viewer.

    Parameters
    ----------
    visit
        The viewer, and their session with the platform.
    item, variable
        From the page's address: ``collection/item`` and a variable; either may be empty.
    """

    def __init__(self, visit: Visit, *, item: str = "", variable: str = "") -> None:
        self._visit = visit
        self._address = (item, variable)
        self._document = pn.state.curdoc
        self._view: View | None = None
        self._wish = Wish()
        self._drawn: list[Any] = []
        self._mark: Any = None
        self._open_layer = ""
        self._map_ready = False
        self._filling = False
        self._turn = 0
        self._leaflet = make_map()
        self._title = show_html(render("loading.html"))
        self._legend = show_html()
        self._facts = show_html()
        self._values = show_html()
        self._collection = style_widget(pn.widgets.Select(label="Collection"))
        self._item = style_widget(pn.widgets.Select(label="Item"))
        self._variable = style_widget(pn.widgets.Select(label="Variable"))
        self._opacity = style_widget(
            pn.widgets.FloatSlider(label="Opacity", start=0, end=1, step=0.05, value=0.9)
        )
        self._lowest = style_widget(pn.widgets.FloatInput(label="Lowest value"))
        self._highest = style_widget(pn.widgets.FloatInput(label="Highest value"))
        self._highest.margin = (0, 0, 12, 10)
        self._second = style_widget(pn.widgets.Select(label="Second layer, below the first"))
        self._place = style_widget(
            pn.widgets.TextInput(
                label="Value at latitude, longitude", placeholder="Click on the map, or write it"
            )
        )
        self._opening = TextInput(visible=False)
        self._opened = TextInput(visible=False)

    def show(self) -> pn.Template:
        """Build the page and fill it once it is open."""
        for chooser in (self._collection, self._item, self._variable, self._second):
            chooser.param.watch(self._choose, "value")
        for limit in (self._lowest, self._highest):
            limit.param.watch(self._limit, "value")
        self._place.param.watch(self._ask, "value")
        self._leaflet.on_interaction(self._click)
        self._opacity.param.watch(self._fade, "value")
        code = CustomJS(args={"answer": self._opened}, code=_OPEN_LAYER)
        self._opening.js_on_change("value", code)
        self._opened.on_change("value", self._read_answer)
        self._leaflet.observe(self._begin_drawing, names="bounds")
        pn.state.onload(self._begin)
        side = pn.Column(
            self._collection, self._item, self._variable, self._opacity, self._legend,
            pn.Row(self._lowest, self._highest, sizing_mode="stretch_width", margin=0),
            self._place, self._values, self._second, self._facts,
            pn.pane.Bokeh(self._opening, visible=False), pn.pane.Bokeh(self._opened, visible=False),
            sizing_mode="stretch_width", margin=0,
        )  # fmt: skip
        main = pn.Column(
            self._title,
            LocalWidget(self._leaflet, sizing_mode="stretch_width", margin=0),
            sizing_mode="stretch_width",
            margin=0,
        )
        parts = {"side": side, "main": main}
        return lay_page(page="map", title="Map", viewer=self._visit.viewer, parts=parts)

    async def _begin(self) -> None:
        """Show the product in the page's address, else the newest product."""
        item, variable = self._address
        try:
            collection, name = parse_item_name(item) if item else ("", "")
        except SkerryError as error:
            await self._fail(error)
            return
        await self._go(Wish(collection, name, variable, exact=True))

    def _choose(self, event: Any) -> None:
        """Follow a choice of the viewer; a new collection begins with its newest item.

        Not a coroutine, so that what `_fill` sets is seen to be its own: Panel would run one
        later, and on another thread than the one that fills.
        """
        if self._filling or (not event.new and event.obj is not self._second):
            return
        wish = Wish(
            collection=self._collection.value,
            item="" if event.obj is self._collection else self._item.value or "",
            variable=self._variable.value or "",
        )
        if event.obj is self._second:
            wish = replace(self._wish, second=event.new or "")
        self._follow(wish)

    def _limit(self, _event: Any) -> None:
        """Use the viewer's range of values."""
        limits = (self._lowest.value, self._highest.value)
        if not self._filling and None not in limits:
            self._follow(replace(self._wish, limits=limits))

    def _follow(self, wish: Wish) -> None:
        async def go() -> None:
            await self._go(wish)

        pn.state.execute(go)

    async def _go(self, wish: Wish) -> None:
        """Read what a view needs and show it, unless the viewer has gone on meanwhile."""
        self._turn += 1
        turn = self._turn
        try:
            self._visit.require(Scope.CATALOG_READ)
            view = await asyncio.to_thread(read_view, self._visit.session, wish)
        except SkerryError as error:
            await self._fail(error)
            return
        if turn == self._turn:
            # Under the document's lock all of it reaches the browser at once and in order.
            self._document.add_next_tick_callback(lambda: self._show(view, wish))

    def _show(self, view: View | None, wish: Wish) -> None:
        self._remove_layers()
        self._open_layer = ""
        moved = self._view is None or view is None or self._view.product != view.product
        self._view = view
        if view is None:
            self._title.object = render("empty.html")
            self._legend.object = self._facts.object = ""
            return
        self._wish = replace(
            wish, collection=view.product.collection, item=view.product.item,
            variable=view.names[2], exact=False,
        )  # fmt: skip
        self._fill_choosers(view)
        self._fill_texts(view)
        if moved and self._map_ready:
            show_whole(self._leaflet, view.product.bbox)
        if view.layer is None:
            return
        self._opening.value = json.dumps(
            {
                "turn": self._turn,  # so that the same view opens again when it is chosen twice
                "title": view.title,
                "permalink": view.permalink,
                "layer": view.layer.description,
            }
        )

    def _fill_choosers(self, view: View) -> None:
        product = view.product
        variables = {variable.title: variable.name for variable in product.variables}
        if view.variable is None:  # none of them is shown
            variables = {"Choose one": "", **variables}
        self._fill(self._collection, view.selection.collections, product.collection)
        self._fill(self._item, view.selection.items, product.item)
        self._fill(self._variable, variables, view.names[2])
        seconds = view.list_seconds()
        second = self._wish.second if self._wish.second in seconds.values() else ""
        self._fill(self._second, seconds, second)
        self._filling = True
        try:
            limits = view.layer.limits if view.layer else None
            self._lowest.value, self._highest.value = limits or (None, None)
            self._lowest.disabled = self._highest.disabled = limits is None
        finally:
            self._filling = False

    def _fill_texts(self, view: View) -> None:
        product, variable = view.product, view.variable
        title = render("map_title.html", product=product, variable=variable)
        problem = show_error(view.problem) if view.problem else ""
        self._title.object = title + problem
        exported = variable is not None and variable.name != TRUE_COLOUR
        self._legend.object = (
            render("legend.html", source=view.legend, variable=variable) if variable else ""
        )
        self._facts.object = render(
            "facts.html",
            product=product,
            permalink=view.permalink,
            export=link_export(*view.names) if exported else "",
        )

    def _click(self, **event: Any) -> None:
        """Ask for the value at the place on which the viewer clicked."""
        if event.get("type") == "click":
            latitude, longitude = event["coordinates"]
            self._place.value = f"{latitude:.5f}, {(longitude + 180) % 360 - 180:.5f}"

    def _ask(self, event: Any) -> None:
        """Show the values at the place in the text field."""
        view, text = self._view, str(event.new)
        if view is None or view.layer is None or not text.strip():
            return
        layers = [layer for layer in (view.layer, view.second) if layer is not None]

        async def ask() -> None:
            try:
                place = parse_place(text)
                shown = await asyncio.to_thread(read_values, self._visit.session, layers, *place)
                html = render("values.html", latitude=place[0], longitude=place[1], layers=shown)
            except SkerryError as error:
                place, html = None, show_error(error)
            self._document.add_next_tick_callback(lambda: self._show_values(place, html))

        pn.state.execute(ask)

    def _show_values(self, place: tuple[float, float] | None, html: str) -> None:
        self._values.object = html
        if self._mark is not None:
            self._leaflet.remove(self._mark)
            self._mark = None
        if place is not None and self._map_ready:
            self._mark = ipyleaflet.CircleMarker(
                location=place, radius=7, color="#c2410c", weight=3, fill=False
            )
            self._leaflet.add(self._mark)

    def _begin_drawing(self, _change: object) -> None:
        """Show the view on the map that has just appeared; earlier changes would be lost."""
        if self._map_ready:
            return
        self._map_ready = True
        if self._view is not None:
            show_whole(self._leaflet, self._view.product.bbox)
        self._add_layers()

    def _read_answer(self, _attribute: str, _old: str, answer: str) -> None:
        """Draw the layer, because the browser now has its session with maps."""
        _turn, address, status = answer.split(" ")
        if self._view is None or self._view.layer is None:
            return
        if address != self._view.layer.description:
            return
        if status != _OK:
            self._title.object += render("no_layer.html", status=status)
            return
        self._open_layer = address
        self._add_layers()

    def _add_layers(self) -> None:
        """Draw the view's layers if the browser has both: the map, and its session with maps."""
        view = self._view
        if not self._map_ready or view is None or view.layer is None:
            return
        if self._open_layer != view.layer.description:
            return
        self._remove_layers()
        if view.second is not None:
            self._draw(view.second, 1.0)
        self._draw(view.layer, self._opacity.value)

    def _draw(self, layer: Layer, opacity: float) -> None:
        tile_layer = make_layer(
            layer.tiles, layer.bbox, query=layer.query, name=layer.title, opacity=opacity
        )
        self._leaflet.add(tile_layer)
        self._drawn.append(tile_layer)

    def _remove_layers(self) -> None:
        for tile_layer in self._drawn:
            self._leaflet.remove(tile_layer)
        self._drawn = []

    def _fade(self, event: Any) -> None:
        if self._drawn:
            self._drawn[-1].opacity = event.new

    def _fill(self, chooser: Any, options: dict[str, str], value: str) -> None:
        """Set a chooser's options and value without an event of a choice."""
        if chooser.options == options and chooser.value == value:
            return
        self._filling = True
        try:
            # in this order: new options make it forget the value
            chooser.options = options
            chooser.value = value
        finally:
            self._filling = False

    async def _fail(self, error: SkerryError) -> None:
        """Show an error, and offer the collections if there is nothing to choose from yet."""
        collections: dict[str, str] = {}
        if self._view is None:
            with suppress(SkerryError):
                collections = await asyncio.to_thread(list_collections, self._visit.session)
        self._document.add_next_tick_callback(lambda: self._report(error, collections))

    def _report(self, error: SkerryError, collections: dict[str, str]) -> None:
        if collections:
            self._fill(self._collection, {"Choose one": "", **collections}, "")
        self._view = None
        self._open_layer = ""
        self._remove_layers()
        self._legend.object = self._values.object = self._facts.object = ""
        self._title.object = show_error(error)
