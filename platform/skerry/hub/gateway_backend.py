"""Where the gateway starts clusters: on this machine, each with a folder for temporary files."""

import shutil
from pathlib import Path
from typing import Any

from dask_gateway_server.backends.local import UnsafeLocalBackend

from skerry.core.temporary import name_temporary
from skerry.hub.gateway_clusters import describe_cluster


class FolderBackend(UnsafeLocalBackend):  # type: ignore[misc]
    """Processes of this machine whose temporary files are removed with their cluster.

    Data that a worker moves from memory to disk are among these files.
    """

    async def do_setup(self) -> None:
        """Remove the folders of clusters that ended with an earlier gateway."""
        self._clear()  # nobody is waiting for an answer yet

    def _clear(self) -> None:
        for left in Path(self.clusters_directory).iterdir():
            shutil.rmtree(left, ignore_errors=True)

    async def describe_clusters(self) -> list[dict[str, Any]]:
        """Return the facts of every cluster that has not ended."""
        return [
            describe_cluster(
                cluster,
                cluster.model_status.name,
                len(cluster.active_workers()),
                cluster.config.scheduler_memory,
                cluster.config.worker_memory,
            )
            for cluster in self.db.active_clusters()
        ]

    def get_env(self, cluster: Any) -> dict[str, str]:
        """Return the environment of a cluster's scheduler and workers."""
        folder = find_temporary(Path(cluster.state["workdir"]))
        folder.mkdir(mode=0o700, exist_ok=True)
        environment: dict[str, str] = super().get_env(cluster)
        return environment | name_temporary(folder) | {"DASK_TEMPORARY_DIRECTORY": str(folder)}

    def cleanup_working_directory(self, workdir: str) -> None:
        """Remove a cluster's folders when it has ended."""
        super().cleanup_working_directory(workdir)
        shutil.rmtree(find_temporary(Path(workdir)), ignore_errors=True)


def find_temporary(work: Path) -> Path:
    """Return the folder for temporary files beside a cluster's working folder.

    Its name is short, because sockets stand in it.
    """
    return work.with_name(f"tmp-{work.name[:8]}")
