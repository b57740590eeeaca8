"""The data model (DESIGN section 5), a file per part of the memory hierarchy."""

from agents.models.agent import Agent, Human, Persona
from agents.models.archive import Archive, Document, Passage
from agents.models.block import AgentBlock, Block, BlockRevision
from agents.models.message import Message, Summary
from agents.models.run import Run, Step

__all__ = [
    "Agent",
    "AgentBlock",
    "Archive",
    "Block",
    "BlockRevision",
    "Document",
    "Human",
    "Message",
    "Passage",
    "Persona",
    "Run",
    "Step",
    "Summary",
]
