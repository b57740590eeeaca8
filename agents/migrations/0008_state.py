"""What a model's server wants back with an answer is kept with the message."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("agents", "0007_word_form")]
    operations = [
        migrations.AddField(
            "message",
            "state",
            models.JSONField(blank=True, db_default=models.Value({}, models.JSONField()), default=dict),
        )
    ]
