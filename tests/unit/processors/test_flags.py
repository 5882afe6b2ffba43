import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from skerry.core.errors import InvalidInputError
from skerry.processors.flags import list_flags, parse_expression, select_flags

NAMES = ("land", "coastline", "sun-glint_risk", "invalid")


def _bits(numbers: list[int], dtype: str = "uint32") -> xr.DataArray:
    return xr.DataArray(
        np.array(numbers, dtype),
        dims="x",
        name="quality_flags",
        attrs={"flag_masks": [1, 2, 4, 8], "flag_meanings": " ".join(NAMES)},
    )


CLASSES = xr.DataArray(
    np.array([0, 3, 6, 9], np.uint8),
    dims="x",
    name="scl",
    attrs={"flag_values": [0, 3, 6, 9], "flag_meanings": "no_data cloud_shadow water cloud_high"},
)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("cloud_high", [0, 0, 0, 1]),
        ("cloud_high | cloud_shadow", [0, 1, 0, 1]),
        ("~(cloud_high|cloud_shadow) & ~no_data", [0, 0, 1, 0]),
        ("~cloud_high & ~no_data | no_data", [1, 1, 1, 0]),
        ("~~WATER", [0, 0, 1, 0]),
        ("scl.water", [0, 0, 1, 0]),
    ],
)
def test_classes_by_name(expression: str, expected: list[int]) -> None:
    assert select_flags(CLASSES, expression).astype(int).values.tolist() == expected


def test_bits_and_names_with_hyphens() -> None:
    mask = select_flags(_bits([0, 1, 4, 5, 8]), "land & sun-glint_risk")
    assert mask.values.tolist() == [False, False, False, True, False]
    assert mask.dtype == bool


OLCI_NAMES = (
    "land coastline fresh_inland_water tidal_region bright straylight_risk invalid cosmetic "
    "duplicated sun-glint_risk dubious "
    + " ".join(f"saturated@Oa{number:02d}" for number in range(1, 22))
).split()
"""Of a classic OLCI Level-1 SAFE, highest bit first (Sentinel-3 OLCI Level-1 product format)."""


@pytest.mark.parametrize("name", OLCI_NAMES)
def test_every_flag_of_a_classic_olci_product_can_be_named(name: str) -> None:
    bits = {item: 1 << (31 - place) for place, item in enumerate(OLCI_NAMES)}
    flags = xr.DataArray(
        np.array([bits[name], 0xFFFFFFFF ^ bits[name]], np.uint32),
        dims="x",
        name="quality_flags",
        attrs={"flag_masks": list(bits.values()), "flag_meanings": " ".join(bits)},
    )
    assert len(bits) == 32
    assert select_flags(flags, name).values.tolist() == [True, False]
    assert select_flags(flags, f"~({name}|quality_flags.{name})").values.tolist() == [False, True]


def test_the_highest_bit_of_a_signed_number_is_a_bit() -> None:
    flags = xr.DataArray(
        np.array([-128, 127], np.int8),
        dims="x",
        name="f",
        attrs={"flag_masks": np.array([-128], np.int8), "flag_meanings": "spare"},
    )
    assert select_flags(flags, "spare").values.tolist() == [True, False]


def test_fields_of_bits_and_names_that_stand_twice() -> None:
    flags = xr.DataArray(
        np.array([0b0001, 0b0101, 0b1001, 0b1101], np.uint8),
        dims="x",
        name="f",
        attrs={
            "flag_masks": [1, 12, 12, 12],
            "flag_values": [1, 0, 4, 8],
            "flag_meanings": "on low other other",
        },
    )
    assert select_flags(flags, "low").values.tolist() == [True, False, False, False]
    assert select_flags(flags, "other").values.tolist() == [False, True, True, False]


def test_pixels_without_a_value_are_never_selected() -> None:
    flags = CLASSES.astype("float32").where(CLASSES != 6)
    assert select_flags(flags, "~cloud_high").values.tolist() == [True, True, False, False]


def test_several_variables_and_names_that_both_have() -> None:
    flags = xr.Dataset({"b02": _bits([1, 0]), "b03": _bits([0, 8]), "other": ("x", [1.0, 2.0])})
    assert select_flags(flags, "b02.land | b03.invalid").values.tolist() == [True, True]
    with pytest.raises(InvalidInputError, match=r"in several variables: b02, b03.*b02\.land"):
        select_flags(flags, "land")


def test_unknown_names_list_the_known() -> None:
    with pytest.raises(InvalidInputError, match=r"'cloudy'.*no_data, cloud_shadow, water"):
        select_flags(CLASSES, "water | cloudy")
    with pytest.raises(InvalidInputError, match="no flags here"):
        select_flags(CLASSES.drop_attrs(), "water")


@pytest.mark.parametrize(
    "wrong",
    ["", " ", "water |", "| water", "(water", "water)", "water cloud", "~", "a && b", "a; b",
     "__import__('os')", "water == 6", "(" * 5000, "~" * 500 + "water", "a|" * 3000 + "a"],
)  # fmt: skip
def test_what_is_not_an_expression_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidInputError, match="flag expression"):
        parse_expression(wrong)


def test_counts_that_differ_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="another number"):
        list_flags(CLASSES.assign_attrs(flag_values=[0, 3]))


def test_lazy_flags_stay_lazy() -> None:
    flags = _bits([0, 1, 2, 3]).copy(data=da.from_array(np.arange(4, dtype="uint32"), chunks=2))
    mask = select_flags(flags, "land")
    assert mask.chunks == ((2, 2),)
    assert mask.values.tolist() == [False, True, False, True]


EXPRESSIONS = st.recursive(
    st.sampled_from(NAMES),
    lambda inner: st.one_of(
        inner.map(lambda item: f"~{item}" if item.isidentifier() else f"~({item})"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]} | {two[1]})"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]} & {two[1]})"),
    ),
    max_leaves=8,
)


@given(EXPRESSIONS)
def test_expressions_mean_what_python_means(expression: str) -> None:
    numbers = np.arange(16)
    bits = {f"n{place}": (numbers >> place & 1).astype(bool) for place in range(4)}
    text = expression
    for place, name in enumerate(NAMES):
        text = text.replace(name, f"n{place}")
    expected = eval(text, {"__builtins__": {}}, bits)  # noqa: S307 -- made here, of four names
    assert np.array_equal(select_flags(_bits(list(numbers)), expression).values, expected)
