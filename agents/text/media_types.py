"""Names of what documents are made of where files have none: the engine, its rows and its readers know them alike."""

EXPORT = "application/x-chat-export"  # of ChatGPT or Claude, to be unpacked into conversations
CONVERSATION = "application/x-conversation"  # one of them, as `agents.ingest.conversations` keeps it
