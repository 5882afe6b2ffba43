"""Layers of maps: their TileJSON, and their values at a place."""

from typing import Literal

from pydantic import BaseModel, Field

from skerry.models.values import ANSWER


class LayerStyle(BaseModel):
    """How a layer is drawn: the limits and the name of its colormap, or by classes."""

    model_config = ANSWER

    min: float
    max: float
    colormap: str
    classes: bool


class TileJson(BaseModel):
    """The description of a layer for a map client: TileJSON 3.0.0, and our own fields.

    Attributes
    ----------
    tiles
        Address with ``{z}``, ``{x}`` and ``{y}``.
    bounds
        West, south, east, north in degrees.
    center
        Longitude, latitude, zoom.
    """

    model_config = ANSWER

    tilejson: Literal["3.0.0"] = "3.0.0"
    name: str
    description: str
    attribution: str
    scheme: Literal["xyz"] = "xyz"
    tiles: list[str]
    legend: str
    bounds: tuple[float, float, float, float]
    center: tuple[float, float, int]
    minzoom: int
    maxzoom: int
    label: str = Field(alias="skerry:label")
    units: str = Field(alias="skerry:units")
    simulated: bool = Field(alias="skerry:simulated")
    style: LayerStyle = Field(alias="skerry:style")


class PointValue(BaseModel):
    """The value of one variable, none where there are no data; `meaning` names its class."""

    model_config = ANSWER

    label: str
    units: str
    value: float | None
    meaning: str


class PointValues(BaseModel):
    """The values of a layer's variables at a place, in degrees (WGS 84)."""

    model_config = ANSWER

    longitude: float
    latitude: float
    simulated: bool
    values: list[PointValue]
