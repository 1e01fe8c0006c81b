"""`Window`: the stretch of time that a limit is for, by the calendar or sliding."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Self, final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SLICES", "Window", "check_window"]

SLICES: Final = 60
"""A sliding window forgets in slices of a sixtieth of its length."""

_DAYS: Final = {"day": 1, "week": 7}
_CALENDAR: Final = ("hour", "day", "week", "month")
_MICRO: Final = 10**6
_SHORTEST: Final = 0.001
_LONGEST: Final = 10**10
"""Of a sliding window, in seconds."""


@final
@dataclass(frozen=True, slots=True)
class Window:
    """How long a spend counts against the limits of its account; made by `day`, `sliding` and their neighbours.

    ```python
    Budget(usd="100", window=Window.month("Europe/Berlin"))
    Budget(llm_calls=60, window=Window.sliding(3600))
    ```

    A calendar window starts anew at its boundary; calls in flight there are carried over, so that what is reserved and
    spent never passes the limit. A sliding window forgets a spend once it is as old as the window, at the latest one
    sixtieth of it later: never too early, so the limit holds over every stretch of that length.

    Attributes:
        kind: ``hour``, ``day``, ``week``, ``month`` or ``sliding``.
        zone: the time zone whose calendar it is, an IANA name.
        length: of a sliding window, in microseconds; 0 for the calendar's.
    """

    kind: str
    zone: str = "UTC"
    length: int = 0

    @classmethod
    def hour(cls, tz: str = "UTC") -> Self:
        """From one full hour to the next (they are not everywhere the same)."""
        return cls("hour", _known(tz))

    @classmethod
    def day(cls, tz: str = "UTC") -> Self:
        """From midnight to midnight, 23 or 25 hours where the clocks change."""
        return cls("day", _known(tz))

    @classmethod
    def week(cls, tz: str = "UTC") -> Self:
        """From Monday, midnight (ISO 8601)."""
        return cls("week", _known(tz))

    @classmethod
    def month(cls, tz: str = "UTC") -> Self:
        """From the first of the month, midnight."""
        return cls("month", _known(tz))

    @classmethod
    def sliding(cls, length: float | timedelta) -> Self:
        """The last ``length`` seconds.

        Raises:
            ValueError: shorter than a thousandth of a second, or not finite.
        """
        seconds = length.total_seconds() if isinstance(length, timedelta) else length
        if not _SHORTEST <= seconds < _LONGEST:
            raise ValueError(f"length={length!r} must be a number of seconds from 0.001 on, such as 3600")
        return cls("sliding", "UTC", round(seconds * _MICRO))

    @classmethod
    def parse(cls, text: str) -> Self:
        """A window as `str` writes it: ``"day"``, ``"month@Europe/Berlin"``, ``"sliding@3600"``.

        Raises:
            ValueError: no such window.
        """
        kind, _, rest = text.partition("@")
        if kind in _CALENDAR:
            return cls(kind, _known(rest or "UTC"))
        try:
            if kind == "sliding":
                return cls.sliding(float(rest))
        except ValueError:
            pass
        raise ValueError(f"{text!r} is no window: write 'day', 'month@Europe/Berlin' or 'sliding@3600' (seconds)")

    def __str__(self) -> str:
        if self.kind == "sliding":
            return f"sliding@{self.length / _MICRO:.6f}".rstrip("0").rstrip(".")
        return self.kind if self.zone == "UTC" else f"{self.kind}@{self.zone}"

    @property
    def slice(self) -> int:
        """Of a sliding window: the microseconds that are forgotten together."""
        return -(-self.length // SLICES)

    def bounds(self, at: int) -> tuple[int, int]:
        """Start and end of the calendar window that holds ``at``, all in microseconds since 1970."""
        zone = ZoneInfo(self.zone)
        if self.kind == "hour":
            return _hour(datetime.fromtimestamp(at // _MICRO, zone))
        first = _midnight(datetime.fromtimestamp(at // _MICRO, zone))
        if self.kind == "month":
            first = first.replace(day=1)
            return _micro(first, zone), _micro((first + timedelta(days=32)).replace(day=1), zone)
        if self.kind == "week":
            first -= timedelta(days=first.weekday())
        return _micro(first, zone), _micro(first + timedelta(days=_DAYS[self.kind]), zone)


def _known(zone: str) -> str:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"tz={zone!r} is no time zone that is known here: write it like 'Europe/Berlin'") from None
    return zone


def _hour(local: datetime) -> tuple[int, int]:
    """Counted on the time line, not on the wall: the hour that a zone repeats in autumn is two windows."""
    start = round(local.timestamp()) - local.minute * 60 - local.second
    return start * _MICRO, (start + 3600) * _MICRO


def _midnight(local: datetime) -> datetime:
    return datetime(local.year, local.month, local.day)  # noqa: DTZ001 - a date on the wall; its zone comes in `_micro`


def _micro(wall: datetime, zone: ZoneInfo) -> int:
    return round(wall.replace(tzinfo=zone).timestamp()) * _MICRO


def check_window(window: Window | None, limits: Mapping[str, int], *, prepaid: bool) -> None:
    """Refuse what has no meaning.

    Raises:
        ValueError: a share that renews itself, or seconds over a sliding window.
    """
    if window is not None and prepaid:
        raise ValueError(f"window={window} does not go with prepaid=True: a share is taken out of the parent once")
    if window is not None and window.kind == "sliding" and "seconds" in limits:
        raise ValueError(f"seconds cannot be limited over window={window}: use a calendar window such as Window.hour()")
