"""How much each family of files takes."""

from skerry.core.disk import measure_tree
from skerry.storage.layout import DataFolder
from skerry.storage.object_places import open_objects
from skerry.storage.run_folder import list_run_folders

_FAMILIES = (
    ("home folders", "users"), ("environments", "environments"),
    ("databases", "state"), ("logs", "logs"), ("clusters", "clusters"), ("scratch", "run"),
)  # fmt: skip


def measure_families(data: DataFolder) -> dict[str, int]:
    """Return how many bytes each family of files takes, the largest first.

    Executed notebooks and logs of runs are counted apart from the products beside them.
    """
    objects = open_objects(data)
    sizes = {name: measure_tree(data.root / folder) for name, folder in _FAMILIES}
    pages = sum(
        objects.measure(file.key)
        for folder in list_run_folders(objects)
        for file in folder.list_files().values()
    )
    sizes["products"] = max(0, objects.measure("") - pages)
    sizes["notebooks and logs of runs"] = pages
    return dict(sorted(sizes.items(), key=lambda entry: -entry[1]))
