"""Agents' memory as tools of the Model Context Protocol, for other assistants. Everything goes through memweb.client.

The package `mcp` is imported by `serving`, `stdio` and `http`, and those only when somebody is served.
"""
