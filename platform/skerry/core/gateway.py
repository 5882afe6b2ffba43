"""Names that the Dask gateway shares with the parts that look after its clusters."""

ADDRESS_VARIABLE = "SKERRY_GATEWAY_ADDRESS"
"""Environment variable with the gateway's internal address."""

CLUSTERS_PATH = "/api/skerry/clusters"
"""Path of the list of all clusters, on the gateway's internal address only."""


def name_attempt(account: str, token_id: str) -> str:
    """Return the gateway's user name of an attempt: the project's account and its token's id."""
    return f"{account}@{token_id}"


def split_owner(owner: str) -> tuple[str, str | None]:
    """Return the account and, for an attempt's cluster, the id of its token."""
    account, mark, token_id = owner.partition("@")
    return account, token_id if mark else None
