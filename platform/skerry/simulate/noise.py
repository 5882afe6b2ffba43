"""Smooth noise on any coordinates: a random lattice that repeats, interpolated with a smooth step.

Source: K. Perlin (1985): An image synthesizer. SIGGRAPH Computer Graphics 19(3), 287-296; the
value-noise variant, with the cubic 3 t^2 - 2 t^3 between nodes.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.float32]

NODES = 64
"""Nodes along each side of the lattice; the noise repeats after this many cells."""


@dataclass(frozen=True)
class Noise:
    """A noise field.

    Attributes
    ----------
    nodes
        ``(NODES * NODES,)`` values between -1 and 1.
    cells
        Lattice cells along one unit of the coordinates.
    octaves
        Number of fields in the sum, each with half the amplitude and period of the field before.
    """

    nodes: Field
    cells: float
    octaves: int = 1

    def at(self, x: Field, y: Field) -> Field:
        """Return the noise at coordinates of any shape: float32, between -1 and 1."""
        total = np.zeros_like(x)
        weight = 0.0
        for octave in range(self.octaves):
            step = np.float32(self.cells * 2**octave)
            total += np.float32(0.5**octave) * self._interpolate(x * step, y * step)
            weight += 0.5**octave
        return np.asarray(total / np.float32(weight), np.float32)

    def _interpolate(self, x: Field, y: Field) -> Field:
        left, top = np.floor(x), np.floor(y)
        right_weight, lower_weight = _smooth(x - left), _smooth(y - top)
        column, row = left.astype(np.int32), top.astype(np.int32)
        here, below = (row % NODES) * NODES, ((row + 1) % NODES) * NODES
        west, east = column % NODES, (column + 1) % NODES
        upper = self._blend(here + west, here + east, right_weight)
        lower = self._blend(below + west, below + east, right_weight)
        return np.asarray(upper + lower_weight * (lower - upper), np.float32)

    def _blend(self, left: npt.NDArray[np.int32], right: npt.NDArray[np.int32], w: Field) -> Field:
        first = self.nodes[left]
        return np.asarray(first + w * (self.nodes[right] - first), np.float32)


def make_noise(cells: float, octaves: int, *stream: int) -> Noise:
    """Return the noise field of a random stream: the same numbers give the same field."""
    generator = np.random.default_rng(stream)
    return Noise(generator.uniform(-1, 1, NODES * NODES).astype(np.float32), cells, octaves)


def _smooth(t: Field) -> Field:
    return np.asarray(t * t * (3 - 2 * t), np.float32)
