"""`skerry`, whose hub lets in several people: for tests with a browser of each of them."""

from dataclasses import replace

from tests.integration.services.team_hub import CONFIGURATION, describe_team

from skerry.cli.main import main
from skerry.cli.supervisor.plan import Part, Plan

_describe = Plan.describe


def _describe_for_a_team(plan: Plan, name: str) -> Part:
    part = _describe(plan, name)
    if name != "hub":
        return part
    command = [*part.command[:-1], str(CONFIGURATION)]
    return replace(part, command=command, environment=part.environment | describe_team())


if __name__ == "__main__":
    Plan.describe = _describe_for_a_team  # type: ignore[method-assign]
    main()
