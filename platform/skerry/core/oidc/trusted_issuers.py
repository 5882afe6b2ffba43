"""Settings for machine clients: whose tokens pass without the hub, and for which account."""

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from skerry.core.oidc.provider import ProviderAddress
from skerry.core.oidc.sign_on_settings import AccountName, ProjectName, Role, read_settings
from skerry.core.oidc.tokens import Algorithm
from skerry.core.scopes import ROLES, Scope

TRUSTED_VARIABLE = "SKERRY_TRUSTED_ISSUERS"
"""Names the file of these settings."""

_PARTS = frozenset(
    {"hub", "api", "maps", "worker", "dashboards", "dask-gateway", "supervisor", "prometheus"}
)


class MachineClient(BaseModel):
    """A program that brings its own token, and what it may do.

    Attributes
    ----------
    name
        The account is ``service:<name>``.
    when
        Claims and their values, all of which the token must have. Where a claim is a list, such
        as ``groups``, the value must be in it.
    roles, scopes
        What the account may do.
    projects
        Projects that it belongs to.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: AccountName
    when: dict[str, str] = Field(min_length=1)
    roles: tuple[Role, ...] = ()
    scopes: tuple[Scope, ...] = ()
    projects: tuple[ProjectName, ...] = ()

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        if name in _PARTS:
            raise ValueError("is the name of a part of the platform")
        return name

    @field_validator("scopes")
    @classmethod
    def _check_scopes(cls, scopes: tuple[Scope, ...]) -> tuple[Scope, ...]:
        if Scope.RUN_PUBLISH in scopes:
            raise ValueError(f"only tokens of runs have {Scope.RUN_PUBLISH}")
        return scopes

    @property
    def all_scopes(self) -> frozenset[str]:
        """The scopes, those of the roles too."""
        of_roles = {str(scope) for role in self.roles for scope in ROLES[role]}
        return frozenset(of_roles | set(map(str, self.scopes)))

    def is_meant(self, claims: Mapping[str, Any]) -> bool:
        """Return whether a token with these claims is this client's."""
        return all(_says(claims.get(name), value) for name, value in self.when.items())


class TrustedIssuer(BaseModel):
    """A provider whose tokens for this platform pass.

    Attributes
    ----------
    issuer
        The provider's identifier, as in `skerry.core.oidc.sign_on_settings.SignOnSettings`.
    audience
        For whom its tokens must be: a name that only this platform's api has. The client with
        which people sign on must have another.
    clients
        Who it may be; the first that is meant counts.
    algorithms
        How the tokens may be signed.
    longest_s
        The longest life of a token in seconds: nobody can revoke it.
    leeway_s
        By how many seconds the clocks may differ.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: ProviderAddress
    audience: str = Field(min_length=1)
    clients: tuple[MachineClient, ...] = Field(min_length=1)
    algorithms: tuple[Algorithm, ...] = Field(default=("RS256", "ES256"), min_length=1)
    longest_s: int = Field(default=86_400, ge=1, le=31 * 86_400)
    leeway_s: int = Field(default=30, ge=0, le=300)


class TrustedIssuers(BaseModel):
    """All providers whose tokens pass.

    Attributes
    ----------
    issuers
        The providers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuers: tuple[TrustedIssuer, ...] = ()

    @model_validator(mode="after")
    def _check_whole(self) -> Self:
        counts = Counter(entry.issuer for entry in self.issuers)
        twice = [issuer for issuer, count in counts.items() if count > 1]
        if twice:
            raise ValueError(f"issuers name {twice[0]!r} twice")
        return self

    @classmethod
    def from_environment(cls) -> Self:
        """Read the file that `SKERRY_TRUSTED_ISSUERS` names; nobody is trusted if it is not set.

        Raises
        ------
        InvalidInputError
            If the file cannot be used.
        """
        path = os.environ.get(TRUSTED_VARIABLE)
        return read_settings(cls, Path(path)) if path else cls()

    @property
    def names(self) -> frozenset[str]:
        """The names of all machine clients."""
        return frozenset(client.name for entry in self.issuers for client in entry.clients)


def _says(claim: Any, value: str) -> bool:
    if isinstance(claim, list):
        return value in [entry for entry in claim if isinstance(entry, str)]
    return isinstance(claim, str) and claim == value
