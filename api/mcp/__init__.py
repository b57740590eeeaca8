"""The door for assistants: the Model Context Protocol over HTTP. What its tools do is in `memweb.mcp`."""
