"""An HTTP refusal becomes the error that it stands for, whatever its body is."""

import json

import pytest

from skerry.core.errors import (
    ConflictError,
    DiskFullError,
    InvalidInputError,
    NotFoundError,
    SkerryError,
    UnavailableError,
)
from skerry.core.problems import read_problem


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (404, NotFoundError),
        (409, ConflictError),
        (418, InvalidInputError),
        (422, InvalidInputError),
        (502, UnavailableError),
        (507, DiskFullError),
    ],
)
def test_the_status_says_the_kind(status: int, kind: type[SkerryError]) -> None:
    body = json.dumps({"title": "No", "detail": "Item 'x' is so.", "remedy": "Do thus."})
    error = read_problem(status, body.encode(), request="GET /x")
    assert type(error) is kind
    assert (error.what, error.remedy) == ("Item 'x' is so.", "Do thus.")


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[1]", b"{}", b"null", b"\xff\xfe", b'{"detail": null}']
)
def test_a_body_without_words_still_says_what_was_asked_and_what_to_do(body: bytes) -> None:
    error = read_problem(502, body, request="GET /services/api/stac")
    assert error.what == "The platform answers 502 Bad Gateway to GET /services/api/stac."
    assert "skerry logs" in error.remedy


def test_a_status_that_has_no_name_is_told_by_its_number() -> None:
    error = read_problem(599, b"", request="GET /x")
    assert error.what == "The platform answers 599 to GET /x."


def test_tornados_words_are_taken() -> None:
    assert read_problem(403, b'{"message": "No scope"}', request="").what == "No scope"


@pytest.mark.parametrize("status", [302, 404])
def test_a_page_instead_of_an_answer_means_that_the_part_is_away(status: int) -> None:
    """The hub answers so for its services between its own start and theirs."""
    error = read_problem(status, b"<html>Not found</html>", request="GET /services/api/stac")
    assert type(error) is UnavailableError
    assert "GET /services/api/stac" in error.what
