"""What the audit must tell of a soak: each attempt from its claim to its end, and whose it was.

It is compared with the table of attempts and with what the soak itself has seen: processes at
work, and in whose folder.
"""

from collections import defaultdict
from pathlib import Path
from typing import Any

from tests.soak.soak import Soak
from tests.soak.work import list_audit

from skerry.production.executors.protocol import AttemptName

ENDS = frozenset({"published", "crashed", "superseded", "adopted"})
Story = list[dict[str, Any]]


def check_story(soak: Soak, runs: list[dict[str, Any]]) -> None:
    """Assert that the audit tells every attempt of every run, and no other attempt."""
    story: dict[AttemptName, Story] = defaultdict(list)
    for entry in list_audit(soak.client, "attempt"):
        _, run, epoch = entry["what"].split("/")
        story[AttemptName(run, int(epoch))].append(entry)
    attempts = {AttemptName(run["id"], item["epoch"]) for run in runs for item in run["attempts"]}
    assert set(story) == attempts
    workers = _check_seen(soak, story)
    for run in runs:
        _check_run(
            run, [story[AttemptName(run["id"], n + 1)] for n in range(run["epoch"])], workers
        )


def _check_run(run: dict[str, Any], stories: list[Story], workers: set[str]) -> None:
    """Assert that each attempt has ended before the next one is claimed, as the tables say."""
    last = 0
    for attempt, entries in zip(run["attempts"], stories, strict=True):
        claim, *others = entries
        assert claim["action"] == "claimed", entries
        assert claim["before"] is None, entries
        assert claim["number"] > last, entries
        assert claim["who"] in workers, entries
        [end] = [entry for entry in others if entry["action"] in ENDS]
        assert end["action"] == attempt["status"], entries
        assert (end["who"] in workers) == (end["action"] != "published"), entries
        assert [entry["action"] for entry in others].count("executing") <= 1, entries
        last = end["number"]
    statuses = [item["status"] for item in run["attempts"]]
    assert statuses.count("published") == 1, run["attempts"]


def _check_seen(soak: Soak, story: dict[AttemptName, Story]) -> set[str]:
    """Assert that each attempt seen at work was claimed by the worker in whose folder it worked.

    Returns
    -------
    set of str
        The workers.
    """
    assert soak.seen, "no attempt was seen at work"
    untold = set(soak.seen) - set(story)
    assert not untold, f"seen at work, but not told: {untold}"
    workers: dict[Path, set[str]] = defaultdict(set)
    for name, folder in soak.seen.items():
        workers[folder].add(story[name][0]["who"])
    names = [name for own in workers.values() for name in own]
    assert len(names) == len(set(names)) == len(soak.soaked.folders), dict(workers)
    assert {entries[0]["who"] for entries in story.values()} == set(names)
    for name in soak.killed:
        [end] = [entry for entry in story[name] if entry["action"] in ENDS]
        assert end["action"] != "adopted", story[name]
    return set(names)
