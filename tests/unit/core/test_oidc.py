"""Tokens that pass and tokens that must not, keys that change, and providers that are away."""

import asyncio
import time
from typing import Any

import pytest
from tests.token_issuer import (
    AUDIENCE,
    ISSUER,
    Issuer,
    change_claims,
    describe_key,
    forge_unsigned,
    forge_with_public_key,
    make_ec,
    make_rsa,
)

from skerry.core.oidc.keys import KeySet
from skerry.core.oidc.provider import Provider, ProviderAwayError, is_trustworthy
from skerry.core.oidc.tokens import Expected, RefusedTokenError, looks_like_jwt, verify_token

EXPECTED = Expected(ISSUER, AUDIENCE, ("RS256", "ES256"), leeway_s=5)


class Clock:
    """Time that passes when a test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def make_keys(issuer: Issuer, clock: Clock | None = None) -> KeySet:
    clock = clock or Clock()
    provider = Provider(issuer.issuer, fetch=issuer.fetch, clock=clock)
    return KeySet(provider, fetch=issuer.fetch, clock=clock)


def verify(issuer: Issuer, token: str, expected: Expected = EXPECTED) -> Any:
    return asyncio.run(verify_token(token, make_keys(issuer), expected))


class TestTokens:
    def test_a_good_token_gives_its_claims(self) -> None:
        assert verify(Issuer(), Issuer().sign(groups=["lakes"]))["groups"] == ["lakes"]
        keys = [describe_key(make_ec("curve"), "curve")]
        token = Issuer().sign(key=make_ec("curve"), algorithm="ES256", headers={"kid": "curve"})
        assert verify(Issuer(keys=keys), token)["sub"] == "machine-7"
        assert verify(Issuer(), Issuer().sign(aud=["others", AUDIENCE]))["iss"] == ISSUER

    def test_clocks_may_differ_by_the_leeway(self) -> None:
        now = int(time.time())
        assert verify(Issuer(), Issuer().sign(exp=now - 2))
        assert verify(Issuer(), Issuer().sign(nbf=now + 2, iat=now + 2))

    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"exp": 1_000_000_000, "iat": 999_999_000}, "has expired"),
            ({"nbf": 4_000_000_000, "exp": 4_000_000_100}, "not valid yet"),
            ({"iat": 4_000_000_000, "exp": 4_000_000_100}, "not valid yet"),
            ({"iss": "https://login.example.org/realms/other"}, "another issuer"),
            ({"iss": f"{ISSUER}/"}, "another issuer"),
            ({"aud": "another-platform"}, "another audience"),
            ({"aud": []}, "lacks the claim 'aud'"),
            ({"without": ("aud",)}, "lacks the claim 'aud'"),
            ({"without": ("exp",)}, "lacks the claim 'exp'"),
            ({"without": ("iat",)}, "lacks the claim 'iat'"),
            ({"without": ("sub",)}, "lacks the claim 'sub'"),
            ({"without": ("iss",)}, "lacks the claim 'iss'"),
            ({"sub": 7}, "malformed"),
            ({"key": "stranger"}, "signature is wrong"),
            ({"headers": {"kid": None}}, "does not name its key"),
            ({"headers": {"kid": ""}}, "does not name its key"),
            ({"headers": {"kid": "unknown"}}, "does not have"),
            ({"algorithm": "RS512"}, "does not take"),
            ({"algorithm": "PS256"}, "does not take"),
            ({"algorithm": "HS256", "key": "a secret of 32 letters or more, as HS256 wants"},
             "does not take"),
            ({"algorithm": "ES256", "key": "curve"}, "not of the kind"),
            ({"headers": {"crit": ["b64"], "b64": False}}, "malformed|not a JWT"),
        ],
    )  # fmt: skip
    def test_a_bad_token_is_refused_with_the_reason(
        self, changes: dict[str, Any], why: str
    ) -> None:
        issuer = Issuer()
        token = issuer.sign(**changes)
        with pytest.raises(RefusedTokenError, match=why) as refused:
            verify(issuer, token)
        assert token not in str(refused.value)

    def test_forgeries_are_refused(self) -> None:
        issuer = Issuer()
        good = issuer.sign()
        assert verify(issuer, good)
        inner = {"headers": {"jwk": describe_key(make_rsa("stranger"), "first")}}
        for forged in (
            forge_unsigned(good),
            forge_with_public_key(good),
            change_claims(good, sub="another"),
            issuer.sign(key=make_rsa("stranger"), **inner),
            good[:-4],
            good.rpartition(".")[0] + ".",
            "eyJ.eyJ.x",
            f"{good}{'A' * 20_000}",
        ):
            with pytest.raises(RefusedTokenError):
                verify(issuer, forged)

    def test_a_public_key_never_becomes_a_secret(self) -> None:
        """Not even where the settings were changed by mistake: they cannot name HS256."""
        issuer = Issuer(keys=[{"kty": "oct", "kid": "first", "k": "c2VjcmV0", "alg": "HS256"}])
        mistaken = Expected(ISSUER, AUDIENCE, ("HS256",), 5)  # type: ignore[arg-type]
        with pytest.raises(RefusedTokenError, match="does not have"):
            verify(issuer, forge_with_public_key(issuer.sign()), mistaken)

    def test_a_key_for_another_purpose_verifies_nothing(self) -> None:
        for changed in ({"use": "enc"}, {"alg": "PS256"}, {"kty": "EC"}):
            issuer = Issuer(keys=[describe_key(make_rsa("first"), "first", **changed)])
            with pytest.raises(RefusedTokenError):
                verify(issuer, issuer.sign())

    def test_a_key_that_is_too_short_verifies_nothing(self) -> None:
        from cryptography.hazmat.primitives.asymmetric import rsa

        short = rsa.generate_private_key(65537, 1024)  # noqa: S505
        issuer = Issuer(keys=[describe_key(short, "first")])
        with pytest.warns(Warning, match="below"):
            token = issuer.sign(key=short)
        with pytest.raises(RefusedTokenError, match="not of the kind"):
            verify(issuer, token)

    def test_tokens_of_the_hub_do_not_look_like_these(self) -> None:
        assert looks_like_jwt(Issuer().sign())
        for token in ("c0ffee" * 10, "a.b.c", "eyJhbGciOi", ""):
            assert not looks_like_jwt(token)


class TestKeys:
    def test_they_are_read_once_and_again_after_ten_minutes(self) -> None:
        issuer, clock = Issuer(), Clock()
        keys = make_keys(issuer, clock)

        async def look() -> None:
            for _ in range(5):
                assert await keys.find("first")
            assert issuer.asked_for_keys == 1
            clock.now += 601
            assert await keys.find("first")
            assert issuer.asked_for_keys == 2

        asyncio.run(look())

    def test_a_new_key_is_found_at_once_and_an_old_one_goes(self) -> None:
        issuer, clock = Issuer(), Clock()
        keys = make_keys(issuer, clock)

        async def look() -> None:
            assert await keys.find("first")
            issuer.keys = [describe_key(make_rsa("second"), "second")]
            clock.now += 11
            assert await keys.find("second")
            assert await keys.find("first") is None

        asyncio.run(look())

    def test_made_up_names_do_not_become_requests(self) -> None:
        issuer, clock = Issuer(), Clock()
        keys = make_keys(issuer, clock)

        async def look() -> None:
            found = await asyncio.gather(*(keys.find(f"made-up-{n}") for n in range(200)))
            assert set(found) == {None}
            assert issuer.asked_for_keys == 1
            clock.now += 11
            await asyncio.gather(*(keys.find(f"again-{n}") for n in range(200)))
            assert issuer.asked_for_keys == 2

        asyncio.run(look())

    def test_while_the_provider_is_away_known_keys_are_good_for_an_hour(self) -> None:
        issuer, clock = Issuer(), Clock()
        keys = make_keys(issuer, clock)

        async def look() -> None:
            assert await keys.find("first")
            issuer.is_away = True
            clock.now += 3000
            assert await keys.find("first")
            with pytest.raises(ProviderAwayError):
                await keys.find("second")
            clock.now += 700
            with pytest.raises(ProviderAwayError):
                await keys.find("first")
            issuer.is_away = False
            clock.now += 11
            assert await keys.find("first")

        asyncio.run(look())

    def test_a_provider_that_never_answered_lets_nobody_in(self) -> None:
        issuer = Issuer(is_away=True)
        with pytest.raises(ProviderAwayError):
            verify(issuer, issuer.sign())

    def test_answers_that_are_no_keys_are_a_provider_that_is_away(self) -> None:
        for answer in (None, [], {"keys": "first"}, {}):

            async def fetch(url: str, answer: Any = answer) -> Any:
                return {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/k"} if "well" in url else answer

            keys = KeySet(Provider(ISSUER, fetch=fetch), fetch=fetch)
            with pytest.raises(ProviderAwayError, match="set of keys"):
                asyncio.run(keys.find("first"))


class TestProvider:
    @pytest.mark.parametrize(
        "changed",
        [
            {"issuer": "https://login.example.org/realms/other"},
            {"jwks_uri": "http://login.example.org/keys"},
            {"jwks_uri": "file:///etc/passwd"},
            {"token_endpoint": "http://10.0.0.7/token"},
            {"jwks_uri": None},
        ],
    )
    def test_what_no_provider_should_say_is_refused(self, changed: dict[str, Any]) -> None:
        async def fetch(_url: str) -> Any:
            return {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"} | changed

        with pytest.raises(ProviderAwayError, match=r"issuer|speaks for|https|valid string"):
            asyncio.run(Provider(ISSUER, fetch=fetch).describe())

    def test_only_https_and_this_machine_are_trusted(self) -> None:
        for url in (
            "https://login.example.org/realms/a", "http://127.0.0.1:8080/realms/a",
            "http://[::1]:8080", "http://localhost:9/",
        ):  # fmt: skip
            assert is_trustworthy(url), url
        for url in (
            "http://login.example.org", "http://127.0.0.1.example.org", "ftp://127.0.0.1",
            "https://user:secret@login.example.org", "https://", "login.example.org",
            "http://127.0.0.1@evil.org/", "https://login.example.org:port", "",
        ):  # fmt: skip
            assert not is_trustworthy(url), url
