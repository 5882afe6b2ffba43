import pytest

from skerry.core.addresses import allowed_origins, check_address, resolve_name
from skerry.core.errors import InvalidInputError, UnavailableError


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "168.63.129.16",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "::1",
        "fe80::1%eth0",
        "fd00::1",
        "::ffff:127.0.0.1",
        "2002:7f00:1::",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::7f00:1",
        "2001:0:7f00:1::",
        "::7f00:1",
        "::ffff:0:7f00:1",
        "::ffff:93.184.215.14",
        "64:ff9b::5db8:d70e",
        "no address",
    ],
)
def test_a_name_that_leads_inside_is_refused(address: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        check_address("https://data.example/a.zip", resolve=lambda _h, _p: [address])
    assert address in caught.value.what
    assert "SKERRY_ALLOWED_ORIGINS" in caught.value.remedy


def test_one_inside_address_among_public_ones_is_enough_to_refuse() -> None:
    with pytest.raises(InvalidInputError, match=r"10\.0\.0\.1"):
        check_address("https://a.example/", resolve=lambda _h, _p: ["93.184.215.14", "10.0.0.1"])


def test_a_name_without_addresses_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="no address"):
        check_address("https://a.example/", resolve=lambda _h, _p: [])


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://a.example/b.zip",
        "https://",
        "https://user:word@a.example/b.zip",
        "http://a.example:99999/",
        "http://[::1",
        "a.zip",
    ],
)
def test_what_is_not_a_web_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidInputError, match="http or https"):
        check_address(url, resolve=lambda _h, _p: ["93.184.215.14"])


def test_a_public_address_passes_with_the_ip_to_connect_to() -> None:
    resolved: list[tuple[str, int]] = []

    def resolve(host: str, port: int) -> list[str]:
        resolved.append((host, port))
        return ["2606:2800:21f:cb07:6820:80da:af6b:8b2c", "93.184.215.14"]

    checked = check_address("https://Data.Example/a.zip", resolve=resolve)
    assert resolved == [("data.example", 443)]
    assert (checked.host, checked.port) == ("data.example", 443)
    assert checked.ips[0] == "2606:2800:21f:cb07:6820:80da:af6b:8b2c"


def test_an_origin_named_in_settings_passes_and_no_other_port(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SKERRY_ALLOWED_ORIGINS", "http://127.0.0.1:9000, https://mirror.example")
    origins = allowed_origins()
    assert origins == {"http://127.0.0.1:9000", "https://mirror.example:443"}

    def resolve(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    assert check_address("http://127.0.0.1:9000/a", origins=origins, resolve=resolve).port == 9000
    with pytest.raises(InvalidInputError):
        check_address("http://127.0.0.1:9001/a", origins=origins, resolve=resolve)


def test_a_name_that_does_not_resolve_is_named() -> None:
    with pytest.raises(UnavailableError, match=r"nowhere\.invalid"):
        resolve_name("nowhere.invalid", 80)


@pytest.mark.parametrize(
    "address", ["https://me:very-secret@a.example/b", "ftp://me:very/secret@a"]
)
def test_a_refusal_shows_no_password(address: str) -> None:
    with pytest.raises(InvalidInputError, match=r"//\.\.\.@a") as refusal:
        check_address(address)
    assert "secret" not in str(refusal.value)
