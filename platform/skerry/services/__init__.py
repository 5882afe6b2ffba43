"""Programs that answer over HTTP, and the worker: thin layers over the rooms below."""

import logging

# stac-fastapi complains of its own default title while it is being imported; ours is set later
logging.getLogger("stac_fastapi.types.config").setLevel(logging.ERROR)
