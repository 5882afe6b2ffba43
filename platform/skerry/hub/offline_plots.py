"""hvplot and Panel in JupyterLab behind a hub, without the internet.

Panel 1.10.0 asks for its resources at ``/panel-preview/`` of the server's root, which behind a hub
is the hub. This puts the user server's own prefix before it. To be removed when Panel does so;
``pyproject.toml`` pins Panel exactly for this reason.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

_MODULE = "panel.io.notebook"
_PREVIEW = '"/panel-preview/"'


def watch_panel() -> None:
    """Arrange that Panel's notebook module is corrected at its first import.

    This imports nothing. Outside a user server (no `JUPYTERHUB_SERVICE_PREFIX`) it does nothing.
    """
    if os.environ.get("JUPYTERHUB_SERVICE_PREFIX") and _MODULE not in sys.modules:
        sys.meta_path.insert(0, _PanelFinder())


class _PanelFinder(MetaPathFinder):
    """Finds one module as usual and gives it a loader that corrects it afterwards."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname != _MODULE:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _MendingLoader(spec.loader)
        return spec


class _MendingLoader(Loader):
    def __init__(self, usual: Loader) -> None:
        self._usual = usual

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._usual.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._usual.exec_module(module)
        _mend(module, os.environ["JUPYTERHUB_SERVICE_PREFIX"])


def _mend(notebook: Any, prefix: str) -> None:
    """Put the user server's prefix before every address that Panel gives the browser."""
    state = import_module("panel.io.state").state
    with import_module("panel.util").edit_readonly(state):
        state.base_url = prefix
    usual = notebook._autoload_js  # noqa: SLF001 - there is no public place to say it

    def load_with_prefix(*arguments: Any, **keywords: Any) -> str:
        script: str = usual(*arguments, **keywords)
        return script.replace(_PREVIEW, f'"{prefix}panel-preview/"')

    notebook._autoload_js = load_with_prefix  # noqa: SLF001
