"""Access to the platform over HTTP, for notebooks, the command line and pipelines."""

from skerry.client.clusters import cluster
from skerry.client.opening import open  # noqa: A004 - the name that notebooks use: skerry.open
from skerry.client.publishing import publish
from skerry.client.searching import search
from skerry.client.session import Session, connect
from skerry.client.stacking import stack

__all__ = ["Session", "cluster", "connect", "open", "publish", "search", "stack"]
