"""titiler-xarray as its makers ship it: the `TilerFactory` of its own application, one worker.

Usage: python serve_titiler.py PORT
"""

import sys

import uvicorn
from fastapi import FastAPI
from titiler.xarray.factory import TilerFactory


def main(port: int) -> None:
    app = FastAPI()
    app.include_router(TilerFactory().router)
    uvicorn.run(app, host="127.0.0.1", port=port, access_log=False, log_level="warning")


if __name__ == "__main__":
    main(int(sys.argv[1]))
