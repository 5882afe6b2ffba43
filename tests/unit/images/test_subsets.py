"""The locks of the images are parts of the whole lock, neither stale nor different."""

import re
from pathlib import Path

import pytest
from images.building.subsets import (
    NOTEBOOKS_ONLY,
    ROOT,
    SUBSETS,
    WHOLE,
    Subset,
    list_needed,
    list_pinned,
    read_lock,
)


@pytest.mark.parametrize("subset", SUBSETS, ids=lambda subset: subset.path)
def test_each_has_the_versions_and_hashes_of_the_whole_lock(subset: Subset) -> None:
    whole = read_lock(WHOLE)
    part = read_lock(ROOT / subset.path)
    differing = [
        name
        for name, entry in part.items()
        if (entry.version, entry.hashes.split())
        != (whole[name].version, whole[name].hashes.split())
    ]
    assert differing == [], "run 'make image-locks'"
    assert all("--hash=sha256:" in entry.hashes for entry in part.values())
    assert "://" not in (ROOT / subset.path).read_text()


@pytest.mark.parametrize("subset", SUBSETS, ids=lambda subset: subset.path)
def test_each_has_what_is_needed_and_nothing_else(subset: Subset) -> None:
    pinned = set(list_pinned(ROOT / subset.path))
    assert pinned == list_needed(subset.name_requirements()), "run 'make image-locks'"


def test_a_stale_lock_would_be_seen(tmp_path: Path) -> None:
    hub = next(subset for subset in SUBSETS if subset.path == "images/hub/requirements.lock")
    lines = (ROOT / hub.path).read_text().splitlines(keepends=True)
    start = next(at for at, line in enumerate(lines) if line.startswith("pycurl=="))
    stale = tmp_path / "requirements.lock"
    stale.write_text("".join(lines[:start]) + "surplus==1 \\\n    --hash=sha256:0\n")
    assert "surplus" in set(list_pinned(stale)) - list_needed(hub.name_requirements())
    assert "pycurl" in list_needed(hub.name_requirements()) - set(list_pinned(stale))


def test_what_servers_lack_is_named_in_an_extra_and_imported_nowhere() -> None:
    whole = Subset("", extras=("science", "services", "kubernetes"))
    [part] = [subset for subset in SUBSETS if subset.left_out]
    lacking = set(whole.name_requirements()) - set(part.name_requirements())
    assert {line.partition(">")[0] for line in lacking} == set(NOTEBOOKS_ONLY)
    absent = read_lock(ROOT / "images/analysis/requirements.lock").keys() - (
        read_lock(ROOT / part.path).keys()
    )
    assert {"geopandas", "holoviews", "hvplot", "pyarrow", "pyogrio"} <= absent
    modules = ("dask.dataframe", "geopandas", "holoviews", "hvplot", "pyarrow", "pyogrio")
    named = "|".join(map(re.escape, modules))
    importing = re.compile(rf"^\s*(?:import|from) (?:{named})\b", re.MULTILINE)
    sources = (ROOT / "platform" / "skerry").rglob("*.py")
    assert [path for path in sources if importing.search(path.read_text())] == []


def test_development_stays_out_of_servers() -> None:
    for path in ("images/hub/requirements.lock", "images/services/requirements.lock"):
        assert not {"pytest", "mypy", "ruff", "playwright"} & read_lock(ROOT / path).keys()
