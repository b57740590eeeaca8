"""Numbers in addresses and forms, where anybody can write anything."""

from django.http import QueryDict

MOST_DIGITS = 18  # more fits no column


def number(data: QueryDict, name: str) -> int | None:
    """None for what is not a whole number."""
    value = data.get(name, "")
    return int(value) if value.isdecimal() and len(value) <= MOST_DIGITS else None
