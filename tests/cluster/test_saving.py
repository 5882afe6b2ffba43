"""A platform on a node is backed up and restored by the commands of the page about operating."""

import re

import pytest
from tests.cluster.installation import Installation
from tests.cluster.manual import OPERATING, Manual, read_block
from tests.cluster.work import Work
from tests.integration.production.stage import history

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]


def test_a_backup_comes_back_into_an_empty_database_and_bucket(
    manual: Manual, work: Work, platform: Installation
) -> None:
    """The page's own commands; those of the trial empty its database and its bucket."""
    run = work.start()
    work.wait_for_end(run)
    before = (work.show(run), work.check_published_once(run))
    for command in read_block(OPERATING, "job backup-now"):
        said = manual.carry_out(command)
    assert re.search(r"Backup \S+: [1-9]", said), said
    restoring = read_block(OPERATING, "kubectl --namespace skerry create job restore")
    for command in _replace_administrator(restoring):
        said = manual.carry_out(command)
        if "logs job/restore" in command:
            assert "into this platform" in said, said
    print(said)
    platform.wait_until_ready()
    platform.open_door()
    work.wait_until_answered()
    assert (work.show(run), work.check_published_once(run)) == before
    assert history(work.wait_for_end(work.start())) == [(1, "published", None)]


def _replace_administrator(commands: list[str]) -> list[str]:
    """Return the commands of a restore with those by which a trial's state is emptied."""
    own = [line for line in commands if line.startswith(("psql ", "aws "))]
    assert len(own) == 3
    first = commands.index(own[0])
    trial = read_block(OPERATING, "exec skerry-database-0 -- psql")
    return [*commands[:first], *trial, *(line for line in commands[first:] if line not in own)]
