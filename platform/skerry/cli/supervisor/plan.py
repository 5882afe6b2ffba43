"""The plan of a start: each part's command, environment and health check."""

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

import skerry
from skerry.cli.supervisor.credentials import Credentials
from skerry.cli.supervisor.leftovers import INSTANCE_MARK, PART_MARK
from skerry.cli.supervisor.ports import LOOPBACK, InternalPorts
from skerry.cli.supervisor.proxy_program import find_proxy_command
from skerry.cli.supervisor.record import GatewayRecord, PartRecord
from skerry.core.gateway import ADDRESS_VARIABLE
from skerry.core.hub_settings import GatewaySettings, HubService, HubSettings
from skerry.core.logs import LOG_FORMAT
from skerry.core.measurements import TOKEN_VARIABLE
from skerry.core.oidc.sign_on_settings import SECRET_VARIABLE, read_sign_on
from skerry.core.request_ids import REQUEST_VARIABLE
from skerry.core.settings import (
    DEFAULT_PROJECT,
    GATEWAY_PREFIX,
    HOST_VARIABLE,
    keep_certificates,
    platform_secrets,
)
from skerry.storage.layout import DataFolder
from skerry.storage.writing import write_aside

ISOLATION = "none"
"""The isolation of notebooks and runs from the platform: one machine means one person."""

PART_NAMES = ("gateway", "api", "maps", "worker", "dashboards", "hub")

_PACKAGE = Path(skerry.__file__).parent
_MODULES = {
    "api": "skerry.services.api",
    "maps": "skerry.services.maps",
    "worker": "skerry.services.worker",
    "dashboards": "skerry.dashboards",
}
_WEB_FACES = ("api", "maps", "dashboards", "worker")
_BEATING = ("worker",)
"""Parts whose life is seen by the file that they touch: work may stand still behind an answer."""
_DATABASE_USERS = ("api", "maps", "worker")
_OF_THE_HUB = frozenset({SECRET_VARIABLE, f"{SECRET_VARIABLE}_FILE"})
# A platform started from a notebook server's terminal must not take that server's identity.
_NOT_INHERITED = ("JUPYTERHUB_", "JPY_", "DASK_GATEWAY__", "CONFIGPROXY_")
_OWN_IDENTITY = frozenset(
    {
        "SKERRY_TOKEN",
        "SKERRY_URL",
        "SKERRY_RUN",
        REQUEST_VARIABLE,
        "SKERRY_OWN_PORT",
        HOST_VARIABLE,
        INSTANCE_MARK,
        PART_MARK,
    }
)


@dataclass(frozen=True)
class Part:
    """One child process.

    Attributes
    ----------
    record
        Its name and health check, for ``skerry status``.
    command
        Words that start it.
    environment
        Its whole environment.
    internal_health
        Loopback address that answers 200 when it is ready; None for the worker.
    """

    record: PartRecord
    command: list[str]
    environment: dict[str, str] = field(repr=False)
    internal_health: str | None

    @property
    def name(self) -> str:
        """The part's name."""
        return self.record.name


@dataclass(frozen=True)
class Plan:
    """All decisions for one start of a platform.

    Attributes
    ----------
    folder, credentials, password, ports, public_url
        Settings for the parts.
    names
        The parts to start, the hub last.
    """

    folder: DataFolder
    credentials: Credentials
    password: str = field(repr=False)
    ports: InternalPorts
    public_url: str
    names: tuple[str, ...] = PART_NAMES

    @property
    def hub_api(self) -> str:
        """The hub's API, internally."""
        return f"http://{LOOPBACK}:{self.ports.hub}/hub/api"

    @property
    def gateway(self) -> GatewayRecord:
        """Where clients of the gateway connect."""
        return GatewayRecord(
            address=f"{self.public_url}{GATEWAY_PREFIX}",
            proxy_address=f"tls://{LOOPBACK}:{self.ports.gateway_scheduler}",
        )

    def parts(self) -> list[Part]:
        """Return the parts in the order of their start; the hub comes last."""
        return [self.describe(name) for name in PART_NAMES if name in self.names]

    def describe(self, name: str) -> Part:
        """Return how to start one part."""
        if name == "hub":
            return self._describe_hub()
        if name == "gateway":
            return self._describe_gateway()
        return self._describe_service(name)

    def write_settings(self) -> None:
        """Write the settings for the configuration files of the hub and the gateway."""
        hub, gateway = self._hub_settings(), self._gateway_settings()
        write_aside(self._hub_file, hub.model_dump_json(indent=1), private=True)
        write_aside(self._gateway_file, gateway.model_dump_json(indent=1), private=True)
        token = self.credentials.service_tokens["prometheus"]
        write_aside(self.folder.metrics_token, token, private=True)

    @property
    def _hub_file(self) -> Path:
        return self.folder.state / "hub.json"

    @property
    def _gateway_file(self) -> Path:
        return self.folder.state / "gateway.json"

    def _describe_hub(self) -> Part:
        config = _PACKAGE / "hub" / "jupyterhub_config.py"
        return Part(
            record=PartRecord(
                name="hub", url=f"{self.public_url}/", health=f"{self.public_url}/hub/health"
            ),
            command=_python("skerry.hub.lean_start", "skerry.hub.program", "-f", str(config)),
            environment=self._common("hub") | {"SKERRY_HUB_SETTINGS": str(self._hub_file)},
            internal_health=f"http://{LOOPBACK}:{self.ports.hub}/hub/health",
        )

    def _describe_gateway(self) -> Part:
        config = _PACKAGE / "hub" / "gateway_config.py"
        return Part(
            record=PartRecord(
                name="gateway",
                url=f"{self.gateway.address}/",
                health=f"{self.gateway.address}/api/health",
            ),
            command=_python("dask_gateway_server", "-f", str(config)),
            environment=self._common("gateway")
            | self._hub_variables("dask-gateway", self.ports.gateway_api)
            | {"SKERRY_GATEWAY_SETTINGS": str(self._gateway_file)},
            internal_health=f"http://{LOOPBACK}:{self.ports.gateway_api}/api/health",
        )

    def _describe_service(self, name: str) -> Part:
        port = getattr(self.ports, name)
        path = f"/services/{name}"
        beats = name in _BEATING
        return Part(
            record=PartRecord(
                name=name,
                url="" if beats else f"{self.public_url}{path}/",
                health=None if beats else f"{self.public_url}{path}/health",
                beat=self.folder.run / f"{name}.ready" if beats else None,
            ),
            command=_python(_MODULES[name]),
            environment=self._common(name)
            | self._hub_variables(name, port)
            | self._gateway_variables()
            | {
                "SKERRY_SERVICE_PORT": str(port),
                TOKEN_VARIABLE: self.credentials.service_tokens["prometheus"],
            },
            internal_health=None if beats else f"http://{LOOPBACK}:{port}{path}/health",
        )

    def _common(self, name: str) -> dict[str, str]:
        """Return the environment that every part has."""
        secrets = platform_secrets()
        inherited = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(_NOT_INHERITED)
            and key not in _OWN_IDENTITY
            and (name in _DATABASE_USERS or key not in secrets)
            and (name == "hub" or key not in _OF_THE_HUB)
        }
        programs = str(Path(sys.executable).parent)
        no_proxy = [inherited.get("NO_PROXY", inherited.get("no_proxy", "")), "127.0.0.1,localhost"]
        return (
            inherited
            | keep_certificates()
            | {
                "PATH": f"{programs}{os.pathsep}{inherited.get('PATH', os.defpath)}",
                "NO_PROXY": ",".join(filter(None, no_proxy)),
                "PYTHONUNBUFFERED": "1",
                "TZ": "UTC",  # one clock in all logs, also in those of other projects' programs
                "SKERRY_DATA": str(self.folder.root),
                "SKERRY_PUBLIC_URL": self.public_url,
                "SKERRY_OWNER": self.credentials.owner,
                "SKERRY_ISOLATION": ISOLATION,
                INSTANCE_MARK: self.credentials.instance,
                PART_MARK: name,
            }
        )

    def _hub_variables(self, service: str, port: int) -> dict[str, str]:
        """Return the variables that JupyterHub itself would give a service that it starts."""
        prefix = f"/services/{service}/"
        access = json.dumps(["access:services", f"access:services!service={service}"])
        return {
            "JUPYTERHUB_SERVICE_NAME": service,
            "JUPYTERHUB_API_TOKEN": self.credentials.service_tokens[service],
            "JUPYTERHUB_API_URL": self.hub_api,
            "JUPYTERHUB_BASE_URL": "/",
            "JUPYTERHUB_HOST": "",
            "JUPYTERHUB_PUBLIC_HUB_URL": f"{self.public_url}/hub/",
            "JUPYTERHUB_PUBLIC_URL": f"{self.public_url}{prefix}",
            "JUPYTERHUB_SERVICE_PREFIX": prefix,
            "JUPYTERHUB_SERVICE_URL": f"http://{LOOPBACK}:{port}" if port else "",
            "JUPYTERHUB_CLIENT_ID": f"service-{service}",
            "JUPYTERHUB_OAUTH_CALLBACK_URL": f"{prefix}oauth_callback",
            "JUPYTERHUB_OAUTH_ACCESS_SCOPES": access,
            "JUPYTERHUB_OAUTH_SCOPES": access,
            "JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES": "[]",
        }

    def _gateway_variables(self) -> dict[str, str]:
        return {
            "DASK_GATEWAY__ADDRESS": self.gateway.address,
            "DASK_GATEWAY__PROXY_ADDRESS": self.gateway.proxy_address,
            "DASK_GATEWAY__AUTH__TYPE": "jupyterhub",
            **(
                {ADDRESS_VARIABLE: f"http://{LOOPBACK}:{self.ports.gateway_api}"}
                if "gateway" in self.names
                else {}
            ),
        }

    def _hub_settings(self) -> HubSettings:
        return HubSettings(
            public_url=self.public_url,
            hub_url=f"http://{LOOPBACK}:{self.ports.hub}",
            proxy_api_url=f"http://{LOOPBACK}:{self.ports.proxy_api}",
            proxy_command=find_proxy_command(),
            proxy_token=self.credentials.proxy_token,
            proxy_pid_file=self.folder.pids / "proxy.pid",
            database=self.folder.state / "hub.sqlite",
            cookie_secret=self.folder.state / "cookie_secret",
            users=self.folder.users,
            notebooks=_find_notebooks(),
            owner=self.credentials.owner,
            password=self.password,
            password_file=self.folder.password,
            project=DEFAULT_PROJECT,
            services=self._hub_services(),
            gateway_dashboards_port=self.ports.gateway_dashboards,
            crypt_key=self.credentials.crypt_key,
            sign_on=read_sign_on(self.credentials.owner),
            user_environment={
                "SKERRY_URL": self.public_url,
                "DASK_GATEWAY__PROXY_ADDRESS": self.gateway.proxy_address,
                INSTANCE_MARK: self.credentials.instance,
                PART_MARK: "user",
                **keep_certificates(),
            },
        )

    def _hub_services(self) -> list[HubService]:
        ports = {name: getattr(self.ports, name) for name in _WEB_FACES if name in self.names}
        if "gateway" in self.names:
            ports["dask-gateway"] = self.ports.gateway_api
        return [
            HubService(
                name=name,
                token=token,
                url=f"http://{LOOPBACK}:{ports[name]}" if name in ports else None,
            )
            for name, token in self.credentials.service_tokens.items()
        ]

    def _gateway_settings(self) -> GatewaySettings:
        return GatewaySettings(
            api_address=f"{LOOPBACK}:{self.ports.gateway_api}",
            dashboards_address=f"{LOOPBACK}:{self.ports.gateway_dashboards}",
            scheduler_address=f"{LOOPBACK}:{self.ports.gateway_scheduler}",
            public_url=self.public_url,
            prefix=GATEWAY_PREFIX,
            clusters=self.folder.clusters,
            cluster_environment={
                "DASK_DISTRIBUTED__ADMIN__LOG_FORMAT": LOG_FORMAT,
                "SKERRY_PUBLIC_URL": self.public_url,
                INSTANCE_MARK: self.credentials.instance,
                PART_MARK: "gateway",
                **keep_certificates(),
            },
        )


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def _find_notebooks() -> Path:
    """Return the notebooks of a wheel, else those of the checkout."""
    packaged = _PACKAGE / "notebooks"
    return packaged if packaged.is_dir() else _PACKAGE.parents[1] / "notebooks"
