"""What a bucket's errors mean, and what helps, for the people who meet them.

The words of the store's client are left out: they hold whole answers and addresses.
"""

from skerry.core.errors import ConflictError, SkerryError, UnavailableError
from skerry.storage.granted import find_failure
from skerry.storage.remote import (
    OLD_CREDENTIALS,
    UNTRUSTED,
    describe_silence,
    read_code,
    refuse_odd_key,
)
from skerry.storage.s3 import ADDRESS_ENDED
from skerry.storage.web import TemporaryError

_REASONS = {
    "NoSuchBucket": ("does not exist", "Create the bucket, or correct the address."),
    "InvalidAccessKeyId": ("does not know the key", "Check AWS_ACCESS_KEY_ID."),
    "SignatureDoesNotMatch": (
        "refuses the key's secret", "Check AWS_SECRET_ACCESS_KEY, and AWS_REGION.",
    ),
    **dict.fromkeys(
        OLD_CREDENTIALS,
        ("does not take the credentials: they have expired, or belong to another key",
         "Get new ones."),
    ),
    "RequestTimeTooSkewed": (
        "says that this machine's clock differs from its own by more than 15 minutes",
        "Set the clock, best with NTP.",
    ),
    "AuthorizationHeaderMalformed": ("is in another region", "Set AWS_REGION."),
    "IncorrectRegion": ("is in another region", "Set AWS_REGION."),
    "InvalidCertificate": (
        UNTRUSTED,
        "Name the file with its authority's certificate in AWS_CA_BUNDLE, and check the clock.",
    ),
    "KeyTooLongError": (
        "does not take a key of more than 1024 bytes",
        "Give the file a shorter name, or the store a shorter prefix in SKERRY_OBJECTS.",
    ),
    "QuotaExceeded": ("is full", "Make room in it, or raise its quota."),
    "XMinioAdminBucketQuotaExceeded": ("is full", "Make room in it, or raise its quota."),
    "XMinioStorageFull": ("is full", "Let its administrator make room."),
    ADDRESS_ENDED: (
        "does not take the address that was just signed: it has expired",
        "Set the clocks of the platform and of the store, best with NTP.",
    ),
    "AccessDenied": (
        "does not allow this",
        "Let the key list, read, write and delete below this address.",
    ),
}  # fmt: skip
"""Code of an answer of S3, to what it means and what to do."""
_MARKS = {
    "InvalidCertificate(": "InvalidCertificate",
    "incorrectly configured region": "IncorrectRegion",
}
"""Words in errors of the store's client, to the code that they stand for."""


def explain_failure(error: Exception, url: str, key: str) -> SkerryError:
    """Return why a bucket did not do what it was asked, for the person who asked.

    Parameters
    ----------
    error
        The error of the store's client.
    url
        The address of the object store.
    key
        The key or prefix that the request was for; nothing for the whole store.
    """
    if failure := find_failure(str(error)):
        return failure
    if odd := refuse_odd_key(error, f"The object store {url}"):
        return odd
    reason = _find_reason(error)
    if reason is not None:
        return UnavailableError(f"The object store {url} {reason[0]}.", remedy=reason[1])
    of_key = f" (for {key[:140]!r})" if key else ""
    return TemporaryError(
        f"The object store {url} {describe_silence(error)}{of_key}.",
        remedy="Check AWS_ENDPOINT_URL, the network and the store, and try again.",
    )


def _find_reason(error: Exception) -> tuple[str, str] | None:
    """Return what S3's answer means, or what the client found, and the remedy; None if unknown."""
    text = str(error)
    code = read_code(error) or next((code for words, code in _MARKS.items() if words in text), "")
    return _REASONS.get(code)


def refuse_change(url: str, prefix: str) -> ConflictError:
    """Return the error for files that changed while they were copied."""
    return ConflictError(
        f"The bytes of {url}/{prefix} changed while they were copied.",
        remedy="Bytes in the object store never change: find out who writes there.",
    )
