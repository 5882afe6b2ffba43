"""`flag-mask` and filters know where each product type has its flags."""

import pytest

from skerry.processors.masks import FLAG_SOURCES
from skerry.products.sensors.mapping import list_types, load_mapping


@pytest.mark.parametrize("name", list_types())
def test_flag_sources_are_groups_with_flags(name: str) -> None:
    mapping = load_mapping(name)
    with_flags = {
        group.path
        for group in mapping.groups
        for variable in group.variables.values()
        if "flag_meanings" in mapping.kind_of(group, variable).attrs
    }
    sources = FLAG_SOURCES.get(mapping.product_type, ())
    assert set(sources) <= with_flags
    assert bool(sources) == bool(with_flags), "name its best groups in processors/masks.py"
