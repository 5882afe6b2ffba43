"""Settings of the hub, its user servers and its Dask clusters on Kubernetes; they hold no secret.

The chart renders them as JSON from its values. `SKERRY_HUB_SETTINGS` names the file for the hub,
and holds the JSON itself for the gateway. The services' tokens are files of a folder, called after
their services, which `SKERRY_HUB_TOKENS` names.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, ValidationError, model_validator

from skerry.core.errors import InvalidInputError, describe_first
from skerry.core.hosts import LOOPBACK_NAMES
from skerry.core.hub_profiles import (
    ChartSettings,
    Cores,
    HomeVolume,
    Memory,
    Profile,
    ProjectVolumes,
    ServerImage,
    SharedVolume,
    Slug,
    count_bytes,
)
from skerry.core.oidc.sign_on_settings import SignOnSettings
from skerry.core.settings import DEFAULT_PROJECT, read_variables

TOKENS_VARIABLE = "SKERRY_HUB_TOKENS"
"""Names the folder with a file for each service, which holds its token."""

Address = Annotated[str, StringConstraints(pattern=r"^https?://[^/\s?#]+$")]
"""Scheme, host and port, no trailing slash."""


class ServiceAddress(ChartSettings):
    """A part of the platform that is a service of the hub.

    Attributes
    ----------
    name
        ``api``, ``maps``, ``dashboards``, ``worker``, ``dask-gateway``, ``prometheus`` or, where
        budgets are enabled, ``spawner``: the hub as it asks for room in them.
    url
        Its address in the cluster, to which the proxy routes ``/services/<name>/``; None for a
        service without pages. For ``dask-gateway`` this is the gateway's API itself, never its
        proxy, which shows Dask dashboards to anybody.
    """

    name: Slug
    url: Address | None = None


class IdleRules(ChartSettings):
    """When servers end that nobody uses.

    Attributes
    ----------
    end_after_minutes
        Minutes without any activity after which a server ends.
    warn_minutes
        How many minutes before that its person is told.
    longest_hours
        Hours after which every server ends, used or not; None for never.
    check_minutes
        How often the hub looks.
    """

    end_after_minutes: int = Field(default=60, ge=5, le=43_200)
    warn_minutes: int = Field(default=10, ge=1, le=1_440)
    longest_hours: int | None = Field(default=None, ge=1, le=8_760)
    check_minutes: int = Field(default=2, ge=1, le=60)

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.warn_minutes + self.check_minutes > self.end_after_minutes:
            raise ValueError(
                "endAfterMinutes must be at least warnMinutes and checkMinutes together, "
                "or nobody is told in time"
            )
        return self


class BudgetRules(ChartSettings):
    """Whether servers and Dask clusters count against budgets.

    Attributes
    ----------
    enabled
        Whether the hub and the gateway ask the api before a start. Runs count in any case, as soon
        as there is a budget.
    hold_hours
        For how many hours a start reserves, or as long as the budget lasts, but at least for an
        hour. What lives longer goes on, and is counted.
    """

    enabled: bool = False
    hold_hours: int = Field(default=4, ge=1, le=720)


class DaskRules(ChartSettings):
    """What Dask clusters may take; the gateway holds its users to it.

    Attributes
    ----------
    clusters_per_user, cores_per_user, memory_per_user
        Limits of all clusters of a person, or of one attempt of a run, together. A cluster counts
        with all workers that it may grow to.
    worker_cores, worker_memory, scheduler_cores, scheduler_memory
        Limits of one worker and of one scheduler.
    largest_worker_cores, largest_worker_memory
        What a person may ask for instead.
    idle_minutes
        Minutes without work after which a cluster ends.
    dashboards
        ``host:port`` of the gateway's proxy in the cluster, where user servers fetch dashboards.
    proxy_address
        The address of the gateway's proxy to schedulers.
    """

    clusters_per_user: int = Field(default=2, ge=1, le=1_000)
    cores_per_user: Cores = 16
    memory_per_user: Memory = "64Gi"
    worker_cores: Cores = 1
    worker_memory: Memory = "4Gi"
    scheduler_cores: Cores = 1
    scheduler_memory: Memory = "2Gi"
    largest_worker_cores: Cores = 4
    largest_worker_memory: Memory = "16Gi"
    idle_minutes: int = Field(default=15, ge=1, le=1_440)
    dashboards: str = Field(pattern=r"^[a-z0-9.-]+:[0-9]{1,5}$")
    proxy_address: str = Field(pattern=r"^(gateway|tls|tcp)://[^/\s]+$")

    @model_validator(mode="after")
    def _check_smallest(self) -> Self:
        memory = count_bytes(self.worker_memory) + count_bytes(self.scheduler_memory)
        if memory > count_bytes(self.memory_per_user):
            raise ValueError("memoryPerUser is not enough for a scheduler and one worker")
        if self.worker_cores + self.scheduler_cores > self.cores_per_user:
            raise ValueError("coresPerUser is not enough for a scheduler and one worker")
        return self


class ClusterHubSettings(ChartSettings):
    """Everything that the hub's configuration on Kubernetes needs to know, but secrets.

    Attributes
    ----------
    public_url
        The platform's one public address, no trailing slash.
    internal_url
        Where user servers and Dask workers reach api, maps and gateway; the public address if
        None.
    user_domain
        The domain below which each person has a host of their own, ``ann.<domain>``: that of
        `public_url`, or another, which keeps cookies apart, too. Needed as soon as more than one
        person may log in.
    only_person
        The one account that may log in; None if several may.
    project
        The account on whose behalf runs act; it cannot log in.
    sign_on
        The provider with which people log in; None for the one person's password.
    authorities
        A file of certificate authorities, which are trusted besides the usual ones; None for none.
    services
        The platform's other parts.
    images, profiles
        What people may choose; the first of each is the default.
    home, shared, projects
        Volumes of user servers.
    priority_class
        The priority class of user servers and Dask clusters; the cluster's default if None.
    start_minutes
        How long a server may take to start.
    idle
        When servers end.
    dask
        What Dask clusters may take; None where there is no gateway.
    budgets
        Whether servers and Dask clusters count against budgets.
    environment
        More variables of user servers and Dask clusters. Nothing secret: people read them.
    """

    public_url: Address
    internal_url: Address | None = None
    user_domain: str | None = Field(default=None, pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)*$")
    only_person: str | None = Field(default=None, min_length=1)
    project: str = DEFAULT_PROJECT
    sign_on: SignOnSettings | None = None
    authorities: str | None = None
    services: tuple[ServiceAddress, ...]
    images: tuple[ServerImage, ...] = Field(min_length=1)
    profiles: tuple[Profile, ...] = Field(min_length=1)
    home: HomeVolume = HomeVolume()
    shared: tuple[SharedVolume, ...] = ()
    projects: ProjectVolumes | None = None
    priority_class: str | None = None
    start_minutes: int = Field(default=10, ge=1, le=120)
    idle: IdleRules = IdleRules()
    dask: DaskRules | None = None
    budgets: BudgetRules = BudgetRules()
    environment: dict[str, str] = Field(default_factory=dict)

    @property
    def inside_url(self) -> str:
        """Where pods reach the platform."""
        return self.internal_url or self.public_url

    def find_url(self, service: str) -> str:
        """Return the address of a part inside the cluster; empty if it has none."""
        urls = {each.name: each.url for each in self.services}
        return urls.get(service) or ""

    @model_validator(mode="after")
    def _check_budgets(self) -> Self:
        if self.budgets.enabled and not self.find_url("api"):
            raise ValueError("budgets are enabled, but services names no api with a url")
        return self

    @model_validator(mode="after")
    def _check_people(self) -> Self:
        if self.only_person is None and self.user_domain is None:
            raise ValueError(
                "userDomain is missing: on one host a page of one person acts as whoever visits "
                "it. Give the domain below which each person has a host, or onlyPerson"
            )
        listed = [] if self.sign_on is None else [*self.sign_on.accounts.values()]
        if self.sign_on is not None and self.only_person not in (None, *listed):
            raise ValueError(
                f"signOn.accounts does not name onlyPerson ({self.only_person!r}), who could not "
                "log in then"
            )
        self._check_provider()
        address = urlsplit(self.public_url)
        name = address.hostname or ""
        if self.user_domain is not None and name.endswith(f".{self.user_domain}"):
            raise ValueError(
                f"userDomain is {self.user_domain!r}, above the platform's own host {name!r}: a "
                "person with the first part of that name would have this host"
            )
        if address.scheme != "https" and not is_loopback(name):
            raise ValueError("publicUrl is not https: passwords and tokens would be readable")
        return self

    def _check_provider(self) -> None:
        """Refuse a provider at a host that a person could have, and that leads to the platform."""
        if self.sign_on is None or self.user_domain is None:
            return
        host = urlsplit(self.sign_on.issuer).hostname or ""
        if host.endswith(f".{self.user_domain}"):
            raise ValueError(
                f"signOn.issuer is at {host!r}, below userDomain {self.user_domain!r}: whoever has "
                "that name there would have the provider's host"
            )

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        for key, names in (
            ("services", [service.name for service in self.services]),
            ("images", [image.name for image in self.images]),
            ("profiles", [profile.name for profile in self.profiles]),
            ("shared", [volume.name for volume in self.shared]),
            ("mounts of volumes", self._list_mounts()),
        ):
            if twice := _find_twice(names):
                raise ValueError(f"{key}: {twice!r} is there twice")
        known = {image.name for image in self.images}
        for profile in self.profiles:
            if missing := set(profile.images) - known:
                raise ValueError(f"profile {profile.name!r} names no image: {min(missing)!r}")
        return self

    def _list_mounts(self) -> list[str]:
        projects = [self.projects.mount] if self.projects else []
        return [self.home.mount, *(volume.mount for volume in self.shared), *projects]

    @classmethod
    def from_environment(cls, variable: str = "SKERRY_HUB_SETTINGS") -> Self:
        """Read the JSON that an environment variable holds, or that is in the file it names.

        The chart of the gateway mounts no file of ours, but takes variables.

        Raises
        ------
        InvalidInputError
            If the variable is not set, or the JSON is not right; it names the setting.
        """
        [text] = read_variables(variable)
        holds_it = text.lstrip().startswith("{")
        path = variable if holds_it else text
        try:
            return cls.model_validate_json(text if holds_it else Path(text).read_bytes())
        except ValidationError as error:
            raise InvalidInputError(
                f"{path}: {describe_first(error)}.",
                remedy="Correct this setting in the chart's values.",
            ) from None


def read_token(service: str) -> str:
    """Return a service's token.

    Raises
    ------
    InvalidInputError
        If its file is missing or empty.
    """
    [folder] = read_variables(TOKENS_VARIABLE)
    path = Path(folder) / service
    token = path.read_text().strip() if path.is_file() else ""
    if not token:
        raise InvalidInputError(
            f"The token of the service {service!r} is missing: {path}.",
            remedy=f"Add the key {service!r} to the Secret with the tokens of services.",
        )
    return token


def is_loopback(name: str) -> bool:
    """Return whether a host name always means this machine."""
    return name in LOOPBACK_NAMES or name.endswith(".localhost")


def _find_twice(names: Iterable[str]) -> str | None:
    return next((name for name, number in Counter(names).items() if number > 1), None)
