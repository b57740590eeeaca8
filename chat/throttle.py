"""How often one may try to come in. Each failure beyond a few makes the next try wait longer: of the address it came
from, and, with more patience, of the account it was for.

An address at which the account has an open session is counted for itself, so that nobody else's tries, from there or
from anywhere, keep its person out. A try that is refused counts for nothing: to go on knocking keeps no door shut.
Counts are in the cache, which forgets them an hour after the last try; while there is none, everybody may try.
"""

import hashlib
import unicodedata
from dataclasses import dataclass
from math import ceil
from time import time

from django.core.cache import cache
from django.http import HttpRequest
from redis.exceptions import RedisError

from chat.address import address_of, neighbourhood
from chat.sessions import has_session_at

MEMORY = 3600  # seconds from the last try until all is forgotten


@dataclass(frozen=True)
class Limit:
    """`free` tries cost nothing; then each costs twice the wait of the one before, up to `longest` seconds."""

    free: int
    longest: int

    def wait(self, count: int) -> int:
        """Seconds that the try of this number makes the next one wait."""
        return min(self.longest, 1 << min(count - self.free - 1, 30))


OF_ADDRESS = Limit(free=5, longest=15 * 60)
OF_ACCOUNT = Limit(free=20, longest=60)  # anybody may cause it, from many addresses: not for long


class MustWait(Exception):
    """For so many seconds no other try is taken."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = max(1, ceil(seconds))


@dataclass
class _Counter:
    name: str
    limit: Limit
    reset_by_success: bool
    closed_by_us: bool = False

    @property
    def gate(self) -> str:
        return f"{self.name}:until"

    def take(self) -> None:
        """Count a try. Of many at once, no more are let through than one after the other. Raises MustWait."""
        now = time()
        if (until := cache.get(self.gate, 0)) > now:
            raise MustWait(until - now)
        cache.add(self.name, 0, MEMORY)
        count = cache.incr(self.name)
        if count > self.limit.free:
            wait = self.limit.wait(count)
            self.closed_by_us = cache.add(self.gate, now + wait, wait)
            if not self.closed_by_us:
                cache.decr(self.name)
                raise MustWait(wait)
        cache.touch(self.name, MEMORY)

    def give_back(self) -> None:
        """As if there had been no try."""
        cache.decr(self.name)
        if self.closed_by_us:
            cache.delete(self.gate)

    def succeed(self) -> None:
        if self.reset_by_success:
            cache.delete_many([self.name, self.gate])
        else:
            self.give_back()


class Attempt:
    """One try that was let through. It counts as a failure unless it is said to have succeeded."""

    def __init__(self, counters: list[_Counter]) -> None:
        self.counters = counters

    def succeeded(self) -> None:
        """Forget the account's failures; of the address only this try: its others may have been for other accounts."""
        try:
            for counter in self.counters:
                counter.succeed()
        except (RedisError, ValueError):  # forgotten meanwhile
            return


def admit(request: HttpRequest, door: str, account: str = "") -> Attempt:
    """Let a try through at one of the doors (`password`, `code`, ...). Raises MustWait. One query with an account."""
    taken: list[_Counter] = []
    try:
        for counter in _counters(door, address_of(request), unicodedata.normalize("NFKC", account.strip())):
            counter.take()
            taken.append(counter)
    except MustWait:
        Attempt([_Counter(one.name, one.limit, False, one.closed_by_us) for one in taken]).succeeded()
        raise
    except (RedisError, ValueError):  # a broker that is away must keep nobody out
        return Attempt([])
    return Attempt(taken)


def _counters(door: str, address: str, account: str) -> list[_Counter]:
    place = neighbourhood(address)
    if not account:
        return [_Counter(f"door:{door}:at:{place}", OF_ADDRESS, reset_by_success=False)]
    who = hashlib.sha256(account.casefold().encode(errors="replace")).hexdigest()[:32]
    if has_session_at(account, address):
        return [_Counter(f"door:{door}:both:{place}:{who}", OF_ADDRESS, reset_by_success=True)]
    return [
        _Counter(f"door:{door}:at:{place}", OF_ADDRESS, reset_by_success=False),
        _Counter(f"door:{door}:for:{who}", OF_ACCOUNT, reset_by_success=True),
    ]
