"""What a benchmark finds: one record a comparison, ours and a peer measured in the same run."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

LOWER_IS_BETTER = frozenset({"ms", "s", "MiB"})


@dataclass(frozen=True)
class Record:
    """One comparison.

    Attributes
    ----------
    name
        ``<benchmark>: <what>``.
    unit
        Of `ours` and `peer`; ``ms`` is better low, ``tiles/s`` and ``share`` better high.
    ours, peer
        The two measurements. For ``share`` (of equal pixels) `peer` is 1: all of them.
    peer_name
        The peer.
    ratio
        How many times better ours is; below 1 it is worse.
    bar
        What `ratio` has to reach; None for a measurement that is shown only.
    holds
        Whether it does (true when there is no bar).
    """

    name: str
    unit: str
    ours: float
    peer: float
    peer_name: str
    ratio: float
    bar: float | None
    holds: bool


def compare(
    name: str, unit: str, ours: float, peer: float, *, beside: str, bar: float | None = None
) -> Record:
    """Return the record of two measurements."""
    ratio = peer / ours if unit in LOWER_IS_BETTER else ours / peer
    holds = bar is None or ratio >= bar
    return Record(name, unit, round(ours, 4), round(peer, 4), beside, round(ratio, 3), bar, holds)


def print_table(records: list[Record]) -> None:
    """Print records for people."""
    width = max(len(record.name) for record in records)
    peers = max(len(record.peer_name) for record in records)
    print(
        f"{'name':<{width}}  {'unit':>8}  {'ours':>9}  {'peer':>9}  {'peer is':<{peers}}"
        f"  {'ratio':>8}  {'bar':>5}"
    )
    for item in records:
        bar = "" if item.bar is None else f"{item.bar:g}"
        verdict = "" if item.bar is None else "holds" if item.holds else "FAILS"
        print(
            f"{item.name:<{width}}  {item.unit:>8}  {item.ours:>9.4g}  {item.peer:>9.4g}"
            f"  {item.peer_name:<{peers}}  {item.ratio:>8.2f}  {bar:>5}  {verdict}"
        )


def write_records(records: list[Record], path: Path) -> None:
    """Write records as JSON; those of other benchmarks in the file stay."""
    groups = {record.name.split(":")[0] for record in records}
    entries = json.loads(path.read_text()) if path.exists() else []
    entries = [item for item in entries if item["name"].split(":")[0] not in groups]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps([*entries, *(asdict(record) for record in records)], indent=2) + "\n"
    )
