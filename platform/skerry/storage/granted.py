"""Buckets under grants: a process keeps credentials for the prefixes that were granted to it.

Only addresses travel, in Dask graphs and pickles; whoever opens an address finds the credentials
here, by the longest granted address above it. They are renewed when they come to their end.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from threading import Lock
from typing import Any, NoReturn

from skerry.core.errors import UnavailableError
from skerry.core.time import utc_now
from skerry.models.grants import BucketAccess, Grant
from skerry.storage import s3

RENEW_BEFORE = timedelta(minutes=10)
"""How long before their end credentials are renewed; the S3 client asks 5 minutes before it."""

_LARGEST_COUNT = 256


class GrantedAccess:
    """Credentials for one prefix: what the S3 client asks for them.

    It cannot be pickled, and no text made of it shows a secret.

    Parameters
    ----------
    access
        The first credentials.
    renew
        Asks the api for the grant again.
    """

    def __init__(self, access: BucketAccess, renew: Callable[[], Grant]) -> None:
        self.access = access
        self._renew = renew
        self._lock = Lock()

    def __call__(self) -> dict[str, Any]:
        """Return credentials that last for a while, as obstore wants them."""
        with self._lock:
            left = self.access.expires - utc_now()
            if left < RENEW_BEFORE:
                self._replace(still_good=left > timedelta(0))
            access = self.access
        return {
            "access_key_id": access.key_id, "secret_access_key": access.secret,
            "token": access.token, "expires_at": access.expires,
        }  # fmt: skip

    def _replace(self, *, still_good: bool) -> None:
        try:
            renewed = self._renew().access
        except UnavailableError:  # it is asked again
            if not still_good:
                raise
            return
        if renewed is not None:
            self.access = renewed

    def __reduce__(self) -> NoReturn:
        raise TypeError("Credentials stay in the process that they were granted to.")


_granted: dict[str, GrantedAccess] = {}


def keep_access(answer: Grant, renew: Callable[[], Grant]) -> None:
    """Keep the credentials of a grant in this process, if it has any.

    Parameters
    ----------
    answer
        The api's answer.
    renew
        Asks the api for it again.
    """
    if answer.access is not None:
        _granted[f"{answer.root}{answer.prefix}"] = GrantedAccess(answer.access, renew)


def connect(bucket: str, key: str = "", prefix: str | None = None) -> Any:
    """Return the obstore store of a bucket, or of a prefix in it, for work at a key.

    With the credentials of the grant that covers the key, else with those of the environment.
    """
    address = "/".join(part for part in (f"s3://{bucket}", prefix, key) if part)
    covering = [granted for granted in _granted if f"{address}/".startswith(granted)]
    if not covering:
        return s3.connect(bucket, prefix)
    return _connect(bucket, prefix, _granted[max(covering, key=len)])


@lru_cache(_LARGEST_COUNT)
def _connect(bucket: str, prefix: str | None, granted: GrantedAccess) -> Any:
    # Whoever reads other buckets too has set variables for those: none of them holds here.
    region = granted.access.region
    return s3.open_store(
        bucket, prefix, granted.access.endpoint or s3.find_aws(region), region=region,
        credential_provider=granted, skip_signature=False, virtual_hosted_style_request=False,
        s3_express=False,
    )  # fmt: skip
