"""Digests, times, names and scopes: the ground floor's promises."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.core import digests, ids, scopes
from skerry.core.errors import InvalidInputError, SkerryError
from skerry.core.gateway import name_attempt, split_owner
from skerry.core.time import format_time, parse_day, parse_time


def test_digest_of_nothing_is_the_published_blake3_value() -> None:
    published = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
    assert digests.digest_bytes(b"") == "1e20" + published


def test_digest_of_a_file_equals_the_digest_of_its_bytes(tmp_path: Path) -> None:
    for content in (b"", b"tidal", bytes(3_000_000)):
        path = tmp_path / "file"
        path.write_bytes(content)
        assert digests.digest_file(path) == digests.digest_bytes(content)


def test_digest_of_a_tree_sees_names_and_contents_only(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    for root in (first, second):
        (root / "deep").mkdir(parents=True)
        (root / "deep" / "x").write_text("1")
        (root / "y").write_text("2")
    (second / "skipped").mkdir()
    (second / "skipped" / "z").write_text("3")
    same = digests.digest_tree(second, ignore=["skipped"])
    assert digests.digest_tree(first) == same
    (second / "deep" / "x").rename(second / "deep" / "w")
    assert digests.digest_tree(second, ignore=["skipped"]) != same


def test_canonical_json_ignores_the_order_of_keys() -> None:
    assert digests.digest_json({"a": 1, "b": [2]}) == digests.digest_json({"b": [2], "a": 1})


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_survive_a_round_trip(moment: datetime) -> None:
    assert parse_time(format_time(moment)) == moment


@pytest.mark.parametrize(
    "text", ["yesterday", "2026-05-01", "2026-05-01T10:00:00", "", "0001-01-01T00:00:00+14:00"]
)
def test_times_without_a_zone_are_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidInputError, match="RFC 3339") as caught:
        parse_time(text)
    assert repr(text) in str(caught.value)


def test_days_are_checked() -> None:
    assert parse_day("2026-05-01").isoformat() == "2026-05-01"
    with pytest.raises(InvalidInputError, match="2026-13-01"):
        parse_day("2026-13-01")


@pytest.mark.parametrize(
    "text", ["", ".", "..", "a/b", "../x", "a..b", "-a", "a" * 121, "a b", "ä"]
)
def test_names_that_could_leave_their_place_are_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="valid item id"):
        ids.check_name(text, what="item id")


@pytest.mark.parametrize(
    "text", ["a", "S2A_MSIL2A_20221005T115411.SAFE", "water-quality", "a" * 120]
)
def test_ordinary_names_pass(text: str) -> None:
    assert ids.check_name(text, what="item id") == text


def test_identifiers_are_unique_and_sort_by_time() -> None:
    result = [ids.new_id() for _ in range(1000)]
    assert len(set(result)) == 1000
    assert [item[:12] for item in result] == sorted(item[:12] for item in result)


def test_runs_may_not_do_what_people_may() -> None:
    assert scopes.RUN.isdisjoint(
        {scopes.Scope.CATALOG_WRITE, scopes.Scope.PRODUCTION_APPROVE, scopes.Scope.PLATFORM_ADMIN}
    )
    people = (scopes.SCIENTIST, scopes.REVIEWER, scopes.OPERATOR, scopes.ADMIN)
    assert all(scopes.Scope.RUN_PUBLISH not in role for role in people)
    assert set(scopes.DESCRIPTIONS) == set(scopes.Scope)


def test_every_error_has_a_status_and_says_what_to_do() -> None:
    def descend(kind: type[SkerryError]) -> list[type[SkerryError]]:
        return [kind, *(deep for child in kind.__subclasses__() for deep in descend(child))]

    for kind in descend(SkerryError):
        error = kind("The value 7 is odd.", remedy="Give an even one.")
        assert str(error) == "The value 7 is odd. Give an even one."
        assert 400 <= kind.status < 600
        assert kind.exit_code in (1, 2)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-05-01t10:30:00z", "2026-05-01T10:30:00Z"),
        ("2026-05-01T10:30:00+01:00", "2026-05-01T09:30:00Z"),
        ("2026-05-01T10:30:00-00:00", "2026-05-01T10:30:00Z"),
        ("1996-12-19T16:39:57.5-08:00", "1996-12-20T00:39:57.500000Z"),
        ("2026-05-01T10:30:00.1234567891Z", "2026-05-01T10:30:00.123456Z"),
        ("1990-12-31T23:59:60Z", "1991-01-01T00:00:00Z"),
        ("1990-12-31T15:59:60.25-08:00", "1991-01-01T00:00:00.250000Z"),
    ],
)
def test_every_form_of_an_rfc_3339_time_is_read(text: str, moment: str) -> None:
    assert format_time(parse_time(text)) == moment


@pytest.mark.parametrize(
    "text",
    [
        "2026-05-01T10:30:00+0100", "2026-05-01T10:30:50.Z", "2026-05-01T10:30:50,52Z",
        "2026-05-01 10:30:00Z", "2026-05-01x10:30:00Z", "2026-05-01T10:30Z", "20260501T103000Z",
        "2026-05-01T10:30:00+01", "2026-05-01T10:30:00+01:00:30", "2026-05-01T24:00:00Z",
        "2026-05-01T10:30:60Z", "2026-02-30T10:30:00Z", "2026-W18-5T10:30:00Z",
        "0000-01-01T00:00:00Z",
        "2026-05-01T10:30:00Z\n", "٢026-05-01T10:30:00Z", "9999-12-31T23:59:60Z",
    ],
)  # fmt: skip
def test_what_rfc_3339_does_not_know_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="RFC 3339"):
        parse_time(text)


def test_attempts_are_told_apart_by_their_tokens_which_no_name_shows() -> None:
    first, second = (name_attempt("project-main", token) for token in ("one-token", "other"))
    assert first != second
    assert "one-token" not in first
    assert split_owner(first) == ("project-main", digests.hash_secret("one-token"))
    assert split_owner("alice") == ("alice", None)
