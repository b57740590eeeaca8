"""Embed everything anew with the configured model: after a change of MEMWEB_EMBEDDINGS or its dimension."""

from django.core.management.base import BaseCommand
from tqdm import tqdm

from agents.external_context import archival_storage, recall_storage, vector_index
from agents.llm.embeddings import get_embedder
from agents.models import Agent


class Command(BaseCommand):
    help = (
        "Embed all passages and messages with the configured embedding model. It goes on where it stopped; "
        "search works meanwhile, by words for what is not embedded yet."
    )

    def handle(self, *args: object, **options: object) -> None:
        vector_index.ensure()
        name = get_embedder().name
        left = archival_storage.not_embedded().count()
        with tqdm(total=left, desc=f"passages with {name}", unit="") as bar:
            while done := archival_storage.embed_missing():
                bar.update(done)
        for agent in tqdm(Agent.objects.all(), desc=f"messages with {name}", unit=" agents"):
            while recall_storage.embed_missing(agent):
                pass
        self.stdout.write("Everything is embedded.")
