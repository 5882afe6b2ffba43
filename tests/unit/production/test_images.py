"""The registry of images: what a release may run in, and who is told what where it may not."""

import pytest

from skerry.core.errors import ConflictError, InvalidInputError
from skerry.production.environments import describe_environment, digest_environment
from skerry.production.images import Images, check_environment

OWN = "registry.example/skerry@sha256:" + "0" * 64
TEAM = "registry.example/lakes@sha256:" + "1" * 64
OTHER = "registry.example/lakes@sha256:" + "2" * 64
WHEELS = {"lakes-1.0-py3-none-any.whl": "sha3-256:" + "a" * 64}


def register(registered: str, **environment: object) -> Images:
    """Return a registry with one environment beside the platform's own."""
    digest = digest_environment(describe_environment(**environment))  # type: ignore[arg-type]
    return Images(own=OWN, others={digest: registered})


def test_the_platform_s_own_environment_has_its_image() -> None:
    images = Images(own=OWN)
    assert images.find(describe_environment()) == OWN
    check_environment(describe_environment(), images)


def test_a_team_s_image_is_found_where_it_is_registered() -> None:
    images = register(TEAM, image=TEAM)
    assert images.find(describe_environment(image=TEAM)) == TEAM
    assert images.find(describe_environment()) == OWN
    assert images.find(describe_environment(image=OTHER)) is None


def test_the_same_image_may_stand_in_another_registry() -> None:
    mirror = TEAM.replace("registry.example", "mirror.example")
    assert register(mirror, image=TEAM).find(describe_environment(image=TEAM)) == mirror


def test_an_image_registered_for_another_is_not_taken() -> None:
    images = register(OTHER, image=TEAM)
    assert images.find(describe_environment(image=TEAM)) is None
    with pytest.raises(ConflictError, match="nobody has registered"):
        check_environment(describe_environment(image=TEAM), images)


def test_wheels_need_an_image_that_has_them() -> None:
    environment = describe_environment(WHEELS)
    check_environment(environment, register(TEAM, extra_wheels=WHEELS))
    with pytest.raises(ConflictError) as refused:
        check_environment(environment, Images(own=OWN))
    digest = digest_environment(environment)
    assert f"an image with the environment {digest}, which nobody" in refused.value.what
    assert f"'{digest}: NAME@sha256:...'" in refused.value.remedy


def test_an_unregistered_image_is_refused_with_the_line_to_add() -> None:
    environment = describe_environment(image=TEAM)
    with pytest.raises(ConflictError) as refused:
        check_environment(environment, Images(own=OWN))
    assert TEAM in refused.value.what
    assert f"'{digest_environment(environment)}: {TEAM}'" in refused.value.remedy


def test_one_machine_has_no_images() -> None:
    check_environment(describe_environment(WHEELS), None)
    with pytest.raises(ConflictError, match="processes of one machine"):
        check_environment(describe_environment(image=TEAM), None)


def test_an_environment_without_an_image_keeps_its_digest() -> None:
    assert "image" not in describe_environment()


@pytest.mark.parametrize("image", ["lakes", "lakes:1", "a b@sha256:" + "1" * 64, TEAM[:-1]])
def test_what_is_not_pinned_is_no_image(image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKERRY_JOBS_IMAGE", image)
    with pytest.raises(InvalidInputError, match="is not pinned"):
        Images.from_environment()


def test_without_the_variable_runs_have_no_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SKERRY_JOBS_IMAGE", raising=False)
    assert Images.from_environment() is None
