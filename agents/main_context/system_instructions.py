"""System instructions: the read-only head of the main context (paper section 2.1)."""

from agents.prompts import SYSTEM_INSTRUCTIONS


def default() -> str:
    """What a new agent starts with. Each agent keeps its own copy, which an operator may edit."""
    return SYSTEM_INSTRUCTIONS
