"""Options of the EOPF writer."""

from dataclasses import dataclass

from skerry.products.filling.layout import Wishes
from skerry.products.healing.profiles import Model


@dataclass(frozen=True)
class Form:
    """The caller's choice of profile and format, and options that replace the source's."""

    profile: str
    zarr_format: int
    product_type: str
    model: Model | None
    wishes: Wishes
