"""Whether the database has the form that this memweb works with."""

from django.db import connection
from django.db.migrations.executor import MigrationExecutor


def missing_migrations() -> list[str]:
    """Those that are not applied, in their order, as "agents.0001_initial"."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _backwards in plan]
