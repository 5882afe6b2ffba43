"""Settings for the configuration files of hub and gateway, from the program that starts them.

On one machine ``skerry up`` writes these as JSON next to the secrets; on Kubernetes the chart does.
"""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict

from skerry.core.oidc.sign_on_settings import SignOnSettings
from skerry.core.settings import read_variables


class HubService(BaseModel):
    """One external service of the hub.

    Attributes
    ----------
    name
        The service's name; with `url` the proxy routes ``/services/<name>/`` to it.
    token
        The service's own hub API token.
    url
        Its internal address; None for a service without a web interface.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    token: str
    url: str | None = None


class _FileSettings(BaseModel):
    model_config = ConfigDict(frozen=True)

    @classmethod
    def from_environment(cls, variable: str) -> Self:
        """Read the JSON file that an environment variable names.

        Raises
        ------
        InvalidInputError
            If the variable is not set.
        """
        [path] = read_variables(variable)
        return cls.model_validate_json(Path(path).read_bytes())


class HubSettings(_FileSettings):
    """Everything that the hub's configuration needs to know.

    Attributes
    ----------
    public_url
        The platform's one public address, no trailing slash.
    hub_url, proxy_api_url
        Loopback addresses of the hub and of the proxy's routing table.
    proxy_command
        Words that start configurable-http-proxy: node and the script.
    proxy_token
        Secret between hub and proxy.
    proxy_pid_file, database, cookie_secret, users, notebooks
        Files and folders: the proxy's pid, the hub's database, its cookie secret, the home
        folders, and the notebooks that a new home receives.
    owner, password, password_file
        The one account, and the file with its password.
    project
        The account on whose behalf runs act; it cannot log in.
    services
        The platform's other parts.
    gateway_dashboards_port
        Loopback port where the gateway shows Dask dashboards, for user servers only.
    user_environment
        Environment of user servers, in addition to the hub's own variables.
    crypt_key
        Encrypts what the hub keeps of people's tokens at a provider.
    sign_on
        How people sign on with a provider; None for the password.
    """

    public_url: str
    hub_url: str
    proxy_api_url: str
    proxy_command: list[str]
    proxy_token: str
    proxy_pid_file: Path
    database: Path
    cookie_secret: Path
    users: Path
    notebooks: Path
    owner: str
    password: str
    password_file: Path
    project: str
    services: list[HubService]
    gateway_dashboards_port: int
    user_environment: dict[str, str]
    crypt_key: str = ""
    sign_on: SignOnSettings | None = None


class GatewaySettings(_FileSettings):
    """Everything that the gateway's configuration needs to know.

    Attributes
    ----------
    api_address
        ``host:port`` of the gateway's API, which the hub's proxy routes to.
    dashboards_address
        ``host:port`` where Dask dashboards answer; user servers only are sent here.
    scheduler_address
        ``host:port`` of the TLS proxy to schedulers.
    public_url
        The platform's one public address, no trailing slash.
    prefix
        The API's public path, no trailing slash.
    clusters
        Folder of the clusters' working folders.
    cluster_environment
        Environment of schedulers and workers.
    """

    api_address: str
    dashboards_address: str
    scheduler_address: str
    public_url: str
    prefix: str
    clusters: Path
    cluster_environment: dict[str, str]
