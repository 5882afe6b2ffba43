"""Names that the Dask gateway shares with the parts that look after its clusters."""

import re

from skerry.core.digests import hash_secret

_TOKEN_HASH = re.compile("[0-9a-f]{64}")

ADDRESS_VARIABLE = "SKERRY_GATEWAY_ADDRESS"
"""Environment variable with the gateway's internal address."""

CLUSTERS_PATH = "/api/skerry/clusters"
"""Path of the list of all clusters, on the gateway's internal address only."""


def name_attempt(account: str, token: str) -> str:
    """Return the gateway's user name of an attempt: the project's account and its token's hash.

    The hub's own number of a token would not do: the hub gives the number of a revoked token to
    the next token, and the next attempt would own the clusters that the last one left.
    """
    return f"{account}@{hash_secret(token)}"


def split_owner(owner: str) -> tuple[str, str | None]:
    """Return the account and, for an attempt's cluster, the hash of its token.

    The name of a person may be an address of e-mail.
    """
    account, _, end = owner.rpartition("@")
    return (account, end) if _TOKEN_HASH.fullmatch(end) else (owner, None)
