"""What has no vector yet is found by an index, and so are an agent's newest runs."""

from django.db import migrations, models

SPOKEN = models.Q(kind__in=["user_message", "assistant"], seq__isnull=False, retracted_at=None)
NOT_EMBEDDED = models.Index(
    fields=["agent", "seq"],
    name="message_not_embedded",
    condition=SPOKEN & models.Q(context_embedding=None) & ~models.Q(content=""),
)


class Migration(migrations.Migration):
    dependencies = [("agents", "0005_vectors_by_store")]
    operations = [
        migrations.AddIndex("message", NOT_EMBEDDED),
        migrations.AddIndex("passage", models.Index(fields=["embedding_model", "id"], name="passage_embedded_by")),
        migrations.AddIndex("run", models.Index(fields=["agent", "-id"], name="run_newest")),
    ]
