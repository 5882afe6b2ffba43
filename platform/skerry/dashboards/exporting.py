"""Exports a variable in a process of its own: pages answer meanwhile, and its memory goes with it.

The order goes through the pipe, because arguments and environment of a process can be read.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

from skerry.client.login import Login
from skerry.client.session import Session
from skerry.core.errors import SkerryError, UnavailableError
from skerry.core.problems import read_problem

_MOST = 2
"""Exports at the same time; more wait."""
_PATIENCE = 5
"""By how much an export is nicer than the pages (`os.nice`)."""

_turn = asyncio.Semaphore(_MOST)


async def export_apart(reference: str, variable: str, target: Path, *, login: Login) -> None:
    """Write an item's variable as a COG; a caller who is cancelled ends the process.

    Parameters
    ----------
    reference
        ``"collection/item"``.
    variable
        Its variable.
    target
        The file to write.
    login
        The viewer's.

    Raises
    ------
    SkerryError
        As `skerry.pipelines.exporting.export_item`.
    UnavailableError
        If the process was ended from outside, such as by a machine without memory.
    """
    order = json.dumps(
        {
            "reference": reference, "variable": variable, "target": str(target),
            "url": login.url, "token": login.token, "user": login.user,
        }
    )  # fmt: skip
    async with _turn:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", __name__,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            answer, _ = await process.communicate(order.encode())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    if answer:
        problem = json.loads(answer)
        raise read_problem(problem["status"], answer, request=f"the export of {reference}")
    if process.returncode != 0:
        raise UnavailableError(
            f"The export of {reference} ended with {process.returncode}.",
            remedy="Try again; 'skerry logs dashboards' shows what happened.",
        )


def main() -> None:
    """Carry out the order on standard input; write a problem to standard output."""
    from skerry.pipelines.exporting import export_item

    order = json.load(sys.stdin)
    os.nice(_PATIENCE)
    try:
        with Session(Login(order["url"], order["token"], order["user"])) as session:
            export_item(
                order["reference"], Path(order["target"]),
                variable=order["variable"], session=session,
            )  # fmt: skip
    except SkerryError as error:
        json.dump(
            {"status": error.status, "detail": error.what, "remedy": error.remedy}, sys.stdout
        )


if __name__ == "__main__":
    main()
