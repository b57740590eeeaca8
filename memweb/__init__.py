"""memweb: chat with agents that manage their own memory. The wiring of the parts, and what a person starts."""

__version__ = "0.1.0"
