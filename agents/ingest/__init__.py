"""Documents to passages: taken (`uploads`), read (`reading`), cut (`cutting`), embedded and stored (`working`)."""

from agents.ingest.cutting import PASSAGE_TOKENS
from agents.ingest.kinds import ACCEPTED, DOCUMENTS, MEDIA_TYPES
from agents.ingest.uploads import check_upload, sha256_of
from agents.ingest.working import BATCH, MAX_ATTEMPTS, work

__all__ = [
    "ACCEPTED",
    "BATCH",
    "DOCUMENTS",
    "MAX_ATTEMPTS",
    "MEDIA_TYPES",
    "PASSAGE_TOKENS",
    "check_upload",
    "sha256_of",
    "work",
]
