"""Bringing the index of words up to the present form, in the background, while search goes on in both."""

import logging
import time

from django.db import connection

from agents.external_context import archival_storage, recall_storage, words
from agents.locks import try_lock
from agents.models import Message, Passage

logger = logging.getLogger(__name__)

BATCH = 200  # rows that are committed together
SLICE_SECONDS = 20  # of work at a time: summaries and the reaper wait in the same queue


def work() -> bool:
    """Index rows in an older form anew for a while; true if some are left. Two look-ups in empty indexes if there are
    none. It may be killed at any time and goes on where it stopped; false while another worker is at it."""
    with try_lock("words") as acquired:
        if not acquired or not left():
            return False
        began, done = time.monotonic(), 0
        while more := archival_storage.index_older_words(BATCH) + recall_storage.index_older_words(BATCH):
            done += more
            if time.monotonic() - began > SLICE_SECONDS:
                break
        remaining = left()
        logger.info("Words of search: %s rows were indexed anew, %s are left.", f"{done:,}", f"{remaining:,}")
        if not remaining:
            _tell_planner()
        return remaining > 0


def left() -> int:
    """How many rows are still in an older form."""
    older = words.of_older_form()
    return Message.objects.filter(older).count() + Passage.objects.filter(older).count()


def _tell_planner() -> None:
    """That no row is of an older form: a plan made by old statistics would look for one in the whole table."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE agents_message (words, words_form), agents_passage (words, words_form)")
