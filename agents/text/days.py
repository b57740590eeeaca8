"""Days as people and models write them, where they begin and end; times as models read them."""

from datetime import date, datetime, time, timedelta, tzinfo

FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(9000, 1, 1)  # others overflow in some time zones


def parse_day(text: str) -> date:
    """A day written as YYYY-MM-DD, brought between FIRST_DAY and LAST_DAY. Raises ValueError."""
    return min(max(date.fromisoformat(text.strip()), FIRST_DAY), LAST_DAY)


def day_start(day: date, zone: tzinfo) -> datetime:
    """Midnight at which the day begins."""
    return datetime.combine(day, time.min, tzinfo=zone)


def day_end(day: date, zone: tzinfo) -> datetime:
    """Midnight at which the next day begins."""
    return day_start(min(day, LAST_DAY) + timedelta(days=1), zone)


def offset(time: datetime) -> str:
    """How far its zone is from UTC at that time: +14, +0530, UTC."""
    return f"{time:%z}".removesuffix("00") if time.utcoffset() else "UTC"


def stamp(time: datetime) -> str:
    """A time as the model reads it, in the zone that it has: Fri 2026-11-27 01:07 +14."""
    return f"{time:%a %Y-%m-%d %H:%M} {offset(time)}"
