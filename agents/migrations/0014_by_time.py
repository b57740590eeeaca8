"""Small indexes by time, for the operator's picture of the last day."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("agents", "0013_quotas")]

    operations = [
        migrations.AddIndex(
            model_name=model,
            index=BrinIndex(fields=["created_at"], name=name, autosummarize=True, pages_per_range=32),
        )
        for model, name in (("run", "run_by_time"), ("step", "step_by_time"))
    ]
