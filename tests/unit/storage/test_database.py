"""Transactions: writers take turns, readers wait for nobody."""

from pathlib import Path

from sqlalchemy import text

from skerry.storage.database import database_url, open_database, reading


def test_reading_waits_for_no_writer_and_sees_what_is_committed(tmp_path: Path) -> None:
    engine = open_database(database_url(tmp_path / "a.sqlite"))
    with engine.begin() as writer:
        writer.execute(text("CREATE TABLE t (x)"))
    with engine.begin() as writer, reading(engine) as reader:
        writer.execute(text("INSERT INTO t VALUES (1)"))
        assert reader.execute(text("SELECT count(*) FROM t")).scalar() == 0
    with reading(engine) as reader, engine.begin() as writer:
        assert reader.execute(text("SELECT count(*) FROM t")).scalar() == 1
        writer.execute(text("INSERT INTO t VALUES (2)"))  # nor does it keep one waiting
    engine.dispose()
