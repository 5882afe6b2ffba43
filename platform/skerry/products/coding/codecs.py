"""Compression by name, in the spellings of Zarr 2, Zarr 3, HDF5 and GeoTIFF.

A codec is written ``name:level``: ``zstd:3``, ``gzip:5``, ``zlib:5``, ``none``, or
``blosc-<compressor>:level`` , which shuffles bytes or bits first: ``blosc-zstd:3`` (bits) and
``blosc-zstd:3:byte``, ``blosc-zstd:3:none``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from skerry.core.errors import InvalidInputError

BLOSC = ("lz4", "lz4hc", "zstd", "zlib", "blosclz")
SHUFFLES = ("none", "byte", "bit")
"""Shuffles in the order of Blosc's numbers 0, 1 and 2."""
_FORM = re.compile(r"(none|zstd|gzip|zlib|blosc-[a-z0-9]+)(?::(\d{1,2}))?(?::(none|byte|bit))?")
_LEVELS = {"zstd": (22, 3), "gzip": (9, 5), "zlib": (9, 5), "blosc": (9, 3)}
"""Codec name to its highest level and its default level."""


@dataclass(frozen=True)
class Codec:
    """One way of compression.

    Attributes
    ----------
    name
        ``none``, ``zstd``, ``gzip``, ``zlib`` or ``blosc-<compressor>``.
    level
        Compression level; 0 for ``none``.
    shuffle
        How the bytes are shuffled first: ``none``, ``byte`` or ``bit``.
    """

    name: str
    level: int = 0
    shuffle: str = "none"

    def __str__(self) -> str:
        """Return the spelling that `parse_codec` reads."""
        if self.name == "none":
            return "none"
        usual = "bit" if self.name.startswith("blosc") else "none"
        return f"{self.name}:{self.level}" + (f":{self.shuffle}" if self.shuffle != usual else "")

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self | None:
        """Return the codec of a configuration of Zarr 3 (``name``) or numcodecs (``id``)."""
        name = str(config.get("id") or config.get("name", "")).removeprefix("numcodecs.")
        inner = config.get("configuration", config)
        if name == "blosc":
            shuffle = inner.get("shuffle", 1)
            words = {"noshuffle": "none", "shuffle": "byte", "bitshuffle": "bit"}
            word = words[shuffle] if shuffle in words else SHUFFLES[shuffle if shuffle >= 0 else 2]
            return cls(f"blosc-{inner['cname']}", int(inner["clevel"]), word)
        if name in ("zstd", "gzip", "zlib"):
            # HDF5 lists shuffle and deflate as two filters; here they are a single codec.
            return cls(name, int(inner.get("level", 0)), str(inner.get("shuffle", "none")))
        return None

    def to_configs(self) -> tuple[dict[str, Any], ...]:
        """Return what an encoding's ``compressors`` holds, as numcodecs spells it."""
        if self.name == "none":
            return ()
        if self.name.startswith("blosc"):
            cname = self.name.removeprefix("blosc-")
            number = SHUFFLES.index(self.shuffle)
            return ({"id": "blosc", "cname": cname, "clevel": self.level, "shuffle": number},)
        return ({"id": self.name, "level": self.level, "shuffle": self.shuffle},)

    def to_zarr3(self) -> list[Any]:
        """Return the compressors for a Zarr 3 array.

        Raises
        ------
        InvalidInputError
            If Zarr 3 has no such codec (``zlib`` alone).
        """
        from zarr import codecs

        if self.name == "none":
            return []
        if self.name.startswith("blosc"):
            shuffle: Any = {"none": "noshuffle", "byte": "shuffle", "bit": "bitshuffle"}
            return [
                codecs.BloscCodec(
                    cname=self.name.removeprefix("blosc-"),  # type: ignore[arg-type]
                    clevel=self.level,
                    shuffle=shuffle[self.shuffle],
                )
            ]
        if self.name == "zstd" and self.shuffle == "none":
            return [codecs.ZstdCodec(level=self.level)]
        if self.name == "gzip" and self.shuffle == "none":
            return [codecs.GzipCodec(level=self.level)]
        raise self._refuse("Zarr 3", "blosc-zstd:3, zstd:3, gzip:5 or none")

    def to_zarr2(self) -> Any:
        """Return the compressor for a Zarr 2 array; None for no compression."""
        import numcodecs  # type: ignore[import-untyped]

        if self.name == "none":
            return None
        if self.name.startswith("blosc"):
            cname = self.name.removeprefix("blosc-")
            return numcodecs.Blosc(cname, self.level, shuffle=SHUFFLES.index(self.shuffle))
        kinds: dict[str, Any] = {
            "zstd": numcodecs.Zstd, "gzip": numcodecs.GZip, "zlib": numcodecs.Zlib,
        }  # fmt: skip
        if self.shuffle == "none":
            return kinds[self.name](level=self.level)
        raise self._refuse("Zarr 2", "blosc-zstd:3, zstd:3, gzip:5, zlib:5 or none")

    def to_hdf5(self) -> dict[str, Any]:
        """Return the keywords for an HDF5 dataset.

        Raises
        ------
        InvalidInputError
            If plain HDF5 readers lack the filter: every codec except ``zlib`` and ``none``.
        """
        if self.name == "none":
            return {}
        if self.name == "zlib" and self.shuffle != "bit":
            return {
                "compression": "gzip",
                "compression_opts": self.level,
                "shuffle": self.shuffle == "byte",
            }
        raise self._refuse("NetCDF-4", "zlib:5, zlib:5:byte or none")

    def to_geotiff(self) -> dict[str, str]:
        """Return GDAL's creation options for a COG.

        Raises
        ------
        InvalidInputError
            If GeoTIFF lacks the compression: every codec except ``zlib``, ``zstd`` and ``none``.
        """
        if self.name == "none":
            return {"COMPRESS": "NONE"}
        if self.name in ("zlib", "zstd") and self.shuffle == "none":
            compress = {"zlib": "DEFLATE", "zstd": "ZSTD"}[self.name]
            return {"COMPRESS": compress, "LEVEL": str(max(1, self.level)), "PREDICTOR": "YES"}
        raise self._refuse("GeoTIFF", "zlib:6, zstd:9 or none")

    def _refuse(self, form: str, choices: str) -> InvalidInputError:
        return InvalidInputError(f"{form} has no codec {str(self)!r}.", remedy=f"Use {choices}.")


def parse_codec(text: str) -> Codec:
    """Read a codec from text such as ``zstd:3``.

    Raises
    ------
    InvalidInputError
        If the codec or level is unknown.
    """
    match = _FORM.fullmatch(text.strip().lower())
    name = match.group(1) if match else ""
    family, _, compressor = name.partition("-")
    if match is None or (family == "blosc" and compressor not in BLOSC):
        raise _unknown(text)
    if name == "none":
        return Codec("none")
    highest, usual = _LEVELS[family]
    level = usual if match.group(2) is None else int(match.group(2))
    if level > highest:
        raise _unknown(text)
    return Codec(name, level, match.group(3) or ("bit" if family == "blosc" else "none"))


def codec_of(encoding: Mapping[str, Any]) -> Codec | None:
    """Return the codec that an encoding names under ``compressors`` or ``compressor``.

    Returns
    -------
    Codec or None
        ``Codec("none")`` if the encoding says that there is no compression; None if it says
        nothing, names several codecs, or names a codec that this module cannot spell.
    """
    if "compressors" not in encoding and "compressor" not in encoding:
        return None
    compressors = encoding.get("compressors", encoding.get("compressor"))
    several = list(compressors) if isinstance(compressors, list | tuple) else [compressors]
    configs = [_configure(item) for item in several if item is not None]
    if not configs:
        return Codec("none")
    return Codec.from_config(configs[0]) if len(configs) == 1 else None


def _configure(codec: Any) -> dict[str, Any]:
    if isinstance(codec, Mapping):
        return dict(codec)
    config: dict[str, Any] = codec.to_dict() if hasattr(codec, "to_dict") else codec.get_config()
    return config


def _unknown(text: str) -> InvalidInputError:
    return InvalidInputError(
        f"{text!r} names no codec.",
        remedy="Use none, zstd:3, gzip:5, zlib:5 or blosc-zstd:3 (or blosc-lz4:5, ...).",
    )
