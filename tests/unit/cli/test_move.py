"""`skerry move`: what it refuses before it looks at anything."""

from pathlib import Path

import pytest

from skerry.cli.main import run

SECRET = "s3cret-w0rd"


@pytest.mark.parametrize(
    "address",
    [
        f"postgresql://ada:{SECRET}@db.example/skerry",
        f"postgres://ada:{SECRET}@db.example/skerry?sslmode=require",
        f"postgresql://ada@db.example/skerry?password={SECRET}",
        f"postgresql://ada@db.example/skerry?sslmode=verify-full&sslpassword={SECRET}",
        f"postgresql://:{SECRET}@db.example/skerry",
        f"mysql://ada:{SECRET}@db.example/skerry",
    ],
)
def test_a_password_that_others_could_see_is_refused(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["move", "--data", str(tmp_path), "--database", address]) == 2
    said = capsys.readouterr().err
    assert "list of processes" in said
    assert "PGPASSWORD" in said
    assert "PGPASSFILE" in said
    assert SECRET not in said


@pytest.mark.parametrize(
    "place",
    ["postgresql://ada@db.example/skerry", "postgresql:///skerry?passfile=pgpass", "a:b@c"],
)
def test_an_address_without_a_password_is_looked_at(
    place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["move", "--data", str(tmp_path), "--database", place]) == 2
    assert "is not a data folder of Skerry" in capsys.readouterr().err
