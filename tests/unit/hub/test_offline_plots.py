import json
import os
import subprocess
import sys

PREFIX = "/user/ann/"


def run(program: str, **environment: str) -> str:
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout.strip().splitlines()[-1]


def test_start_of_a_kernel_imports_nothing_slow() -> None:
    program = (
        "import sys; from skerry.hub.offline_plots import watch_panel; watch_panel()\n"
        "print(sorted({'panel', 'bokeh', 'jupyterhub', 'pydantic'} & set(sys.modules)))"
    )
    assert run(program, JUPYTERHUB_SERVICE_PREFIX=PREFIX) == "[]"


def test_panel_asks_the_users_own_server() -> None:
    program = (
        "from skerry.hub.offline_plots import watch_panel; watch_panel()\n"
        "import json, sys, panel.io.notebook as notebook; from panel.io.state import state\n"
        "watching = [f for f in sys.meta_path if type(f).__module__.startswith('skerry')]\n"
        "script = notebook._autoload_js(bundle=None, configs=[], requirements=[], exports={},"
        " error_id='x', skip_imports={}, require_skip={}, ipywidget=False)\n"
        "print(json.dumps([state.base_url, len(watching), script.count('\"/panel-preview/')]))"
    )
    base, watching, absolute = json.loads(run(program, JUPYTERHUB_SERVICE_PREFIX=PREFIX))
    assert base == PREFIX
    assert watching == 0
    assert absolute == 0


def test_outside_a_hub_panel_is_as_it_was() -> None:
    program = (
        "import sys; from skerry.hub.offline_plots import watch_panel; before = len(sys.meta_path)\n"
        "watch_panel(); print(len(sys.meta_path) - before)"
    )
    environment = {k: v for k, v in os.environ.items() if k != "JUPYTERHUB_SERVICE_PREFIX"}
    result = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "0"
