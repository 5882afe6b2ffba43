"""The program of a user server's pod: the home gets new notebooks, then JupyterLab starts.

``python -m skerry.hub.kubernetes.user_server``; the variables of JupyterHub say the rest.
"""

import os
from pathlib import Path

import skerry
from skerry.core.errors import InvalidInputError
from skerry.hub.home import seed_home
from skerry.hub.lean_start import start_module
from skerry.hub.notices import find_extensions
from skerry.hub.user_servers import lab_environment

_PACKAGED = Path(skerry.__file__).parent / "notebooks"


def start_user_server() -> None:
    """Prepare home and environment, then become JupyterLab behind the hub.

    Raises
    ------
    InvalidInputError
        If the home cannot be written.
    """
    home = Path.home()
    try:
        if _PACKAGED.is_dir():
            seed_home(home, _PACKAGED)
    except OSError as error:
        raise InvalidInputError(
            f"The home folder {home} cannot be written: {error.strerror}.",
            remedy="If its volume is full, the operator makes its claim larger.",
        ) from error
    os.environ.update(lab_environment())
    paths = [os.environ.get(name, "") for name in ("JUPYTER_CONFIG_PATH", "JUPYTER_PATH")]
    os.environ.update(find_extensions(*paths))
    start_module("jupyterhub.singleuser")


if __name__ == "__main__":
    start_user_server()
