"""Large stores get vector indexes of their own, made in the background: those over everybody's rows go."""

from django.db import migrations

DROP = r"""
DO $$
DECLARE old record;
BEGIN
    FOR old IN
        SELECT indexname FROM pg_indexes
        WHERE schemaname = current_schema() AND indexname LIKE 'agents\_%\_hnsw\_%'
    LOOP
        EXECUTE format('DROP INDEX %I', old.indexname);
    END LOOP;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("agents", "0004_recall_context")]
    operations = [migrations.RunSQL(DROP, migrations.RunSQL.noop)]
