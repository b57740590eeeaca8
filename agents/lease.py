"""The hold of a worker on a running run: renewed while it works, noticed when lost or when somebody presses Stop."""

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from agents.exceptions import LeaseLost, RunCancelled
from agents.models import Run

LOOK_SECONDS = 0.5


@dataclass
class Lease:
    """One worker's lease of one run. Not shared between threads."""

    run_id: int
    token: UUID
    looked_at: float = field(default=0.0)  # monotonic seconds

    def check(self) -> None:
        """Renew, at most twice a second (one or two short queries). Raises LeaseLost, RunCancelled."""
        if time.monotonic() - self.looked_at < LOOK_SECONDS:
            return
        self.looked_at = time.monotonic()
        mine = Run.objects.filter(pk=self.run_id, lease_token=self.token, status=Run.Status.RUNNING)
        if not mine.update(lease_until=expiry()):
            raise LeaseLost(f"Run {self.run_id} was taken over.")
        if mine.filter(cancel_requested_at__isnull=False).exists():
            raise RunCancelled(f"Run {self.run_id} was stopped.")

    def hold(self) -> Run:
        """The run's row, locked until the transaction ends. Raises LeaseLost."""
        try:
            return Run.objects.select_for_update(no_key=True).get(
                pk=self.run_id, lease_token=self.token, status=Run.Status.RUNNING
            )
        except Run.DoesNotExist as error:
            raise LeaseLost(f"Run {self.run_id} was taken over.") from error


def expiry() -> datetime:
    return timezone.now() + timedelta(seconds=settings.LEASE_SECONDS)
