"""Flags by name: expressions such as ``cloud_high | (cloud_shadow & ~water)``.

Flag variables name their values or bits as CF says (CF conventions 1.11, section 3.5):
``flag_meanings`` with ``flag_values`` (classes), ``flag_masks`` (bits), or both (fields of bits).
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from skerry.core.errors import InvalidInputError

Booleans = npt.NDArray[np.bool_]
Lookup = Callable[[str], Booleans]
"""Flag name to where it is set."""
Test = Callable[[Lookup], Booleans]
"""A parsed expression: evaluates itself given where each flag is set."""

_TOKEN = re.compile(r"\s*(?:(?P<name>[A-Za-z0-9_][A-Za-z0-9_.+@-]*)|(?P<sign>[|&~()]))")
_MOST_CHARACTERS = 4096
_DEEPEST = 64


@dataclass(frozen=True)
class Flag:
    """A flag of a variable: set where ``value & mask == wanted``, for any of the pairs."""

    pairs: tuple[tuple[int | None, int | None], ...]

    def test(self, numbers: npt.NDArray[Any]) -> Booleans:
        """Return where the flag is set in unsigned numbers."""
        is_set = np.zeros(numbers.shape, np.bool_)
        most = int(np.iinfo(numbers.dtype).max)
        for mask, value in self.pairs:
            bits = numbers if mask is None else numbers & numbers.dtype.type(mask & most)
            if value is None:
                is_set |= bits != 0
            # A negative value has the bits of the same number of a signed type.
            elif value <= most:
                is_set |= bits == numbers.dtype.type(value & most)
        return is_set


def select_flags(flags: xr.DataArray | xr.Dataset, expression: str) -> xr.DataArray:
    """Return True where a flag expression holds.

    Parameters
    ----------
    flags
        A flag variable, or a dataset of several on one grid. A name that several variables of a
        dataset have is written ``variable.name``.
    expression
        Flag names with ``|`` (or), ``&`` (and), ``~`` (not) and parentheses; ``~`` binds
        strongest, then ``&``, then ``|``. Names are compared without regard to case.

    Returns
    -------
    xarray.DataArray
        Booleans, as lazy as the flags. Where a flag variable that the expression names has no
        value (NaN), no expression holds, not even a negated one.

    Raises
    ------
    InvalidInputError
        If the expression is no such expression, or names a flag that is not there or stands in
        several variables. The message lists the flags that there are.
    """
    names, test = parse_expression(expression)
    variables = _list_variables(flags)
    places = {name: _find_flag(name, variables, expression) for name in names}
    used = list(dict.fromkeys(variable for variable, _ in places.values()))

    def evaluate(*blocks: npt.NDArray[Any]) -> Booleans:
        valid = np.ones((), np.bool_)
        numbers = {}
        for variable, block in zip(used, blocks, strict=True):
            if np.issubdtype(block.dtype, np.floating):
                valid = valid & np.isfinite(block)
            numbers[variable] = _as_unsigned(block)
        passes = test(lambda name: places[name][1].test(numbers[places[name][0]]))
        return np.asarray(passes & valid, np.bool_)

    mask: xr.DataArray = xr.apply_ufunc(
        evaluate,
        *(variables[name] for name in used),
        join="exact",
        dask="parallelized",
        output_dtypes=[np.bool_],
        keep_attrs=False,
    )
    mask.name = "mask"
    mask.attrs = {"long_name": f"mask: {expression}"}
    return mask


def list_flags(variable: xr.DataArray) -> dict[str, Flag]:
    """Return the flags of a variable by name; empty if it is not a flag variable.

    A name that occurs several times, such as ``spare``, means any of its bits or values.

    Raises
    ------
    InvalidInputError
        If there are not as many meanings as values or masks.
    """
    meanings = variable.attrs.get("flag_meanings", ())
    names = (
        meanings.split() if isinstance(meanings, str) else [str(meaning) for meaning in meanings]
    )
    masks = _read_numbers(variable.attrs.get("flag_masks"))
    values = _read_numbers(variable.attrs.get("flag_values"))
    if not names or (masks is None and values is None):
        return {}
    if any(len(numbers) != len(names) for numbers in (masks, values) if numbers is not None):
        raise InvalidInputError(
            f"The flags of {variable.name} have {len(names)} names and another number of values.",
            remedy="Mend flag_meanings, flag_values and flag_masks of the product.",
        )
    pairs: dict[str, list[tuple[int | None, int | None]]] = {}
    for place, name in enumerate(names):
        pair = (masks[place] if masks else None, values[place] if values else None)
        pairs.setdefault(name, []).append(pair)
    return {name: Flag(tuple(tests)) for name, tests in pairs.items()}


def parse_expression(expression: str) -> tuple[list[str], Test]:
    """Parse a flag expression into the names it holds and a test.

    Raises
    ------
    InvalidInputError
        If it is empty, too long, nested too deeply, or wrong; the message says where.
    """
    if len(expression) > _MOST_CHARACTERS:
        raise InvalidInputError(
            f"The flag expression has {len(expression)} characters.",
            remedy=f"Write one of at most {_MOST_CHARACTERS} characters.",
        )
    parser = _Parser(expression)
    test = parser.read_or(0)
    if parser.word:
        raise parser.refuse()
    return list(dict.fromkeys(parser.names)), test


class _Parser:
    """Recursive descent over ``or := and ('|' and)*``, ``and := not ('&' not)*``."""

    def __init__(self, expression: str) -> None:
        self.expression = expression
        self.names: list[str] = []
        self.words: Iterator[tuple[str, int]] = self._split()
        self.step()

    def step(self) -> None:
        self.word, self.place = next(self.words, ("", len(self.expression)))

    def refuse(self) -> InvalidInputError:
        word = repr(self.word) if self.word else "its end"
        return InvalidInputError(
            f"The flag expression {self.expression!r:.200} is wrong at {word} "
            f"(character {self.place + 1}).",
            remedy="Write flag names with |, &, ~ and parentheses.",
        )

    def read_or(self, depth: int) -> Test:
        tests = [self.read_and(depth)]
        while self.word == "|":
            self.step()
            tests.append(self.read_and(depth))
        return lambda lookup: _combine(np.logical_or, tests, lookup)

    def read_and(self, depth: int) -> Test:
        tests = [self.read_not(depth)]
        while self.word == "&":
            self.step()
            tests.append(self.read_not(depth))
        return lambda lookup: _combine(np.logical_and, tests, lookup)

    def read_not(self, depth: int) -> Test:
        if depth > _DEEPEST:
            raise self.refuse()
        if self.word == "~":
            self.step()
            inner = self.read_not(depth + 1)
            return lambda lookup: ~inner(lookup)
        if self.word == "(":
            self.step()
            inner = self.read_or(depth + 1)
            if self.word != ")":
                raise self.refuse()
            self.step()
            return inner
        if not self.word or self.word in "|&)":
            raise self.refuse()
        name = self.word
        self.names.append(name)
        self.step()
        return lambda lookup: lookup(name)

    def _split(self) -> Iterator[tuple[str, int]]:
        place = 0
        while self.expression[place:].strip():
            match = _TOKEN.match(self.expression, place)
            if match is None:
                self.word, self.place = self.expression[place:].strip()[0], place
                raise self.refuse()
            yield match.group().strip(), match.end() - len(match.group().strip())
            place = match.end()


def _combine(join: Callable[..., Any], tests: list[Test], lookup: Lookup) -> Booleans:
    result = tests[0](lookup)
    for test in tests[1:]:
        result = join(result, test(lookup))
    return result


def _list_variables(flags: xr.DataArray | xr.Dataset) -> dict[str, xr.DataArray]:
    if isinstance(flags, xr.DataArray):
        return {str(flags.name or "flags"): flags}
    return {
        str(name): item for name, item in flags.data_vars.items() if "flag_meanings" in item.attrs
    }


def _find_flag(name: str, variables: dict[str, xr.DataArray], expression: str) -> tuple[str, Flag]:
    """Return the variable that has a flag, and the flag."""
    flags_of = {variable: list_flags(array) for variable, array in variables.items()}
    lower_name = name.lower()
    matches = [
        (variable, flag)
        for variable, flags in flags_of.items()
        for key, flag in flags.items()
        if lower_name in {key.lower(), f"{variable}.{key}".lower()}
    ]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise InvalidInputError(
            f"The flag {name!r} is in several variables: {', '.join(item for item, _ in matches)}.",
            remedy=f"Name one of them, such as {matches[0][0]}.{name}.",
        )
    names = [
        key if len(flags_of) == 1 else f"{variable}.{key}"
        for variable, flags in flags_of.items()
        for key in flags
    ]
    raise InvalidInputError(
        f"There is no flag {name!r}, named by {expression!r:.200}.",
        remedy=f"There are: {', '.join(names)}." if names else "There are no flags here at all.",
    )


def _read_numbers(value: Any) -> list[int] | None:
    return None if value is None else [int(item) for item in np.atleast_1d(np.asarray(value))]


def _as_unsigned(block: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return numbers whose bits can be tested: a signed mask's highest bit is a bit."""
    if np.issubdtype(block.dtype, np.floating):
        return np.asarray(np.nan_to_num(block, nan=0).astype(np.uint64))
    if block.dtype.kind == "i":
        return np.asarray(block.view(f"u{block.dtype.itemsize}"))
    return np.asarray(block)
