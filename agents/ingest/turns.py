"""Whose document is next: everybody's in turn, and of one person's so few at once that a worker is left for others.

The rows decide. What is in the broker's queue only wakes a worker, which works as long as there is a document for it.
"""

from django.db import connection, transaction
from django.db.models import Count, F, IntegerField, Max, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from agents.models import Document

AT_ONCE = 2  # of one person's; a worker has one thread more (`memweb.stack.plan`)
BEING_READ = (Document.Status.READING, Document.Status.EMBEDDING)


def waiting() -> "QuerySet[Document]":
    """Documents that a worker may begin with now, the next one first: of who has the fewest in work, then of who was
    served the longest ago."""
    own = Document.objects.filter(archive__owner=OuterRef("archive__owner")).order_by().values("archive__owner")
    busy = own.annotate(busy=Count("pk", filter=Q(status__in=BEING_READ))).values("busy")
    served = own.annotate(served=Max("worked_at", filter=~Q(status=Document.Status.QUEUED))).values("served")
    queued = Document.objects.filter(status=Document.Status.QUEUED)
    found = queued.annotate(
        busy=Coalesce(Subquery(busy, output_field=IntegerField()), 0), served=Subquery(served)
    ).filter(busy__lt=AT_ONCE)
    return found.order_by("busy", F("served").asc(nulls_first=True), "pk")


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
