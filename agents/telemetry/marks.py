"""Which run and step a line of the log is about."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_marks: ContextVar[dict[str, str | int]] = ContextVar("marks", default={})  # noqa: B039 - never changed, only replaced


@contextmanager
def marked(**marks: str | int) -> Iterator[None]:
    """Lines that this thread logs meanwhile tell them, beside those they have already."""
    token = _marks.set({**_marks.get(), **marks})
    try:
        yield
    finally:
        _marks.reset(token)


def add(record: logging.LogRecord) -> bool:
    """A filter: `record.marks` is as a line shows them, each is a field of its own as well."""
    marks = _marks.get()
    record.marks = f" [{', '.join(f'{name} {value}' for name, value in marks.items())}]" if marks else ""
    record.__dict__.update(marks)
    return True
