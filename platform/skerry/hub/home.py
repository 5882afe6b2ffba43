"""Copies the notebooks into a new home folder, each notebook only once."""

import json
import shutil
from pathlib import Path

_RECORD = Path(".skerry") / "seeded.json"


def seed_home(home: Path, notebooks: Path) -> None:
    """Copy the notebooks that this home has never had.

    Parameters
    ----------
    home
        The person's home folder; created if missing.
    notebooks
        Folder with ``tutorials/`` and ``production/``. Notebooks that the person changed or
        deleted stay so; new notebooks of a newer Skerry are added.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    record = home / _RECORD
    seeded = set(json.loads(record.read_text())) if record.exists() else set()
    offered = {path.relative_to(notebooks).as_posix() for path in notebooks.rglob("*.ipynb")}
    offered = {name for name in offered if ".ipynb_checkpoints" not in name}
    for name in sorted(offered - seeded):
        target = home / name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(notebooks / name, target)
    if offered - seeded:
        record.parent.mkdir(exist_ok=True)
        record.write_text(json.dumps(sorted(seeded | offered), indent=1))
