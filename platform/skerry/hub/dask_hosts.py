"""Each Dask scheduler and worker loads this first (``--preload``): its pages check the host too.

Their pages need no login: only the check of the host keeps a stranger's web page away from them.
"""

import os
from typing import Any

from skerry.core.hosts import allowed_hosts
from skerry.core.tornado_hosts import refuse_unknown_hosts


def dask_setup(server: Any) -> None:
    """Put the check before the pages of a scheduler or worker."""
    refuse_unknown_hosts(
        server.http_application, allowed_hosts(os.environ.get("SKERRY_PUBLIC_URL", ""))
    )
