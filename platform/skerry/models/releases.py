"""Releases: what is proposed, what is recorded, and how it is decided."""

from enum import StrEnum
from typing import NotRequired, TypedDict

from pydantic import AwareDatetime, BaseModel, Field, JsonValue

from skerry.models.values import ANSWER, ORDER, Name, Values


class ReleaseStatus(StrEnum):
    """How far the decision on a release is."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"


class Environment(TypedDict):
    """What a release's kernel and workers are built from; it is named by its digest.

    `lock` and `package` are digests of the lock file and of Skerry itself, `python` is a series
    such as ``3.13``, and `wheels` gives the file name of each extra wheel its digest. `image` is
    a team's own image, pinned by its digest, in which the runs take place; by default the
    platform's.
    """

    lock: str
    package: str
    python: str
    wheels: dict[str, str]
    image: NotRequired[str]


ParameterSchema = TypedDict(
    "ParameterSchema",
    {
        "$schema": str,
        "type": str,
        "properties": dict[str, Values],
        "required": list[str],
        "additionalProperties": bool,
    },
)
"""JSON Schema (draft 2020-12) of a notebook's parameters."""


class Release(BaseModel):
    """A notebook with its parameters and its environment, pinned by digests.

    Attributes
    ----------
    name
        Several releases of one notebook share a name; only the id says which is meant.
    notebook_key
        Store key of the notebook.
    notebook_digest, environment_digest
        What an approver has seen, and what runs must find.
    schema
        JSON Schema of the notebook's parameters.
    owner
        To whom it belongs, ``person:<name>`` or ``project:<name>``.
    public
        Whether everybody sees it without login, once it is approved.
    proposed_by, decided_by
        The accounts; nobody for those who see it only because it is public.
    proposed, decided
        When it was proposed and decided on.
    self_approved
        Whether the proposer approved it.
    """

    model_config = ANSWER

    id: str
    name: str
    status: ReleaseStatus
    notebook_key: str
    notebook_digest: str
    environment_digest: str
    environment: Environment
    schema_: ParameterSchema = Field(alias="schema")
    owner: str
    public: bool
    proposed_by: str | None
    proposed: AwareDatetime
    decided_by: str | None
    decided: AwareDatetime | None
    self_approved: bool


class ReleaseList(BaseModel):
    """Releases, newest first."""

    model_config = ANSWER

    releases: list[Release]


class ExtraWheel(BaseModel):
    """A wheel that a release needs on top of the platform's own packages.

    Attributes
    ----------
    filename
        The wheel's file name.
    content
        Its bytes in base64.
    """

    model_config = ORDER

    filename: Name
    content: str


class Proposal(BaseModel):
    """The request that proposes a release: its name and the notebook as nbformat 4 JSON.

    Attributes
    ----------
    owner
        To whom it belongs, ``person:<name>`` or ``project:<name>``; the platform's own project if
        left out.
    image
        A team's own image, ``registry/name@sha256:<digest>``, in which its runs take place.
    """

    model_config = ORDER

    name: Name
    notebook: dict[str, JsonValue]
    extra_wheels: list[ExtraWheel] = Field(default_factory=list, max_length=20)
    owner: Name | None = None
    image: Name | None = None


class Approval(BaseModel):
    """An approval: the digests of its content; `self` for the approver's own proposal."""

    model_config = ORDER

    own: bool = Field(default=False, alias="self")
    notebook_digest: Name
    environment_digest: Name
