"""Compare the arrays that a peer read with a product of ours."""

import numpy as np
import numpy.typing as npt
import xarray as xr
from tests.peers.reference_process import Arrays

ROUNDINGS = 4
"""How often a number may have been rounded on the way, in the coarser of the two types."""


def list_variables(tree: xr.DataTree) -> set[str]:
    """Return the paths of all data variables."""
    return {
        f"{node.path}/{name}".strip("/")
        for node in tree.subtree
        for name in node.to_dataset(inherit=False).data_vars
    }


def list_paths(found: Arrays) -> set[str]:
    """Return the paths of a peer's variables, its coordinates (``path@name``) left out."""
    return {path for path in found if "@" not in path}


def tolerance_of(theirs: npt.NDArray, ours: npt.NDArray) -> float:
    """Return by how much two arrays may differ: some roundings of the largest number.

    Whatever the unit: a band's centre is some 1e-6 m, a pressure some 1e5 Pa. Integers and truth
    values are exact.
    """
    floats = [item.dtype for item in (theirs, ours) if item.dtype.kind == "f"]
    finite = np.abs(ours[np.isfinite(ours)].astype(np.float64))
    if not floats or not finite.size:
        return 0.0
    return ROUNDINGS * max(float(np.finfo(item).eps) for item in floats) * float(finite.max())


def check_values(theirs: npt.NDArray, ours: npt.ArrayLike, what: str) -> None:
    """Numbers agree but for rounding, all else does exactly."""
    expected = np.asarray(ours)
    if expected.dtype.kind in "OSUTm":
        np.testing.assert_array_equal(theirs.astype(str), expected.astype(str), err_msg=what)
    elif expected.dtype.kind == "M":
        np.testing.assert_array_equal(
            theirs.astype("datetime64[ns]"), expected.astype("datetime64[ns]"), err_msg=what
        )
    else:
        tolerance = tolerance_of(theirs, expected)
        np.testing.assert_allclose(theirs, expected, rtol=0, atol=tolerance, err_msg=what)


def check_variables(found: Arrays, tree: xr.DataTree, paths: set[str]) -> None:
    """All of `paths` agree."""
    for path in sorted(paths):
        check_values(found[path], tree[path].to_numpy(), path)


def check_coordinates(found: Arrays, tree: xr.DataTree) -> int:
    """All coordinates that both have agree; return how many there are."""
    compared = 0
    for key in sorted(found):
        path, _, name = key.partition("@")
        if name and name in tree[path].coords:
            check_values(found[key], tree[path].coords[name].to_numpy(), key)
            compared += 1
    return compared
