"""How a sensor's files map to variables: one data file a sensor, read into typed records.

A file in ``sensors/`` says for each group of the EOPF tree which files hold its variables and of
what kind they are; a kind says dimensions, number type, scale, unit and display range. Adding a
sensor of the same container means adding such a file, no code.
"""

from functools import cache
from importlib import resources

from pydantic import BaseModel, ConfigDict


class Kind(BaseModel):
    """What a file's numbers mean.

    Attributes
    ----------
    dims
        Dimension names in order; ``("y", "x")`` or with a leading ``band``.
    dtype
        Number type in the file.
    bands
        Bands in the file.
    pack_bits
        Band i of the file holds 0 or 1 and becomes bit i - 1 of one number.
    nodata, saturated
        Numbers that stand for no measurement; both become NaN.
    quantification, offset
        Names of the metadata entries: physical = (number + offset) / quantification.
    flags
        Class number (as text) to its meaning and colour.
    flag_bits
        Meanings of the bits, lowest first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dims: tuple[str, ...]
    dtype: str
    bands: int = 1
    pack_bits: bool = False
    nodata: int | None = None
    saturated: int | None = None
    quantification: str | None = None
    offset: str | None = None
    long_name: str
    units: str
    standard_name: str | None = None
    valid_min: float | None = None
    valid_max: float | None = None
    colormap: str | None = None
    flags: dict[str, tuple[str, str]] = {}
    flag_bits: tuple[str, ...] = ()


class Group(BaseModel):
    """One group of the tree.

    Attributes
    ----------
    path
        Group path in the EOPF structure.
    resolution_m
        Pixel size in metres.
    file
        Glob pattern relative to the product's root; ``{source}`` is the variable's source name.
    kind
        Name of the `Kind` of all its variables.
    variables
        Variable name to source name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    resolution_m: int
    file: str
    kind: str
    variables: dict[str, str]


class SensorMapping(BaseModel):
    """One sensor's data file.

    Attributes
    ----------
    metadata
        Role to glob pattern of the metadata documents that must be there.
    expected
        Name to glob pattern of further documents that a complete product has.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    metadata: dict[str, str]
    expected: dict[str, str]
    kinds: dict[str, Kind]
    groups: tuple[Group, ...]


@cache
def load_mapping(name: str) -> SensorMapping:
    """Read the mapping file of one sensor, such as ``sentinel_2_l2a``."""
    file = resources.files("skerry.products").joinpath("sensors", f"{name}.json")
    return SensorMapping.model_validate_json(file.read_text("utf-8"))
