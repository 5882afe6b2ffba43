"""Production's commands, under the names that the command table uses."""

from skerry.cli.jobs import job
from skerry.cli.logs import logs
from skerry.cli.releases import release
from skerry.cli.runs import run, runs

__all__ = ["job", "logs", "release", "run", "runs"]
