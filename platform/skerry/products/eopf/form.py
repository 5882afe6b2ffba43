"""What the caller of the EOPF writer chose."""

from dataclasses import dataclass

from skerry.products.filling.layout import Wishes
from skerry.products.healing.profiles import Model


@dataclass(frozen=True)
class Form:
    """What the caller chose: profile, format, and options that replace the source's."""

    profile: str
    zarr_format: int
    product_type: str
    model: Model | None
    wishes: Wishes
