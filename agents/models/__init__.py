"""The data model, a file per part of the memory hierarchy."""

from agents.models.agent import Agent, Human, Persona
from agents.models.archive import Archive, Document, Passage
from agents.models.block import AgentBlock, Block, BlockRevision
from agents.models.checkpoint import Checkpoint
from agents.models.connection import Connection
from agents.models.embedding import ComingMessageVector, ComingPassageVector, EmbeddingChoice
from agents.models.function import FunctionSource, InstalledFunction, OutsideCall
from agents.models.message import Message, Summary
from agents.models.person import Preferences
from agents.models.quota import Quota
from agents.models.run import PromptPrefix, Run, Step
from agents.models.session import OpenSession
from agents.models.token import Token
