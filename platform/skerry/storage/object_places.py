"""Which object store a platform has, and how those who work under a grant reach it."""

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from skerry.core.errors import InvalidInputError, UnavailableError
from skerry.core.settings import OBJECTS_VARIABLE, read_objects_place
from skerry.models.grants import Grant
from skerry.storage.granted import keep_access
from skerry.storage.layout import DataFolder
from skerry.storage.object_folder import ObjectFolder
from skerry.storage.objects import Objects, check_key
from skerry.storage.signed import Signer

_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9._/=-]+")


def open_objects(data: DataFolder) -> Objects:
    """Return the object store of a platform.

    Raises
    ------
    InvalidInputError
        If `SKERRY_OBJECTS` is neither an absolute path nor an ``s3://`` address.
    """
    place = read_objects_place()
    return ObjectFolder(data.objects) if place is None else parse_place(place)


def parse_place(text: str, setting: str = OBJECTS_VARIABLE) -> Objects:
    """Return the object store at a path or at an address ``s3://bucket/prefix``.

    Parameters
    ----------
    text
        The path or the address.
    setting
        Where it was given, for the message.

    Raises
    ------
    InvalidInputError
        If it is neither.
    """
    if text.startswith("s3://"):
        return _open_bucket(text, setting)
    path = Path(text).expanduser()
    if "://" in text or not path.is_absolute():
        raise _refuse(setting, "is neither an absolute path nor an s3:// address")
    return ObjectFolder(path)


def open_granted(
    answer: Grant, renew: Callable[[], Grant], signer: Signer | None = None
) -> Objects:
    """Return the object store of a grant; the credentials of a bucket stay in this process.

    Parameters
    ----------
    answer
        The api's answer, whose root is ``file:///data/objects/`` or ``s3://bucket/prefix/``.
    renew
        Asks the api for the grant again.
    signer
        Asks the api for signed addresses, where the grant is of that kind.

    Raises
    ------
    UnavailableError
        If it is not a folder on this machine, and no bucket.
    """
    root = answer.root
    address = urlsplit(root)
    if address.scheme == "s3":
        keep_access(answer, renew, signer)
        return _open_bucket(root)
    folder = Path(unquote(address.path))
    if address.scheme != "file" or not folder.is_dir():
        raise UnavailableError(
            f"The platform keeps its files in {root}, which is not a folder on this machine.",
            remedy="Work in a notebook server of that platform, or on the machine it runs on.",
        )
    return ObjectFolder(folder)


def _open_bucket(text: str, setting: str = OBJECTS_VARIABLE) -> Objects:
    from skerry.storage.bucket import Bucket  # the S3 client takes a moment

    bucket, _, prefix = text.removeprefix("s3://").strip("/").partition("/")
    if not _BUCKET_NAME.fullmatch(bucket):
        raise _refuse(setting, "names no bucket")
    if not prefix:
        return Bucket(f"s3://{bucket}")
    if not _PREFIX.fullmatch(prefix):
        why = "has a prefix with other characters than letters, digits and . _ / = -"
        raise _refuse(setting, why)
    return Bucket(f"s3://{bucket}/{check_key(prefix)}")


def _refuse(setting: str, why: str) -> InvalidInputError:
    return InvalidInputError(
        f"The value of {setting} {why}.",
        remedy="Write it as /a/folder or s3://BUCKET/PREFIX, without keys: those stand in "
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, the server's address in AWS_ENDPOINT_URL.",
    )
