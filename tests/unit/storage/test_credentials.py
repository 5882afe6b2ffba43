import json

import pytest

from skerry.core.errors import InvalidInputError
from skerry.storage.credentials import TokenService, write_policy

LARGEST_BUCKET = "b" * 63
LONGEST_PREFIX = f"sandbox/{'u' * 120}/{'g' * 32}/products/{'o' * 120}/"
"""Longer than what Skerry grants: a name has at most 120 characters."""


def test_a_policy_fits_below_a_prefix_of_400_characters() -> None:
    policy = write_policy(LARGEST_BUCKET, f"{'p' * 400}/{LONGEST_PREFIX}", "write")
    assert len(policy) <= 2048
    assert len(json.loads(policy)["Statement"]) == 2


def test_a_policy_that_no_token_service_takes_is_refused_with_its_length() -> None:
    with pytest.raises(InvalidInputError, match="take 2048") as caught:
        write_policy(LARGEST_BUCKET, f"{'p' * 900}/", "write")
    assert "SKERRY_OBJECTS" in caught.value.remedy


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"])
def test_a_token_service_with_keys_in_its_address_is_refused_without_showing_them(
    variable: str,
) -> None:
    environment = {
        "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_ENDPOINT_URL_S3": "https://s3.example", variable: "https://me:hidden@sts.example",
    }  # fmt: skip
    with pytest.raises(InvalidInputError, match=variable) as caught:
        TokenService.from_environment(environment)
    assert "hidden" not in f"{caught.value}{caught.value.remedy}"


def test_the_address_of_the_token_service_comes_before_that_of_the_bucket() -> None:
    environment = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret",
                   "AWS_ENDPOINT_URL_S3": "https://s3.example/"}  # fmt: skip
    service = TokenService.from_environment(environment)
    assert service is not None
    assert service.address == "https://s3.example/"
    service = TokenService.from_environment(environment | {"AWS_ENDPOINT_URL_STS": "https://sts/"})
    assert service is not None
    assert (service.address, service.endpoint) == ("https://sts/", "https://s3.example")
