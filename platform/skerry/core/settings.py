"""What a program is told from outside: the data folder and where the platform is.

Environment variables only, the same on one machine and on Kubernetes. Hub variables keep the
names that JupyterHub gives them (`JUPYTERHUB_API_TOKEN`, `JUPYTERHUB_API_URL`, ...).
"""

import os
from pathlib import Path

import platformdirs
from pydantic import BaseModel, ConfigDict

from skerry.core.errors import UnavailableError

API_PREFIX = "/services/api"
MAPS_PREFIX = "/services/maps"
DASHBOARDS_PREFIX = "/services/dashboards"
GATEWAY_PREFIX = "/services/dask-gateway"

DEFAULT_PORT = 8000
DEFAULT_PROJECT = "project-main"

LARGEST_BODY = 1 << 20
"""Bytes of a request's body, unless a route or a setting says otherwise: data go under grants."""


def default_data_folder() -> Path:
    """Return the data folder: `SKERRY_DATA`, else the user's own data directory."""
    named = os.environ.get("SKERRY_DATA")
    return Path(named).absolute() if named else Path(platformdirs.user_data_dir("skerry"))


class ServiceSettings(BaseModel):
    """What every service of a running platform is told.

    Attributes
    ----------
    data
        The data folder (databases, objects, logs).
    public_url
        The platform's one public address, without a trailing slash: ``http://127.0.0.1:8000``.
    port
        The loopback port this service listens on.
    largest_body
        Most bytes of a request's body, where a route does not say otherwise.
    """

    model_config = ConfigDict(frozen=True)

    data: Path
    public_url: str
    port: int
    largest_body: int = LARGEST_BODY

    @classmethod
    def from_environment(cls) -> "ServiceSettings":
        """Read `SKERRY_DATA`, `SKERRY_PUBLIC_URL` and `SKERRY_SERVICE_PORT`.

        `SKERRY_LARGEST_BODY`, in bytes, may be left out.

        Raises
        ------
        UnavailableError
            If one is missing: services are started by ``skerry up`` or by the Helm chart.
        """
        missing = [
            name
            for name in ("SKERRY_DATA", "SKERRY_PUBLIC_URL", "SKERRY_SERVICE_PORT")
            if not os.environ.get(name)
        ]
        if missing:
            raise UnavailableError(
                f"The environment lacks {', '.join(missing)}.",
                remedy="Start the platform with 'skerry up', which sets them.",
            )
        return cls(
            data=Path(os.environ["SKERRY_DATA"]),
            public_url=os.environ["SKERRY_PUBLIC_URL"].rstrip("/"),
            port=int(os.environ["SKERRY_SERVICE_PORT"]),
            largest_body=int(os.environ.get("SKERRY_LARGEST_BODY") or LARGEST_BODY),
        )
