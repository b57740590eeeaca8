"""Whose document is next: everybody's in turn, and of one person's so few at once that a worker is left for others.

The rows decide. What is in the broker's queue only wakes a worker, which works as long as there is a document for it.
"""

from datetime import datetime

from django.db import connection, transaction
from django.db.models import Case, Count, F, IntegerField, Max, Q, QuerySet, When
from django.utils import timezone

from agents.models import Document

AT_ONCE = 2  # of one person's; a worker has one thread more (`memweb.stack.plan`)
BEING_READ = (Document.Status.READING, Document.Status.EMBEDDING)


def waiting() -> "QuerySet[Document]":
    """Documents that a worker may begin with now, the next one first: of who has the fewest in work, then of who was
    served the longest ago; of one person's the conversations of an export last, which may be thousands. Two queries."""
    queued = Document.objects.filter(status=Document.Status.QUEUED)
    people = Document.objects.filter(archive__owner__in=queued.values("archive__owner")).order_by()
    busy = Count("pk", filter=Q(status__in=BEING_READ))
    served = Max("worked_at", filter=~Q(status=Document.Status.QUEUED))
    turns = people.values("archive__owner").annotate(busy=busy, served=served).filter(busy__lt=AT_ONCE)
    order = turns.order_by("busy", F("served").asc(nulls_first=True)).values_list("archive__owner", "busy", "served")
    places: dict[tuple[int, datetime | None], int] = {}  # who has waited alike is in one place
    whens = [
        When(archive__owner=owner, then=places.setdefault((busy, served), len(places))) for owner, busy, served in order
    ]
    if not whens:
        return queued.none()
    found = queued.annotate(turn=Case(*whens, output_field=IntegerField())).filter(turn__isnull=False)
    return found.order_by("turn", Case(When(conversation="", then=0), default=1), "pk")


def take() -> Document | None:
    """The next document, which no other worker begins with from now on."""
    with transaction.atomic():
        with connection.cursor() as cursor:  # one worker chooses at a time, or two would take one person's last place
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('whose document is next'))")
        document = waiting().select_related("archive").first()
        if document:
            document.status, document.worked_at = Document.Status.READING, timezone.now()
            document.save(update_fields=["status", "worked_at"])
    return document
