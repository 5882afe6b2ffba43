"""The files around the code agree with each other."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_version_and_date_are_the_same_everywhere() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    newest = re.search(
        r"^## (\d\S*) - (\d{4}-\d\d-\d\d)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    assert newest is not None
    assert citation["version"] == newest[1] == PROJECT["project"]["version"]
    assert str(citation["date-released"]) == newest[2]


def test_every_requirement_has_a_lower_bound() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    expected = [
        *PROJECT["project"]["dependencies"],
        *(item for of in extras.values() for item in of),
    ]
    unbound = [item for item in expected if not re.search(r"[=>]=\d", item)]
    assert unbound == []


@pytest.mark.parametrize("path", sorted((ROOT / ".github" / "workflows").glob("*.yml")))
def test_workflows_call_what_everybody_runs(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert {".ci/run", "make test-lowest"} <= {step.get("run") for step in steps}
    for action in (step["uses"] for step in steps if "uses" in step):
        assert re.fullmatch(r"[\w/-]+@v\d+", action), action
    assert "secrets" not in path.read_text()
    assert workflow["permissions"] == {"contents": "read"}


@pytest.mark.parametrize(
    "name", ["CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "SECURITY.md", "README.md", "CHANGELOG.md"]
)
def test_links_of_the_front_pages_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", (ROOT / name).read_text()):
        assert "://" in target or (ROOT / target).exists(), target
