"""Projects that live on the platform: members, requests for access, last days."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, StringConstraints

from skerry.models.values import ANSWER, ORDER, Name

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]


class Role(StrEnum):
    """What a person is in a project."""

    OWNER = "owner"
    """Works there, and decides who else does."""
    MEMBER = "member"
    """Works there: what belongs to the project is theirs to change."""
    READER = "reader"
    """Sees what belongs to the project."""


class Member(BaseModel):
    """A person in a project.

    Attributes
    ----------
    person
        ``person:<name>``.
    last_day
        The last day of the membership; None for as long as the project.
    """

    model_config = ANSWER

    person: str
    role: Role
    last_day: date | None


class AccessRequest(BaseModel):
    """Somebody who asks for access.

    Attributes
    ----------
    reason
        Why, in their words.
    status
        ``asked`` until an owner answers.
    """

    model_config = ANSWER

    person: str
    role: Role
    reason: str
    status: Literal["asked", "granted", "refused"]


class Project(BaseModel):
    """A project, as far as somebody sees it.

    Attributes
    ----------
    listed
        Whether everybody who is logged in finds it, to ask for access.
    last_day
        The last day on which its members have access; None for no end.
    role
        What the asker is there; None for nothing.
    is_over
        Whether its last day has passed.
    notice
        What ends for the asker within two weeks, in words; empty if nothing.
    request
        The last request of the asker, with its answer; None for members, and if there is none.
    members, requests
        For members: who else is there; for owners: who asks. Empty for others.
    """

    model_config = ANSWER

    name: str
    title: str
    listed: bool
    last_day: date | None
    role: Role | None
    is_over: bool = False
    notice: str = ""
    request: AccessRequest | None = None
    members: list[Member] = []
    requests: list[AccessRequest] = []


class ProjectList(BaseModel):
    """Projects by name."""

    model_config = ANSWER

    projects: list[Project]


class ProjectOrder(BaseModel):
    """The request that makes a project.

    Attributes
    ----------
    owner
        ``person:<name>``, who decides about its members.
    """

    model_config = ORDER

    name: Name
    title: Words
    owner: Name
    listed: bool = True
    last_day: date | None = None


class ProjectChange(BaseModel):
    """The request that changes a project: all that can be changed."""

    model_config = ORDER

    title: Words
    listed: bool
    last_day: date | None


class MemberOrder(BaseModel):
    """The request that gives a person a role in a project, until a day."""

    model_config = ORDER

    role: Role
    last_day: date | None = None


class AccessOrder(BaseModel):
    """The request for access to a project."""

    model_config = ORDER

    role: Literal[Role.MEMBER, Role.READER] = Role.MEMBER
    reason: Words


class AccessAnswer(BaseModel):
    """An owner's answer to a request.

    Attributes
    ----------
    grant
        Whether the person gets the role that they have asked for.
    last_day
        The last day of their membership.
    """

    model_config = ORDER

    grant: bool
    last_day: date | None = None


class Memberships(BaseModel):
    """The projects of a person that hold today, for the hub.

    Attributes
    ----------
    works_in, reads
        Names of projects where they are owner or member, and where they are reader.
    """

    model_config = ANSWER

    works_in: list[str]
    reads: list[str]
