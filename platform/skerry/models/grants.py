"""Grants: permission to read or write below one prefix, for a limited time."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field

from skerry.models.values import ANSWER, ORDER, Epoch, Name


class Purpose(StrEnum):
    """The purpose of a write grant, which decides where its prefix is."""

    IMPORT = "import"
    SANDBOX = "sandbox"
    RUN = "run"


class WriteRequest(BaseModel):
    """A request for permission to write new data; `run` and `epoch` name the attempt of a run."""

    model_config = ORDER

    mode: Literal["write"] = "write"
    purpose: Purpose
    run: Name | None = None
    epoch: Epoch | None = None


class ReadRequest(BaseModel):
    """A request for permission to read one item's data."""

    model_config = ORDER

    mode: Literal["read"] = "read"
    collection: Name
    item: Name


GrantRequest = Annotated[WriteRequest | ReadRequest, Field(discriminator="mode")]


class GrantKind(StrEnum):
    """The way to the granted bytes."""

    FOLDER = "folder"
    """A folder of this machine, or the api's own addresses for readers without an account."""
    CREDENTIALS = "credentials"
    """A bucket, with temporary credentials for the prefix."""
    ADDRESSES = "addresses"
    """A bucket; each request is signed by the api (``POST /grants/addresses``)."""


class BucketAccess(BaseModel):
    """Temporary credentials for one prefix of a bucket. No text made of it shows the secrets.

    Attributes
    ----------
    key_id, secret, token
        What S3 calls access key id, secret access key and session token.
    expires
        Their end; ask for new ones before.
    endpoint, region
        Where the bucket is; no endpoint for AWS itself.
    """

    model_config = ANSWER

    key_id: str
    secret: str = Field(repr=False)
    token: str = Field(repr=False)
    expires: AwareDatetime
    endpoint: str | None
    region: str


class Grant(BaseModel):
    """The place to read or write, and the end of the permission.

    Attributes
    ----------
    id
        Its name, to give it back; none for reading.
    prefix
        Store key prefix relative to `root`, with a ``/`` at its end.
    root
        Address of the store's root, ending in ``/``: ``file://`` where the folder is reachable on
        the same machine; ``s3://`` for a bucket; https for readers without an account.
    kind
        The way to it.
    access
        Credentials for the bucket; none where the kind is another.
    """

    model_config = ANSWER

    id: str | None
    mode: Literal["read", "write"]
    prefix: str
    root: str
    expires: AwareDatetime
    kind: GrantKind = GrantKind.FOLDER
    access: BucketAccess | None = None
