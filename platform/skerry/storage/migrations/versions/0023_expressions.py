"""Parameters of jobs: ``{data_day-1}`` becomes ``{{ day - 1d }}``, ``{tick}`` ``{{ tick }}``."""

import re
from typing import Any

import sqlalchemy as sa
from alembic import op

from skerry.storage.columns import PlainText

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_WORD = re.compile(r"\{(?:data_day(?:(?P<sign>[+-])(?P<days>\d{1,4}))?|(?P<tick>tick))\}")
_JOBS = sa.table("jobs", sa.column("id", PlainText), sa.column("parameters", sa.JSON))


def upgrade() -> None:
    """Write the words of each job's parameters anew."""
    connection = op.get_bind()
    for job in connection.execute(sa.select(_JOBS)).all():
        renewed = _renew(job.parameters)
        if renewed != job.parameters:
            change = sa.update(_JOBS).where(_JOBS.c.id == job.id).values(parameters=renewed)
            connection.execute(change)


def _renew(value: Any) -> Any:
    if isinstance(value, str):
        return _WORD.sub(_write_expression, value)
    if isinstance(value, list):
        return [_renew(entry) for entry in value]
    if isinstance(value, dict):
        return {name: _renew(entry) for name, entry in value.items()}
    return value


def _write_expression(match: re.Match[str]) -> str:
    if match["tick"]:
        return "{{ tick }}"
    return f"{{{{ day {match['sign']} {match['days']}d }}}}" if match["days"] else "{{ day }}"
