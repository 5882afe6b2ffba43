"""A program's settings from outside: the data folder and the platform's address.

Environment variables only, the same on one machine and on Kubernetes. Hub variables keep the
names that JupyterHub gives them (`JUPYTERHUB_API_TOKEN`, `JUPYTERHUB_API_URL`, ...).
"""

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import platformdirs
from pydantic import BaseModel, ConfigDict

from skerry.core.errors import InvalidInputError

API_PREFIX = "/services/api"
MAPS_PREFIX = "/services/maps"
DASHBOARDS_PREFIX = "/services/dashboards"
WORKER_PREFIX = "/services/worker"
GATEWAY_PREFIX = "/services/dask-gateway"
STATUS_PREFIX = "/services/status"

DEFAULT_PORT = 8000
DEFAULT_PROJECT = "project-main"

LARGEST_BODY = 1 << 20
"""Largest body of a request in bytes, by default: data are written under grants instead."""


def default_data_folder() -> Path:
    """Return the data folder: `SKERRY_DATA`, else the user's own data directory."""
    path = os.environ.get("SKERRY_DATA")
    return Path(path).absolute() if path else Path(platformdirs.user_data_dir("skerry"))


DATABASE_VARIABLE = "SKERRY_DATABASE_URL"

DATABASE_SECRETS = frozenset({DATABASE_VARIABLE, "PGPASSWORD", "PGPASSFILE", "PGSERVICEFILE"})
"""Variables that let a program into the database; only those that open it get them."""


def read_database_url() -> str | None:
    """Return `SKERRY_DATABASE_URL`, None where the database is a file of the data folder."""
    return os.environ.get(DATABASE_VARIABLE) or None


OBJECTS_VARIABLE = "SKERRY_OBJECTS"

GRANTS_VARIABLE = "SKERRY_GRANTS"
GRANT_WAYS = ("credentials", "addresses")


def read_grants_way() -> str:
    """Return `SKERRY_GRANTS`: how those who hold a grant get to a bucket; credentials by default.

    Raises
    ------
    InvalidInputError
        If it is neither of the `GRANT_WAYS`.
    """
    way = os.environ.get(GRANTS_VARIABLE) or GRANT_WAYS[0]
    if way not in GRANT_WAYS:
        raise InvalidInputError(
            f"{GRANTS_VARIABLE} is {way[:60]!r}.",
            remedy="Write 'credentials', or 'addresses' for an object store without a token "
            "service (STS).",
        )
    return way


OBJECT_SECRETS = frozenset({
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
    "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE",
})  # fmt: skip
"""Variables that let a program into the platform's bucket; only those that open it get them."""

CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "AWS_CA_BUNDLE")
"""Variables that name the certificate authorities to trust. They are no secret, and whoever reads
the bucket needs them: notebooks, runs and Dask workers too."""


def keep_certificates(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return those of the `CERTIFICATE_VARIABLES` that are set, with absolute paths."""
    return {
        name: os.pathsep.join(map(os.path.abspath, environment[name].split(os.pathsep)))
        for name in CERTIFICATE_VARIABLES
        if environment.get(name)
    }


def platform_secrets() -> frozenset[str]:
    """Return the variables that only programs get that open the database and the objects."""
    place = read_objects_place() or ""
    return DATABASE_SECRETS | (OBJECT_SECRETS if place.startswith("s3:") else frozenset())


PART_SECRETS = frozenset({"JUPYTERHUB_API_TOKEN", "SKERRY_METRICS_TOKEN"})
"""Variables with which a part of the platform shows who it is."""


def read_objects_place() -> str | None:
    """Return `SKERRY_OBJECTS`, None where the object store is a folder of the data folder."""
    return os.environ.get(OBJECTS_VARIABLE) or None


def read_variables(*names: str, environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return the values of environment variables that must be set.

    Raises
    ------
    InvalidInputError
        If some are missing; it names them.
    """
    missing = [name for name in names if not environment.get(name)]
    if missing:
        raise InvalidInputError(
            f"The environment lacks {', '.join(missing)}.",
            remedy="Start it with 'skerry up' or 'skerry serve', which set what a part needs.",
        )
    return [environment[name] for name in names]


HOST_VARIABLE = "SKERRY_LISTEN_HOST"
LOOPBACK = "127.0.0.1"


def read_listen_host() -> str:
    """Return the address on which a part listens: `SKERRY_LISTEN_HOST`, else loopback.

    Raises
    ------
    InvalidInputError
        If it is no IP address: a name may lead to several interfaces.
    """
    text = os.environ.get(HOST_VARIABLE) or LOOPBACK
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise InvalidInputError(
            f"{HOST_VARIABLE} is {text[:140]!r}.",
            remedy="Give an IP address of this machine, or 0.0.0.0 for all of them.",
        ) from None


class ServiceSettings(BaseModel):
    """Settings of every service of a running platform.

    Attributes
    ----------
    data
        The data folder (databases, objects, logs).
    public_url
        The platform's one public address, without a trailing slash: ``http://127.0.0.1:8000``.
    host
        The address on which they listen.
    port
        The port on which all processes of this service listen together.
    own_port
        Another port, on which this process listens alone; None for none.
    largest_body
        Largest body of a request in bytes, unless a route sets another limit.
    self_approval
        Whether somebody may approve their own proposal, saying so. A platform of several people
        switches it off. `SKERRY_SELF_APPROVAL`, ``on`` by default or ``off``.
    """

    model_config = ConfigDict(frozen=True)

    data: Path
    public_url: str
    host: str = LOOPBACK
    port: int
    own_port: int | None = None
    largest_body: int = LARGEST_BODY
    self_approval: bool = True

    @classmethod
    def from_environment(cls) -> "ServiceSettings":
        """Read `SKERRY_DATA`, `SKERRY_PUBLIC_URL` and `SKERRY_SERVICE_PORT`.

        `SKERRY_LISTEN_HOST`, `SKERRY_OWN_PORT`, `SKERRY_LARGEST_BODY`, in bytes, and
        `SKERRY_SELF_APPROVAL` may be left out.

        Raises
        ------
        InvalidInputError
            If one is missing or wrong: services are started by ``skerry up`` or by the Helm chart.
        """
        data, public_url, _ = read_variables(
            "SKERRY_DATA", "SKERRY_PUBLIC_URL", "SKERRY_SERVICE_PORT"
        )
        port = read_number("SKERRY_SERVICE_PORT", 65_535, "a port")
        assert port is not None  # noqa: S101  (it is set)
        return cls(
            data=Path(data),
            public_url=public_url.rstrip("/"),
            host=read_listen_host(),
            port=port,
            own_port=read_number("SKERRY_OWN_PORT", 65_535, "a port"),
            largest_body=read_largest_body(),
            self_approval=read_switch("SKERRY_SELF_APPROVAL"),
        )


def read_largest_body() -> int:
    """Return the largest body of a request in bytes: `SKERRY_LARGEST_BODY`, or the default.

    Raises
    ------
    InvalidInputError
        If it is not a number of bytes.
    """
    return read_number("SKERRY_LARGEST_BODY", 1 << 40, "bytes") or LARGEST_BODY


def read_internal_url(public_url: str) -> str:
    """Return the address at which runs reach the platform: `SKERRY_INTERNAL_URL`, or the public.

    Raises
    ------
    InvalidInputError
        If it is no address.
    """
    text = os.environ.get("SKERRY_INTERNAL_URL") or public_url
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidInputError(
            f"SKERRY_INTERNAL_URL is {text[:140]!r}.",
            remedy="Write an address such as http://skerry-api.skerry.svc:8000.",
        )
    return text.rstrip("/")


def read_switch(variable: str, *, default: str = "on") -> bool:
    """Return whether a variable is ``on``.

    Raises
    ------
    InvalidInputError
        If it is neither ``on`` nor ``off``.
    """
    text = os.environ.get(variable) or default
    if text not in ("on", "off"):
        raise InvalidInputError(f"{variable} is {text!r}.", remedy="Give 'on' or 'off'.")
    return text == "on"


def read_number(variable: str, most: int, what: str) -> int | None:
    """Return the number above zero that an environment variable holds, None if it is not set.

    Raises
    ------
    InvalidInputError
        If it holds anything else, or more than `most`; `what` says which numbers it takes.
    """
    text = os.environ.get(variable, "")
    if not text:
        return None
    if not text.isdecimal() or not 0 < int(text) <= most:
        raise InvalidInputError(
            f"{variable} is {text!r}.", remedy=f"Give {what}, from 1 to {most}."
        )
    return int(text)
