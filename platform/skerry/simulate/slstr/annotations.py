"""Annotations of a simulated SLSTR product: geometry, weather, time."""

from collections.abc import Callable
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from skerry.simulate.scene import Scene, SceneFields
from skerry.simulate.slstr.grids import FRAME_M, Swath, view_angles
from skerry.simulate.slstr.tree import SIZES, Values

Field = npt.NDArray[np.float64]

GROUND_M_S = 6_700.0
"""Approximate speed of the sub-satellite point."""
SCAN_SECONDS = 0.299985
"""Time of one turn of the scan mirror, which covers 2 km along the track."""
OBLIQUE_SECONDS = 135.0
"""How much later the oblique view, which looks back, sees a row."""
SCAN_SPREAD = 40
"""Approximate number of scans that contribute to a row: the scans are curved."""
PRESSURES_HPA = np.array(
    [1, 2, 3, 5, 7, 10, 20, 30, 50, 70, 100, 150, 200, 250, 300, 400, 500, 600, 700, 775, 850, 900,
     925, 950, 1000], np.float32,
)  # fmt: skip
SERIES_HOURS = 3
DRY_LAPSE = 0.19
"""Exponent of temperature over pressure in a troposphere of 6.5 K km-1: R L / g."""
TROPOPAUSE_K = 217.0
VAPOUR_EXPONENT = 3.0
"""Specific humidity falls as pressure to this power."""
GRAVITY = 9.80665


def annotate(
    swath: Swath, scene: Scene, vapour: Callable[[Field, Field], Field]
) -> Values:  # fmt: skip
    """Return the values of ``conditions/geometry_*``, ``meteorology`` and ``time_*``."""
    x, y = swath.positions("tx")
    longitude, latitude = swath.locate(x, y)
    values: Values = {
        ("conditions/geometry_tn", "x"): x,
        ("conditions/geometry_tn", "y"): y,
        ("conditions/meteorology", "longitude"): longitude,
        ("conditions/meteorology", "latitude"): latitude,
    }
    for view in "no":
        angles = view_angles(swath, "tx", view=view)
        for name, item in vars(angles).items():
            values[f"conditions/geometry_t{view}", f"{name}_t{view}"] = item
    weather = _forecast(scene.sample(longitude, latitude), vapour(longitude, latitude), swath)
    values |= {("conditions/meteorology", name): item for name, item in weather.items()}
    for letter in "abi":
        values |= _clock(swath, letter)
    return values


def _clock(swath: Swath, letter: str) -> Values:
    """Return times and scan numbers of the rows of one stripe."""
    rows, metres = swath.shape(f"{letter}n")[0], 500 if letter in "ab" else 1000
    along = (np.arange(rows) + 0.5) * metres
    since = np.round((along - along.mean()) / GROUND_M_S * 1e6).astype("timedelta64[us]")
    stamp = np.datetime64(swath.moment.replace(tzinfo=None), "ns") + since
    scan = np.round((FRAME_M + along) / GROUND_M_S / SCAN_SECONDS) % 19000
    group = f"conditions/time_{letter}n"
    values: Values = {(f"measurements/{letter}nadir", "time_stamp"): stamp}
    for view, delay in (("nadir", 0.0), ("oblique", OBLIQUE_SECONDS)):
        late = np.timedelta64(round(delay * 1e9), "ns")
        spread = np.timedelta64(round(SCAN_SPREAD / 2 * SCAN_SECONDS * 1e9), "ns")
        values[group, f"{view}_first_scan_{letter}"] = scan.astype(np.float32)
        values[group, f"{view}_last_scan_{letter}"] = (scan + SCAN_SPREAD).astype(np.float32)
        values[group, f"{view}_minimal_ts_{letter}"] = stamp + late - spread
        values[group, f"{view}_maximal_ts_{letter}"] = stamp + late + spread
    return values


def _forecast(
    fields: SceneFields, vapour: Field, swath: Swath
) -> dict[str, npt.NDArray[np.generic]]:
    """Return the fields of a weather model on tie points, consistent with the scene."""
    skin = fields.surface_temperature
    air = skin - 1.0
    flat = {
        "cloud_fraction_tp": (fields.cloud | fields.cirrus).astype(np.float32),
        "dew_point_tp": air - 4,
        "sea_ice_fraction_tp": fields.ice,
        "sea_surface_temperature_tp": np.where(fields.water, skin, np.nan),
        "skin_temperature_tp": skin,
        "snow_albedo_tp": np.full(skin.shape, 0.85),
        "snow_depth_tp": np.zeros(skin.shape),
        "soil_wetness_tp": np.where(fields.water, 0.0, 0.02),
        "surface_pressure_tp": 1013.25 * np.exp(-fields.altitude / 8400),
        "temperature_tp": air,
        "total_column_ozone_tp": np.full(skin.shape, 0.0075),
        "total_column_water_vapour_tp": vapour,
    }
    # Integrals since the series began: watts per square metre, or newtons, times seconds.
    seconds = np.arange(SIZES["t_series"]) * SERIES_HOURS * 3600.0
    rates = {
        "east_west_stress_tp": 0.05, "north_south_stress_tp": 0.02, "latent_heat_tp": -80.0,
        "sensible_heat_tp": -30.0, "solar_radiation_tp": 350.0, "thermal_radiation_tp": -60.0,
    }  # fmt: skip
    series = {name: _spread(seconds * rate, skin) for name, rate in rates.items()}
    calm = np.ones(SIZES["t_series"])
    for name, part in (("u_wind_tp", 0.8), ("v_wind_tp", 0.6)):
        series[name] = _spread(calm * part, skin) * fields.wind_speed
    profiles = {
        "temperature_profile_tp": np.maximum(
            TROPOPAUSE_K, _spread((PRESSURES_HPA / 1013.25) ** DRY_LAPSE, skin) * air
        ),
        "specific_humidity_tp": _profile_vapour(vapour),
    }
    start = np.datetime64(swath.moment.replace(minute=0, second=0, tzinfo=None), "ns")
    times = start + np.arange(SIZES["t_series"]) * np.timedelta64(SERIES_HOURS, "h")
    forecast = {name: item.astype(np.float32) for name, item in (flat | series | profiles).items()}
    return forecast | {"p_atmos": PRESSURES_HPA, "t_series": times}


def _spread(levels: npt.NDArray[np.generic], like: npt.NDArray[np.float32]) -> Field:
    return np.broadcast_to(levels[:, None, None], (levels.size, *like.shape)).astype(np.float64)


def _profile_vapour(column: Field) -> Field:
    """Return specific humidity, kg kg-1, whose integral over pressure is the column."""
    ground = column * GRAVITY * (VAPOUR_EXPONENT + 1) / 101_325.0
    return np.asarray((PRESSURES_HPA[:, None, None] / 1013.25) ** VAPOUR_EXPONENT * ground)


def row_span(swath: Swath) -> timedelta:
    """Return the time between the first and the last row."""
    return timedelta(seconds=swath.size * 500.0 / GROUND_M_S)
