"""The simulated world for all sensors: a place and its weather, at any coordinates.

A coast of the southern Baltic: sea to the north (another coast 180 km farther), land with lakes to
the south, rivers every 110 km. Land, lakes, altitude and soil depend on the seed alone, so that
several days of one seed show one place; plumes, blooms, temperatures, wind and clouds depend on
seed and day. Nothing depends on the sensor: the same place and day have the same fields at 10 m
and at 1 km.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cached_property

import numpy as np
import numpy.typing as npt

from skerry.simulate.noise import Field, Noise, make_noise
from skerry.simulate.sun import solar_position

Mask = npt.NDArray[np.bool_]

CORNER = (13.46869, 54.13837)
"""Longitude and latitude of the upper left corner of the tile T33UVV, where the pattern begins."""
SIDE_KM = 109.8
"""Side of that tile. The lengths below are fractions of a scene's side."""
KM_PER_DEGREE = 111.195
"""Kilometres in a degree of latitude, on a sphere of 6371 km."""
SOUTH_COAST, NORTH_COAST = 0.55, -1.2
"""Mean places of the two coasts, southward from the corner."""
CLOUD_FRACTION = 0.08
CIRRUS_FRACTION = 0.03
SHADOW_LENGTH = 0.045
"""Height of the clouds that throw shadows (5 km at full side)."""
FREEZING_K = 273.0
"""Temperature below which brackish water freezes (the southern Baltic has little salt)."""
OVERPASS = time(10, 6, tzinfo=UTC)


@dataclass(frozen=True)
class SceneFields:
    """The scene at each coordinate: arrays of the coordinates' shape, and the scene's size.

    Attributes
    ----------
    side_km
        `Scene.side_km` of the scene, with which lengths of the air shrink too.
    water, lake, land, ice
        Masks: water is sea or lake (under clouds too), ice the part of it that is frozen.
    vegetation
        Fraction of green vegetation over soil on land, 0 to 1.
    chlorophyll
        Chlorophyll-a, mg m-3. Water constituents are 0 on land.
    tsm
        Total suspended matter, g m-3.
    cdom
        Absorption of coloured dissolved organic matter at 443 nm, m-1.
    surface_temperature
        Skin temperature of sea, lake, ice or land, K.
    cloud_optical_thickness
        Of opaque clouds at 550 nm; 0 without cloud.
    cirrus_optical_thickness
        Of thin cirrus at 550 nm; 0 without.
    cloud_top_temperature
        K; NaN where there is neither cloud nor cirrus.
    shadow
        Mask: shadow of an opaque cloud, where no cloud hides the ground.
    wind_speed
        10 m above the surface, m s-1.
    altitude
        m; 0 on the sea.
    """

    side_km: float
    water: Mask
    lake: Mask
    land: Mask
    ice: Mask
    vegetation: Field
    chlorophyll: Field
    tsm: Field
    cdom: Field
    surface_temperature: Field
    cloud_optical_thickness: Field
    cirrus_optical_thickness: Field
    cloud_top_temperature: Field
    shadow: Mask
    wind_speed: Field
    altitude: Field

    @property
    def turbidity(self) -> Field:
        """Turbidity in FNU: taken equal in number to `tsm` in g m-3."""
        return self.tsm

    @property
    def cloud(self) -> Mask:
        """Mask of opaque cloud."""
        return np.asarray(self.cloud_optical_thickness > 0)

    @property
    def cirrus(self) -> Mask:
        """Mask of thin cirrus."""
        return np.asarray(self.cirrus_optical_thickness > 0)


@dataclass(frozen=True)
class Scene:
    """A place on a day.

    Attributes
    ----------
    seed
        The place.
    day
        The weather.
    corner
        Longitude and latitude of the pattern's upper left corner.
    side_km
        Side of the square that holds one repetition of the pattern: sea, coast, river plume, land
        and a lake. Smaller than `SIDE_KM` it makes a model landscape, so that a picture of 1 km
        still shows water, land and cloud.
    """

    seed: int
    day: date
    corner: tuple[float, float] = CORNER
    side_km: float = SIDE_KM

    @classmethod
    def over(
        cls, seed: int, day: date, longitude: npt.ArrayLike, latitude: npt.ArrayLike
    ) -> "Scene":
        """Return the scene for a picture with these coordinates.

        A picture larger than `SIDE_KM` sees the world in its real lengths. A smaller picture would
        show only sea or only land, so it sees a model of the world that fills the picture.
        """
        east_west, north_south = np.asarray(longitude), np.asarray(latitude)
        west, east = float(np.nanmin(east_west)), float(np.nanmax(east_west))
        south, north = float(np.nanmin(north_south)), float(np.nanmax(north_south))
        wide = (east - west) * KM_PER_DEGREE * np.cos(np.radians(north))
        side = float(min(wide, (north - south) * KM_PER_DEGREE))
        if side >= SIDE_KM:
            return cls(seed, day)
        return cls(seed, day, (west, north), side)

    def locate(self, longitude: npt.ArrayLike, latitude: npt.ArrayLike) -> tuple[Field, Field]:
        """Return how far east and south of the corner coordinates are, in sides, float32."""
        west, north = self.corner
        scale = KM_PER_DEGREE / self.side_km
        x = (np.asarray(longitude, np.float64) - west) * scale * np.cos(np.radians(north))
        y = (north - np.asarray(latitude, np.float64)) * scale
        return x.astype(np.float32), y.astype(np.float32)

    def sample(self, longitude: npt.ArrayLike, latitude: npt.ArrayLike) -> SceneFields:
        """Return the fields at coordinates.

        Parameters
        ----------
        longitude, latitude
            Degrees, finite, arrays of one shape (usually 2-D).
        """
        x, y = self.locate(longitude, latitude)
        offshore, lake = self._find_water(x, y)
        water = (offshore > 0) | lake
        tsm, chlorophyll, cdom = self._fill_water(x, y, np.clip(offshore, 0, None), lake)
        cloud, cirrus, top = self._cover(x, y)
        east, south = self._sunward
        shadow = self._is_cloudy(x + east, y + south) & (cloud == 0) & (cirrus == 0)
        altitude = self._raise_land(x, y, offshore, lake)
        temperature = self._warm(x, y, offshore, lake, altitude)
        zero = np.float32(0)
        return SceneFields(
            side_km=self.side_km,
            water=water,
            lake=lake,
            land=~water,
            ice=water & (temperature < FREEZING_K),
            vegetation=np.where(water, zero, self._vegetation(x, y)),
            chlorophyll=np.where(water, chlorophyll, zero),
            tsm=np.where(water, tsm, zero),
            cdom=np.where(water, cdom, zero),
            surface_temperature=temperature,
            cloud_optical_thickness=cloud,
            cirrus_optical_thickness=cirrus,
            cloud_top_temperature=top,
            shadow=shadow,
            wind_speed=self._blow(x, y),
            altitude=altitude,
        )

    # The place: streams (seed, 0, n).

    def _place(self, number: int, cells: float, octaves: int = 1) -> Noise:
        return make_noise(cells, octaves, self.seed, 0, number)

    def _find_water(self, x: Field, y: Field) -> tuple[Field, Mask]:
        """Return the distance from the coast, in sides (negative on land), and lakes."""
        ragged = 0.10 * self._place(0, 4).at(x, y) + 0.03 * self._place(1, 17).at(x, y)
        south = SOUTH_COAST + ragged - y
        north = y - NORTH_COAST - 3 * ragged
        offshore = np.minimum(south, north)
        radius = np.hypot(_wrap(x - 0.30) / 1.5, _wrap(y - 0.82))
        lake = radius + 0.015 * self._place(2, 11).at(x, y) < 0.10  # noqa: PLR2004 -- radius
        return offshore.astype(np.float32), lake & (offshore <= 0)

    def _vegetation(self, x: Field, y: Field) -> Field:
        return np.asarray(np.clip(0.6 + 0.9 * self._place(3, 9, 4).at(x, y), 0, 1), np.float32)

    def _raise_land(self, x: Field, y: Field, offshore: Field, lake: Mask) -> Field:
        inland = 1 - np.exp(np.minimum(offshore, 0) / 0.15)
        hills = inland * (60 + 50 * self._place(4, 6, 3).at(x, y))
        return np.where(lake, np.float32(1.0), hills).astype(np.float32)

    # The weather: streams (seed, 1, n, day).

    def _weather(self, number: int, cells: float, octaves: int = 1) -> Noise:
        return make_noise(cells, octaves, self.seed, 1, number, self.day.toordinal())

    @cached_property
    def _chances(self) -> dict[str, float]:
        """Random numbers of the day, the same for all coordinates."""
        generator = np.random.default_rng([self.seed, 1, 0, self.day.toordinal()])
        ranges = {
            "drift": (-0.25, 0.25), "plume": (15, 40), "bloom": (8, 30), "bloom_x": (0.15, 0.45),
            "bloom_y": (0.15, 0.40), "wind": (2, 8), "warmth": (-1.5, 1.5),
        }  # fmt: skip
        return {name: float(generator.uniform(*item)) for name, item in ranges.items()}

    def _fill_water(
        self, x: Field, y: Field, offshore: Field, lake: Mask
    ) -> tuple[Field, Field, Field]:
        """Return TSM (river plume, resuspension), chlorophyll (a bloom) and CDOM."""
        chance = self._chances
        mouth = 0.7 + 0.05 * float(self._place(5, 1).nodes[0])
        along = _wrap(x - mouth - np.float32(chance["drift"]) * offshore)
        plume = np.exp(-offshore / 0.12 - (along / 0.22) ** 2)
        tsm = 1.2 + chance["plume"] * plume + 3.0 * np.exp(-offshore / 0.04)
        tsm *= 1 + 0.15 * self._weather(1, 13).at(x, y)
        patch = (_wrap(x - chance["bloom_x"]) / 0.18) ** 2 + (
            _wrap(y - chance["bloom_y"]) / 0.1
        ) ** 2
        chlorophyll = 2.0 + chance["bloom"] * np.exp(-patch) + 4.0 * plume
        cdom = 0.25 + 0.6 * plume
        across, along_lake = x - np.floor(x), y - np.floor(y)
        tsm = np.where(lake, 6.0 + 4.0 * across, tsm)
        chlorophyll = np.where(lake, 20.0 + 40.0 * (1 - along_lake), chlorophyll)
        cdom = np.where(lake, 0.8, cdom)
        return tsm.astype(np.float32), chlorophyll.astype(np.float32), cdom.astype(np.float32)

    def _warm(self, x: Field, y: Field, offshore: Field, lake: Mask, altitude: Field) -> Field:
        """Return skin temperature: the season, fronts on the sea, soil warmer than leaves."""
        season = float(np.cos(2 * np.pi * (self.day.timetuple().tm_yday - 225) / 365.25))
        fronts = self._weather(2, 3, 3).at(x, y)
        sea = 282.5 + 8.0 * season + self._chances["warmth"] + 1.5 * fronts
        sea += (1.0 + season) * np.exp(-np.clip(offshore, 0, None) / 0.08)
        shallow = 282.0 + 11.0 * season + self._chances["warmth"] + 0.8 * fronts
        bare = 1 - self._vegetation(x, y)
        land = 285.0 + 11.0 * season + 7.0 * bare + 2.0 * fronts - 0.0065 * altitude
        still = np.where(offshore > 0, sea, land)
        return np.where(lake, shallow, still).astype(np.float32)

    def _blow(self, x: Field, y: Field) -> Field:
        speed = self._chances["wind"] + 1.5 * self._weather(3, 2, 2).at(x, y)
        return np.asarray(np.clip(speed, 0.5, None), np.float32)

    @cached_property
    def _cover_noise(self) -> Noise:
        return self._weather(4, 5, 4)

    @cached_property
    def _thresholds(self) -> tuple[float, float]:
        """Thresholds of the cover noise for cirrus and for cloud, over one side."""
        axis = ((np.arange(128) + 0.5) / 128).astype(np.float32)
        x, y = np.meshgrid(axis, axis)
        cover = self._cover_noise.at(x, y)
        cirrus, cloud = np.quantile(
            cover, [1 - CLOUD_FRACTION - CIRRUS_FRACTION, 1 - CLOUD_FRACTION]
        )
        return float(cirrus), float(cloud)

    def _is_cloudy(self, x: Field, y: Field) -> Mask:
        return np.asarray(self._cover_noise.at(x, y) > self._thresholds[1])

    def _cover(self, x: Field, y: Field) -> tuple[Field, Field, Field]:
        """Return optical thickness of cloud and of cirrus at clouds' edges, and top temperature."""
        cover = self._cover_noise.at(x, y)
        thin, thick = self._thresholds
        excess = np.clip((cover - thick) / 0.2, 0, 1)
        cloud = np.where(cover > thick, 20 + 50 * excess, 0)
        cirrus = np.where(
            (cover > thin) & (cover <= thick), 0.15 + 0.35 * (cover - thin) / (thick - thin), 0
        )
        top = np.where(cover > thick, 268 - 35 * excess, np.where(cover > thin, 225.0, np.nan))
        return cloud.astype(np.float32), cirrus.astype(np.float32), top.astype(np.float32)

    @cached_property
    def _sunward(self) -> tuple[np.float32, np.float32]:
        """East and south, in sides, from a shadow to the cloud that throws it."""
        moment = datetime.combine(self.day, OVERPASS)
        zenith, azimuth = solar_position(moment, *self.corner)
        length = SHADOW_LENGTH * min(float(np.tan(np.radians(zenith))), 4.0)
        angle = float(np.radians(azimuth))
        return np.float32(length * np.sin(angle)), np.float32(-length * np.cos(angle))


def _wrap(distance: Field) -> Field:
    """Return a distance to the nearest of places that repeat once a side, -0.5 to 0.5."""
    return np.asarray(distance - np.round(distance), np.float32)
