"""Frames that many pages show: each is drawn by the first page that needs it, and the others wait for that."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable
from typing import Any
from weakref import WeakKeyDictionary

REMEMBERED = 500  # frames; a page that comes to one later draws it anew

_frames: WeakKeyDictionary[asyncio.AbstractEventLoop, OrderedDict[Hashable, "asyncio.Task[Any]"]] = WeakKeyDictionary()


async def drawn_once(key: Hashable, draw: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """What `draw` gives, for all that ask with the same key on this event loop. Raises what it raises, to each."""
    loop = asyncio.get_running_loop()
    frames = _frames.setdefault(loop, OrderedDict())
    task = frames.get(key)
    if task is None:
        task = frames[key] = loop.create_task(draw())
        while len(frames) > REMEMBERED:
            frames.popitem(last=False)
    return await asyncio.shield(task)
