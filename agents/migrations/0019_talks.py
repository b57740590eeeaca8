"""Messages of one talk that were embedded together had each been taken for a talk of its own."""

from django.db import migrations

# A talk is known by the seq of its first message: what was said three hours or more after what came before it.
TALKS = """
    WITH spoken AS (
        SELECT id, agent_id, seq, created_at - lag(created_at) OVER (PARTITION BY agent_id ORDER BY seq) AS silence
        FROM agents_message
        WHERE kind IN ('user_message', 'assistant') AND seq IS NOT NULL AND retracted_at IS NULL AND content <> ''
    ), talk AS (
        SELECT id, max(seq) FILTER (WHERE silence IS NULL OR silence > interval '3 hours')
            OVER (PARTITION BY agent_id ORDER BY seq) AS first
        FROM spoken
    )
    UPDATE agents_message AS message SET session = talk.first FROM talk
    WHERE message.id = talk.id AND message.session IS NOT NULL AND message.session <> talk.first
"""


class Migration(migrations.Migration):
    dependencies = [("agents", "0018_connections")]

    operations = [migrations.RunSQL(TALKS, migrations.RunSQL.noop)]
