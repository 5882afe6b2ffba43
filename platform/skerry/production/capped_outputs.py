"""Outputs of cells: the notebook gets them up to the limits, then a notice."""

from itertools import groupby
from typing import Any

from skerry.core.worker_settings import RunLimits
from skerry.production.run_log import RunLog

_SHOWN = frozenset({"stream", "display_data", "execute_result", "error"})
_REPLACED = "update_display_data"
_LONGEST_FRAME = 20_000
_LOGGED_RESULT = 2_000


class CellOutputs:
    """Passes the outputs of cells to the notebook and the log, up to the limits.

    Parameters
    ----------
    log
        The attempt's log.
    limits
        How much is kept.
    """

    def __init__(self, log: RunLog, limits: RunLimits) -> None:
        self._log = log
        self._limits = limits
        self._earlier = 0
        self._cell = 0
        self._noticed = False

    def begin_cell(self) -> None:
        """Begin with the next cell."""
        self._earlier += self._cell
        self._cell = 0
        self._noticed = False

    def admit(self, message: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the messages to process instead of a kernel's message.

        That is the message itself, or the part of it that fits and a notice, or nothing.
        """
        kind, content = message["msg_type"], message["content"]
        if kind == "clear_output":  # a progress display starts afresh
            self._cell = 0
        if kind == "error":
            content["traceback"] = [frame[:_LONGEST_FRAME] for frame in content["traceback"]]
            content["evalue"] = content["evalue"][:_LONGEST_FRAME]
        if kind in _SHOWN:
            self._write_log(kind, content)
        if kind == "error" or not (kind in _SHOWN or kind == _REPLACED or kind.startswith("comm")):
            return [message]
        size, room = _measure(message), self._find_room()
        if size <= room:
            self._cell += size
            return [message]
        return self._cut(message, room)

    def _find_room(self) -> int:
        return max(
            0,
            min(self._limits.cell - self._cell, self._limits.notebook - self._earlier - self._cell),
        )

    def _cut(self, message: dict[str, Any], room: int) -> list[dict[str, Any]]:
        if self._noticed:
            return []
        self._noticed = True
        self._cell += room
        pieces = []
        if message["msg_type"] == "stream":
            content = {**message["content"], "text": message["content"]["text"][:room]}
            pieces.append({**message, "content": content})
        notice = (
            "\n[Skerry left out further output of this cell: the limits are "
            f"{self._limits.cell / 1e6:g} MB a cell (SKERRY_RUN_CELL_MB) and "
            f"{self._limits.notebook / 1e6:g} MB a notebook (SKERRY_RUN_NOTEBOOK_MB).]\n"
        )
        pieces.append(
            {
                **message,
                "msg_type": "stream",
                "header": {**message["header"], "msg_type": "stream"},
                "content": {"name": "stderr", "text": notice},
            }
        )
        return pieces

    def _write_log(self, kind: str, content: dict[str, Any]) -> None:
        if kind == "stream":
            self._log.write(content["text"])
        elif kind == "error":
            self._log.say("The traceback:\n" + "\n".join(content["traceback"]))
        else:
            result = str(content.get("data", {}).get("text/plain", ""))
            self._log.write(result[:_LOGGED_RESULT] + "\n" if result else "")


def _measure(message: dict[str, Any]) -> int:
    content = message["content"]
    if message["msg_type"] == "stream":
        return len(content["text"])
    parts = content.get("data") or {}
    size = sum(len(part if isinstance(part, str) else repr(part)) for part in parts.values())
    return size + sum(len(buffer) for buffer in message.get("buffers", []))


def merge_streams(cell: Any) -> None:
    """Join neighbouring pieces of one stream of an executed cell, as a terminal would show them.

    nbclient's own function takes a time that grows with the square of a line's length.
    """
    if "outputs" not in cell:
        return
    merged = []
    for _, group in groupby(cell["outputs"], key=lambda output: output.get("name") or id(output)):
        first, *more = group
        if first["output_type"] == "stream":
            first["text"] = _apply_returns("".join(piece["text"] for piece in (first, *more)))
        merged.append(first)
    cell["outputs"] = merged


def _apply_returns(text: str) -> str:
    """Keep the part of each line after its last carriage return, as progress bars intend."""
    lines = text.split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)
