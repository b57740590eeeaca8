"""Which process holds a run, and how often a run was taken up."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("agents", "0010_programs")]

    operations = [
        migrations.AddField(
            "run", "held_by", models.CharField(blank=True, db_default="", default="", editable=False, max_length=80)
        ),
        migrations.AddField("run", "claims", models.PositiveSmallIntegerField(db_default=0, default=0, editable=False)),
    ]
