"""What programs need: access tokens, texts of their own on agents, blocks and archives, and why a run ended."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def _texts() -> models.JSONField:
    return models.JSONField(blank=True, db_default=models.Value([], models.JSONField()), default=list)


def _own() -> models.JSONField:
    return models.JSONField(blank=True, db_default=models.Value({}, models.JSONField()), default=dict)


STOP_REASONS = [
    ("max_steps", "too many steps"),
    ("same_calls", "the same call again and again"),
    ("no_call", "no function call"),
    ("endpoint", "the model's endpoint"),
    ("fault", "memweb's own fault"),
]


class Migration(migrations.Migration):
    dependencies = [("agents", "0009_zones"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]

    operations = [
        migrations.AddField("agent", "description", models.TextField(blank=True, db_default="", default="")),
        migrations.AddField("agent", "tags", _texts()),
        migrations.AddField("agent", "metadata", _own()),
        migrations.AddField("agent", "detached_functions", _texts()),
        migrations.AddField("agent", "asked_for", _own()),
        migrations.AddField("passage", "tags", _texts()),
        migrations.AddField("archive", "description", models.TextField(blank=True, db_default="", default="")),
        migrations.AddField("archive", "metadata", _own()),
        migrations.AddField("block", "tags", _texts()),
        migrations.AddField("block", "metadata", _own()),
        migrations.AddField("run", "max_steps", models.PositiveSmallIntegerField(blank=True, null=True)),
        migrations.AddField(
            "run",
            "stop_reason",
            models.CharField(blank=True, choices=STOP_REASONS, db_default="", default="", max_length=12),
        ),
        migrations.CreateModel(
            name="Token",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=80)),
                ("sha256", models.CharField(editable=False, max_length=64, unique=True)),
                ("hint", models.CharField(editable=False, max_length=8)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("last_used_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tokens",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"verbose_name": "access token", "verbose_name_plural": "access tokens", "ordering": ["-id"]},
        ),
    ]
