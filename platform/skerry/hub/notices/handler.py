"""``skerry/notices`` of a user server: what is short, for the extension of JupyterLab."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado.web import authenticated

from skerry.hub.notices.limits import describe_idleness, list_notices, read_memory

END_VARIABLE, WARN_VARIABLE = "SKERRY_END_AFTER_MINUTES", "SKERRY_WARN_MINUTES"


class NoticesHandler(APIHandler):
    """Answers those who may use this server, as all its handlers do."""

    _track_activity = False

    @authenticated
    def get(self) -> None:
        """Answer with the notices of this moment, and when a server ends that nobody uses."""
        home = shutil.disk_usage(Path.home())
        notices = list_notices(read_memory(), home.free, home.total)
        end = int(os.environ.get(END_VARIABLE) or 0)
        warn = int(os.environ.get(WARN_VARIABLE) or 0)
        self.finish(
            json.dumps(
                {
                    "notices": notices,
                    "end_after_minutes": end,
                    "warn_minutes": warn,
                    "idle_message": describe_idleness(warn),
                }
            )
        )


def add_handler(application: Any) -> None:
    """Add the handler to a server."""
    path = url_path_join(application.settings["base_url"], "skerry", "notices")
    application.add_handlers(".*$", [(path, NoticesHandler)])
