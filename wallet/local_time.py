"""Local days and hours of a named zone. Times that decide are UTC; an owner's day and hours are local."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from wallet.errors import InvalidFact

_CHINA = timezone(timedelta(hours=8), "CST")


def zone_named(name: str) -> tzinfo:
    """The zone; China's needs no time zone database. Raises InvalidFact."""
    if name == "Asia/Shanghai":
        return _CHINA
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise InvalidFact("zone", repr(name), "must be a time zone such as Asia/Shanghai or UTC") from None


def day_of(moment: datetime, zone: str) -> tuple[datetime, datetime]:
    """The local day a moment belongs to: its midnight and the next one, in UTC."""
    there = zone_named(zone)
    today = moment.astimezone(there).date()
    midnights = (datetime.combine(today + timedelta(days=more), time(), there) for more in (0, 1))
    first, last = (midnight.astimezone(UTC) for midnight in midnights)
    return first, last


def minute_of(moment: datetime, zone: str) -> int:
    """Minutes since midnight that a clock there shows."""
    local = moment.astimezone(zone_named(zone))
    return local.hour * 60 + local.minute


def clock_of(moment: datetime, zone: str) -> str:
    """What a clock there shows, as 07:05."""
    return f"{moment.astimezone(zone_named(zone)):%H:%M}"


def is_within(minute: int, opens: int, closes: int) -> bool:
    """Whether a minute of the day is within hours that end before `closes`, over midnight where they must."""
    if opens < closes:
        return opens <= minute < closes
    return minute >= opens or minute < closes
