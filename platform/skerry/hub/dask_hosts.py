"""Each Dask scheduler and worker loads this first (``--preload``): its pages check the host too.

Their pages need no login: only the check of the host keeps a stranger's web page away from them.
Who may connect at all is decided elsewhere: on one machine they listen on loopback, on Kubernetes a
NetworkPolicy of each cluster admits its own pods and the gateway's proxy.
"""

import os
from typing import Any
from urllib.parse import urlsplit

from skerry.core.hosts import allowed_hosts
from skerry.core.tornado_hosts import refuse_unknown_hosts


def dask_setup(server: Any) -> None:
    """Put the check before the pages of a scheduler or worker.

    It answers to its own address too: by that a scheduler fetches the pages of its workers.
    """
    own = urlsplit(server.address).hostname
    allowed = allowed_hosts(os.environ.get("SKERRY_PUBLIC_URL", ""))
    refuse_unknown_hosts(server.http_application, allowed | {own} if own else allowed)
