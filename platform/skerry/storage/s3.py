"""Connections to S3 buckets, with the endpoint and the credentials that the environment names."""

import os
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Any

from skerry.core.patience import find_patience
from skerry.storage import web


@cache
def connect(bucket: str, prefix: str | None = None) -> Any:
    """Return the obstore store of a bucket, or of a prefix in it; one a process."""
    options = {} if has_credentials() else {"skip_signature": True}
    return open_store(bucket, prefix, find_endpoint(os.environ), **options)


def find_endpoint(environment: Mapping[str, str]) -> str | None:
    """Return the address of the S3 server that variables name, None for AWS itself."""
    named = environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL")
    return named or None


def open_store(bucket: str, prefix: str | None, endpoint: str | None, **options: Any) -> Any:
    """Return a new obstore store at an endpoint, None for AWS itself, with Skerry's patience."""
    from obstore.store import S3Store

    client: Any = {
        "timeout": timedelta(seconds=web.ANSWER_WITHIN_S),
        "connect_timeout": timedelta(seconds=web.CONNECT_WITHIN_S),
        "user_agent": "skerry",
    }
    if endpoint:
        options["endpoint"] = endpoint
        client["allow_http"] = endpoint.startswith("http://")
    return S3Store(
        bucket, prefix=prefix, client_options=client, retry_config=_choose_patience(), **options
    )


def _choose_patience() -> Any:
    """Return how often a request is tried again: in a run until the store has been away too long.

    Nobody watches a run, and a store that restarts must not fail it. Everybody else hears soon.
    """
    if patience_s := find_patience():
        pauses = {"init_backoff": timedelta(seconds=0.1), "max_backoff": timedelta(seconds=5),
                  "base": 2}  # fmt: skip
        patience = timedelta(seconds=patience_s)
        return {"max_retries": 1000, "retry_timeout": patience, "backoff": pauses}
    return {"max_retries": 3, "retry_timeout": timedelta(seconds=web.RETRY_FOR_S)}


def has_credentials() -> bool:
    """Return whether the environment names credentials; else S3's client would ask the cloud."""
    ways = (
        "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    )  # fmt: skip
    return any(os.environ.get(way) for way in ways)
