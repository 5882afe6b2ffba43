"""Settings for the sign-on of people with an OpenID provider; they hold no secret."""

import os
import re
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from skerry.core.errors import InvalidInputError, describe_first
from skerry.core.oidc.provider import ProviderAddress
from skerry.core.oidc.tokens import Algorithm
from skerry.core.scopes import PROJECTS_GROUP, ROLE_GROUP_PREFIX
from skerry.core.settings import DEFAULT_PROJECT

SIGN_ON_VARIABLE = "SKERRY_SIGN_ON"
"""Names the file of these settings on one machine."""

SECRET_VARIABLE = "SKERRY_SIGN_ON_SECRET"  # noqa: S105  (a name)
"""The client's secret at the provider; with ``_FILE`` at its end, the file that holds it."""

Role = Literal["scientist", "reviewer", "operator", "admin"]

_PROJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,127}")
_ACCOUNT = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_RESERVED = frozenset({PROJECTS_GROUP, DEFAULT_PROJECT})


def check_project(name: str) -> str:
    """Return the name of a project that people may belong to.

    Raises
    ------
    ValueError
        If it is none.
    """
    if _PROJECT.fullmatch(name) is None:
        raise ValueError("is no name of a project: letters, digits, '.', '_', '@' and '-'")
    if name in _RESERVED:
        raise ValueError("is a name that the platform itself uses")
    return name


def check_account(name: str) -> str:
    """Return the name of an account that a person may have.

    Raises
    ------
    ValueError
        If it is none.
    """
    if _ACCOUNT.fullmatch(name) is None:
        raise ValueError("is no name of an account: small letters, digits, '.', '_' and '-'")
    if name in _RESERVED:
        raise ValueError("is a name that the platform itself uses")
    return name


ProjectName = Annotated[str, AfterValidator(check_project)]
AccountName = Annotated[str, AfterValidator(check_account)]


class GroupRule(BaseModel):
    """What the members of a group of the provider are here.

    Attributes
    ----------
    group
        The group exactly as the provider writes it: ``/lakes`` is not ``lakes``.
    roles
        Roles of its members.
    projects
        Projects of its members: hub groups of these names.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    group: str = Field(min_length=1)
    roles: tuple[Role, ...] = ()
    projects: tuple[ProjectName, ...] = ()


class SignOnSettings(BaseModel):
    """How people sign on: with which provider, who gets in, and as what.

    Attributes
    ----------
    issuer
        The provider's identifier, an https address below which
        ``.well-known/openid-configuration`` stands.
    client_id
        The platform's client at the provider.
    title
        What the button on the login page names.
    scopes
        What the platform asks the provider for. With ``offline_access`` a membership can be
        renewed, and tokens stay good, while no browser is open.
    groups
        What each group of the provider gives. Only members of one of these groups get in.
    groups_claim
        Where the provider's userinfo names a person's groups; dots lead into nested claims.
    name_claim
        The claim from which a new account is named. An account is never found by it.
    accounts
        Hub names of people who had an account before, by their identifier at the provider
        (``sub``). On a platform without a subdomain for each person: its one person.
    client_authentication
        How the platform shows its secret to the provider: as ``basic`` or in a form, ``post``.
    algorithms
        How the provider may sign.
    renew_after_s
        After how many seconds a person's membership is asked for again, when they or one of their
        tokens come back.
    keep_while_away_s
        For how many seconds the last known membership holds while the provider is away.
    leeway_s
        By how many seconds the clocks may differ.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: ProviderAddress
    client_id: str = Field(min_length=1)
    title: str = Field(default="your organisation", min_length=1, max_length=60)
    scopes: tuple[str, ...] = ("openid", "profile", "offline_access")
    groups: tuple[GroupRule, ...] = Field(min_length=1)
    groups_claim: str = Field(default="groups", min_length=1)
    name_claim: str = Field(default="preferred_username", min_length=1)
    accounts: dict[str, AccountName] = Field(default_factory=dict)
    client_authentication: Literal["basic", "post"] = "basic"
    algorithms: tuple[Algorithm, ...] = Field(default=("RS256", "ES256"), min_length=1)
    renew_after_s: int = Field(default=300, ge=1, le=86_400)
    keep_while_away_s: int = Field(default=3600, ge=0, le=86_400)
    leeway_s: int = Field(default=30, ge=0, le=300)

    @model_validator(mode="after")
    def _check_whole(self) -> Self:
        if "openid" not in self.scopes:
            raise ValueError("scopes lack 'openid', without which a provider names nobody")
        twice = [name for name, n in Counter(self.accounts.values()).items() if n > 1]
        if twice:
            raise ValueError(f"accounts give the name {twice[0]!r} to two people")
        return self

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a JSON file.

        Raises
        ------
        InvalidInputError
            It names the file, the setting and what is wrong with it.
        """
        return read_settings(cls, path)

    @classmethod
    def from_environment(cls) -> Self | None:
        """Read the file that `SKERRY_SIGN_ON` names; None if it is not set.

        Raises
        ------
        InvalidInputError
            If the file cannot be used.
        """
        path = os.environ.get(SIGN_ON_VARIABLE)
        return cls.read(Path(path)) if path else None

    def find_rules(self, groups: Collection[str]) -> list[GroupRule]:
        """Return the rules that speak of these groups of the provider."""
        return [rule for rule in self.groups if rule.group in groups]

    def hub_groups(self, groups: Collection[str]) -> frozenset[str]:
        """Return the hub groups that the members of these groups of the provider belong to."""
        rules = self.find_rules(groups)
        roles = {f"{ROLE_GROUP_PREFIX}{role}" for rule in rules for role in rule.roles}
        return frozenset(roles | {project for rule in rules for project in rule.projects})


def read_secret(environment: Mapping[str, str]) -> str:
    """Return the client's secret, from a variable or from the file that another one names.

    Raises
    ------
    InvalidInputError
        If there is none.
    """
    if secret := environment.get(SECRET_VARIABLE, "").strip():
        return secret
    path = environment.get(f"{SECRET_VARIABLE}_FILE", "")
    try:
        secret = Path(path).read_text("utf-8").strip() if path else ""
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(
            f"{SECRET_VARIABLE}_FILE names {path}, which cannot be read ({type(error).__name__}).",
            remedy="Check the path and the permissions of the file.",
        ) from None
    if not secret:
        raise InvalidInputError(
            "Sign-on needs the secret of the platform's client at the provider.",
            remedy=f"Set {SECRET_VARIABLE}, or {SECRET_VARIABLE}_FILE to the file that holds it.",
        )
    return secret


def read_sign_on(owner: str) -> SignOnSettings | None:
    """Return how the owner of one machine signs on; None for the password.

    Raises
    ------
    InvalidInputError
        If the settings cannot be used, lack the client's secret, or let in anybody else: one
        origin holds one person.
    """
    settings = SignOnSettings.from_environment()
    if settings is not None and [*settings.accounts.values()] != [owner]:
        raise InvalidInputError(
            f"{SIGN_ON_VARIABLE}: accounts are {settings.accounts}, and the one person of this "
            f"platform is {owner!r}.",
            remedy=f'Write "accounts": {{"<sub at the provider>": "{owner}"}}. Who signs on '
            "without being listed is told their identifier (sub).",
        )
    if settings is not None:
        read_secret(os.environ)
    return settings


def read_settings[Model: BaseModel](kind: type[Model], path: Path) -> Model:
    """Return settings that a JSON file holds.

    Raises
    ------
    InvalidInputError
        It names the file, the setting and what is wrong with it.
    """
    try:
        return kind.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InvalidInputError(
            f"The settings {path} cannot be read ({error.strerror}).",
            remedy="Check the path and the permissions of the file.",
        ) from None
    except ValidationError as error:
        raise InvalidInputError(
            f"{path}: {describe_first(error)}.",
            remedy="Correct it; platform/sign-on.md explains each setting.",
        ) from None
