"""What an agent can do. Importing this package registers every function, in the order the model sees them."""

from agents.functions import messaging  # isort: skip
from agents.functions import core_memory  # isort: skip
from agents.functions import recall_memory  # isort: skip
from agents.functions import archival_memory  # isort: skip

__all__ = ["archival_memory", "core_memory", "messaging", "recall_memory"]
