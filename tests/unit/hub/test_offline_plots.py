import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PREFIX = "/user/ann/"

START = """
from skerry.hub.offline_plots import watch_panel
import json, sys
before = len(sys.meta_path)
watch_panel()
"""

LOAD_PANEL = """
import panel.io.notebook as notebook
from panel.io.state import state
class Template:
    render = staticmethod(lambda **names: 'x = "/panel-preview/";')
notebook.AUTOLOAD_NB_JS = Template
script = notebook._autoload_js(
    bundle=None, configs=[], requirements=[], exports={}, error_id="x",
    skip_imports={}, require_skip={}, ipywidget=False,
)
watching = [finder for finder in sys.meta_path if type(finder).__module__.startswith("skerry")]
print(json.dumps([state.base_url, len(watching), script]))
"""


def run(program: str, *, prefix: str | None) -> str:
    environment = {k: v for k, v in os.environ.items() if k != "JUPYTERHUB_SERVICE_PREFIX"}
    if prefix is not None:
        environment["JUPYTERHUB_SERVICE_PREFIX"] = prefix
    command = [sys.executable, "-W", "ignore", "-c", START + program]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return result.stdout.strip().splitlines()[-1]


def test_start_of_a_kernel_imports_nothing_slow() -> None:
    program = "print(sorted({'panel', 'bokeh', 'jupyterhub', 'pydantic'} & set(sys.modules)))"
    assert run(program, prefix=PREFIX) == "[]"


@pytest.mark.slow
def test_panel_asks_the_users_own_server() -> None:
    base, watching, script = json.loads(run(LOAD_PANEL, prefix=PREFIX))
    assert base == PREFIX
    assert watching == 0
    assert script == f'x = "{PREFIX}panel-preview/";'


def test_outside_a_hub_panel_is_as_it_was() -> None:
    assert run("print(len(sys.meta_path) - before)", prefix=None) == "0"


def test_panel_still_needs_mending() -> None:
    spec = importlib.util.find_spec("panel")
    assert spec is not None
    assert spec.origin is not None
    template = Path(spec.origin).parent / "_templates" / "autoload_panel_js.js"
    assert '"/panel-preview/"' in template.read_text()
