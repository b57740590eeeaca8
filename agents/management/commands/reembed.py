"""Embed everything anew with the configured model: after a change of MEMWEB_EMBEDDINGS or its dimension."""

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from agents.external_context import archival_storage, recall_storage, vector_index
from agents.llm.embeddings import get_embedder
from agents.models import Agent


class Command(BaseCommand):
    """May be stopped and started again at any time."""

    help = (
        "Embed all passages and messages with the configured embedding model. It goes on where it stopped; "
        "search works meanwhile, by words for what is not embedded yet."
    )

    def handle(self, *args: object, **options: object) -> None:
        """Raises CommandError if another worker is at it."""
        name = get_embedder().name
        left = archival_storage.not_embedded().count()
        with tqdm(total=left, desc=f"passages with {name}", unit="") as bar:
            for done in archival_storage.embed_missing():
                bar.update(done)
        recall_storage.forget_other_vectors()
        agents = Agent.objects.all()
        left = sum(recall_storage.not_embedded(agent).count() for agent in agents)
        with tqdm(total=left, desc=f"messages with {name}", unit="") as bar:
            for agent in agents:
                for done in recall_storage.embed_missing(agent):
                    bar.update(done)
        vector_index.ensure()
        left = archival_storage.not_embedded().count()
        left += sum(recall_storage.not_embedded(agent).count() for agent in agents)
        if left:
            raise CommandError(
                f"{left:,} are left: a worker is at them, or they came meanwhile. Run the command again."
            )
        self.stdout.write("Everything is embedded.")
