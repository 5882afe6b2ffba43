"""The bytes of a backup: copied into its folder, while the platform may remove some of them."""

from skerry.core.errors import ConflictError
from skerry.core.progress import Progress
from skerry.storage.copying_objects import copy_prefix
from skerry.storage.object_folder import ObjectFolder
from skerry.storage.objects import Objects


class BackupBytes:
    """The bytes that a backup copies, again until none of them goes or changes meanwhile.

    Parameters
    ----------
    source, target
        The platform's object store, and that of the backup folder.
    earlier
        Prefix to digest of the bytes that earlier backups hold.
    """

    def __init__(self, source: Objects, target: ObjectFolder, earlier: dict[str, str]) -> None:
        self.source = source
        self.digests: dict[str, str] = {}
        self.copied: set[str] = set()
        self._target, self._earlier = target, earlier
        self._changed: dict[str, ConflictError] = {}
        self._doubted: set[str] = set()

    def copy(self, units: list[str], report: Progress, *, check: bool) -> set[str]:
        """Copy what the backup folder does not have; return the prefixes without any bytes."""
        lacking, self._changed = set(), {}
        for number, unit in enumerate(units):
            report(number / len(units), f"Copying bytes: {unit}")
            if unit in self.digests:
                continue
            if self._has(unit, check=check):
                self.digests[unit] = self._earlier[unit]
                continue
            try:
                digest = copy_prefix(self.source, self._target, unit)
            except ConflictError as error:
                self._changed[unit] = error
                continue
            if digest is None:
                lacking.add(unit)
            else:
                self.copied.add(unit)
                self.digests[unit] = digest
        return lacking

    def _has(self, unit: str, *, check: bool) -> bool:
        if unit not in self._earlier:
            return False
        return (
            self._target.digest(unit) == self._earlier[unit] if check else self._target.exists(unit)
        )

    def settle(self, given_up: set[str], going: set[str]) -> bool:
        """Forget copies of bytes that went meanwhile; return whether there was none.

        Raises
        ------
        ConflictError
            If bytes changed in two copies, and nobody removes them.
        """
        for unit, error in self._changed.items():
            if unit in self._doubted and not _is_below_or_above(unit, going):
                raise error
            self._doubted.add(unit)
        useless = [unit for unit in self.copied if _is_below_or_above(unit, given_up)]
        for unit in useless:
            self.copied.discard(unit)
            del self.digests[unit]
            self._target.remove(unit)
        return not (useless or self._changed)


def _is_below_or_above(unit: str, prefixes: set[str]) -> bool:
    """Return whether a prefix covers one of some prefixes, or lies below it."""
    return any(unit.startswith(prefix) or prefix.startswith(unit) for prefix in prefixes)
