"""Rows that search finds: their columns of vectors and words are large, and nothing else needs them."""

from typing import Self, TypeVar

from django.db import models

M = TypeVar("M", bound=models.Model, covariant=True)


class SearchedQuerySet(models.QuerySet[M]):
    """Rows of a model that names its `SEARCH_COLUMNS`."""

    def without_search_columns(self, prefix: str = "") -> Self:
        """Without the columns that only search needs; `prefix` for rows that are joined, as in `event__`."""
        columns: tuple[str, ...] = self.model.SEARCH_COLUMNS  # type: ignore[attr-defined]
        return self.defer(*(f"{prefix}{column}" for column in columns))
