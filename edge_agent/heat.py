"""A hot board analyses fewer frames: temperature in, rate out. The policy is pure.

A Raspberry Pi throttles its processor from 80 C and halves it at 85 C (Raspberry Pi
documentation, "Frequency management and thermal control"; a 3B+ has a softer limit at 60 C, told
by its flags), Jetsons in the same region. Throttled, all work takes longer and frames are missed
at the worst moment; fewer frames by choice keep the rest on time.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

# From so many degrees Celsius up, this share of the configured rate.
STEPS = ((70.0, 0.8), (75.0, 0.6), (80.0, 0.4))
# A step is taken back only so far below its threshold, or the board swings between two.
HYSTERESIS_C = 4.0
# Dwell needs two frames a second; a unit configured for fewer keeps what it has.
LEAST_FPS = 2.0
# Bits of get_throttled that speak of heat now: frequency capped, throttled, soft limit reached
# (Raspberry Pi documentation, vcgencmd get_throttled). Bit 0, low voltage, is another matter.
_HOT_BITS = 0b1110
_THROTTLED = Path("devices/platform/soc/soc:firmware/get_throttled")
# Some zones are not wired and say 0 K or thousands of degrees.
_PLAUSIBLE_C = (-40.0, 150.0)


@dataclass(frozen=True, slots=True)
class Board:
    """What the board says of its heat.

    Args:
        celsius: the hottest zone; None = it does not say.
        throttled: the firmware slows the processor down now.
    """

    celsius: float | None = None
    throttled: bool = False


class Heat:
    """Steps the analysed rate down and up again.

    Args:
        fps: analysed frames a second as configured.
    """

    def __init__(self, fps: float) -> None:
        self._fps = fps
        self._level = 0

    @property
    def hot(self) -> bool:
        """Whether the rate is stepped down."""
        return self._level > 0

    @property
    def fps(self) -> float:
        """Analysed frames a second, never below what dwell needs."""
        share = STEPS[self._level - 1][1] if self._level else 1.0
        return max(min(self._fps, LEAST_FPS), self._fps * share)

    def feel(self, board: Board) -> float:
        """Take one reading, every few seconds.

        A board that says nothing of its temperature changes nothing, unless it is throttled: that
        is the last step, whatever the temperature.

        Returns:
            The rate from now on.
        """
        if board.throttled:
            self._level = len(STEPS)
        elif board.celsius is not None:
            up = sum(board.celsius >= limit for limit, _ in STEPS)
            down = sum(board.celsius > limit - HYSTERESIS_C for limit, _ in STEPS)
            self._level = min(max(self._level, up), down)
        else:
            self._level = 0
        return self.fps


def read_board(sys: Path = Path("/sys")) -> Board:
    """The board's own sensors; what cannot be read is left out.

    Args:
        sys: where sysfs is mounted.
    """
    found = [_whole(path, 10) for path in sys.glob("class/thermal/thermal_zone*/temp")]
    low, high = _PLAUSIBLE_C
    degrees = [value / 1000 for value in found if value is not None]
    sound = [value for value in degrees if low <= value <= high]
    flags = _whole(sys / _THROTTLED, 16) or 0
    return Board(max(sound, default=None), bool(flags & _HOT_BITS))


def _whole(path: Path, base: int) -> int | None:
    try:
        return int(path.read_text(encoding="ascii").strip(), base)
    except (OSError, ValueError):
        return None
