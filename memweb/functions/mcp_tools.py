"""An MCP server's tools as functions that a model can be told about, and what they return as a text it can read."""

import json
import re
from collections.abc import Iterable
from typing import Any

from jsonschema import SchemaError
from jsonschema.validators import Draft202012Validator, validator_for
from mcp_types import AudioContent, CallToolResult, EmbeddedResource, ImageContent, ResourceLink, TextContent, Tool

from memweb.functions.signature import HEARTBEAT_DESCRIPTION, INNER_THOUGHTS, REQUEST_HEARTBEAT, inlined

MOST_TOOLS = 500
LONGEST_NAME = 64  # characters, as model servers allow
LONGEST_DESCRIPTION = 4_000
LONGEST_SCHEMA = 20_000  # characters of JSON: it is part of every prompt
TIME_LIMIT = 120.0  # seconds for a call
OURS = (INNER_THOUGHTS, REQUEST_HEARTBEAT)


class Unusable(Exception):
    """Why a tool cannot be offered, in a sentence."""


def functions_of(tools: Iterable[Tool]) -> dict[str, Any]:
    """{"functions": the usable ones, "left_out": a sentence for each of the others}."""
    functions: dict[str, dict[str, Any]] = {}
    left_out: list[str] = []
    for tool in tools:
        try:
            one = _function(tool)
            if one["name"] in functions:
                raise Unusable(f"there is another tool with the name {one['name']}")
            functions[one["name"]] = one
        except Unusable as reason:
            left_out.append(f"The tool “{tool.name[:80]}” is left out: {reason}.")
    return {"functions": list(functions.values()), "left_out": left_out}


def _function(tool: Tool) -> dict[str, Any]:
    hints = tool.annotations
    return {
        "name": _name(tool.name),
        "remote_name": tool.name,
        "description": (tool.description or tool.title or "")[:LONGEST_DESCRIPTION],
        "parameters": _parameters(tool.input_schema),
        "idempotent": bool(hints and hints.idempotent_hint),
        "ask_first": not (hints and hints.read_only_hint),
        "time_limit": TIME_LIMIT,
    }


def _name(name: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", name)
    if not plain.strip("_-") or len(name) > 200:
        raise Unusable("it has no name that a model can be told")
    return plain[:LONGEST_NAME]


def _parameters(schema: dict[str, Any]) -> dict[str, Any]:
    """A broken schema would make the model's server refuse every prompt that holds it."""
    if schema.get("type") != "object":
        raise Unusable("its schema is no object")
    try:
        validator_for(schema, default=Draft202012Validator).check_schema(schema)
        whole = inlined(schema)
        properties = whole.get("properties", {})
        told = {
            "type": "object",
            "properties": {
                **properties,
                REQUEST_HEARTBEAT: {"type": "boolean", "description": HEARTBEAT_DESCRIPTION},
            },
            "required": [*(name for name in whole.get("required", ()) if name in properties), REQUEST_HEARTBEAT],
        }
        length = len(json.dumps(told, allow_nan=False))
    except SchemaError as error:
        raise Unusable(f"its schema is broken ({error.message[:200]})") from error
    except RecursionError as error:
        raise Unusable("its schema is too deep") from error
    except Exception as error:
        raise Unusable(f"its schema is broken ({str(error)[:200] or type(error).__name__})") from error
    if taken := [name for name in OURS if name in properties]:
        raise Unusable(f"memweb uses the name {taken[0]} of its parameter itself")
    if length > LONGEST_SCHEMA:
        raise Unusable(f"its schema has more than {LONGEST_SCHEMA:,} characters")
    return told


def text_of(result: CallToolResult) -> str:
    """What a model reads of a result."""
    parts = [_part(block) for block in result.content]
    if not any(parts) and result.structured_content is not None:
        parts = [json.dumps(result.structured_content, ensure_ascii=False)]
    return "\n\n".join(part for part in parts if part) or "Done."


def _part(block: object) -> str:
    if isinstance(block, TextContent):
        return block.text
    if isinstance(block, ImageContent | AudioContent):
        return f"[{block.mime_type}, {len(block.data) * 3 // 4:,} bytes: not shown]"
    if isinstance(block, ResourceLink):
        return f"[{block.name}: {block.uri}]"
    if isinstance(block, EmbeddedResource):
        text = getattr(block.resource, "text", None)
        return str(text) if text is not None else f"[{block.resource.uri}: not a text]"
    return ""
