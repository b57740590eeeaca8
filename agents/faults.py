"""What memweb stands on can fail: a full disk, a database that takes no rows. How that is told, and who goes on."""

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import InternalError, OperationalError
from django.utils.translation import gettext as _
from psycopg.errors import DiskFull, ReadOnlySqlTransaction

logger = logging.getLogger(__name__)

FULL = (errno.ENOSPC, errno.EDQUOT)


def sentence_of(error: BaseException | None) -> str:
    """What a person is told of such a fault; empty for a fault of memweb's own."""
    cause = getattr(error, "__cause__", None)
    if isinstance(cause, DiskFull) or (isinstance(error, OSError) and error.errno in FULL):
        return _("The disk of this memweb is full, so that was not kept. Whoever runs it has to make room.")
    if isinstance(cause, ReadOnlySqlTransaction):
        return _("The database of this memweb takes no changes at the moment. What is there can be read.")
    if isinstance(error, OperationalError):
        return _("The database is away. Try again in a moment.")
    return ""


@contextmanager
def noted_if_possible() -> Iterator[None]:
    """For what a look at a page writes down on the way: where the database takes no rows, the page is shown without."""
    try:
        yield
    except (OperationalError, InternalError) as error:
        logger.warning("Not noted, the database takes no rows: %s", error)
