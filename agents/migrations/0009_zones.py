"""Messages keep the offset of the clock by which they were said; a person, the zone told by the browser or set."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("agents", "0008_state"),
    ]

    operations = [
        migrations.AddField(
            model_name="message",
            name="utc_offset",
            field=models.DurationField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="preferences",
            name="browser_zone",
            field=models.CharField(blank=True, db_default="", default="", max_length=64),
        ),
        migrations.AddField(
            model_name="preferences",
            name="chosen_zone",
            field=models.CharField(blank=True, db_default="", default="", max_length=64),
        ),
    ]
