"""The personas and humans that memweb offers; from then on operators edit them in the admin."""

from django.db import migrations

from agents.prompts import presets


def create(apps, schema_editor):
    for model, folder in (("Persona", "persona"), ("Human", "human")):
        preset = apps.get_model("agents", model)
        for name, text in presets(folder):
            preset.objects.get_or_create(owner=None, name=name, defaults={"text": text})


class Migration(migrations.Migration):
    dependencies = [("agents", "0001_initial")]
    operations = [migrations.RunPython(create, migrations.RunPython.noop)]
