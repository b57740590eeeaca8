"""The process of one call, or of one look into a module: `python -m memweb.functions.process PARENT_PID`.

Standard input is a request in JSON (`sources.py` writes it), standard output the answer in JSON. What the module itself
prints goes to standard error.
"""

import asyncio
import importlib
import importlib.util
import inspect
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from memweb.functions import Call, OwnFunction, found
from memweb.functions.signature import INNER_THOUGHTS, REQUEST_HEARTBEAT, reasons
from memweb.stack.launch import die_with

LONGEST_ANSWER = 100_000  # characters; the model gets less


def main() -> None:
    if sys.platform == "linux":
        die_with(int(sys.argv[1]), signal.SIGKILL)
    request = json.load(sys.stdin)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        _load(request["source"])
        answer = _called(request) if "function" in request else _described()
    except BaseException as error:  # noqa: BLE001 - sys.exit in a module is its fault too
        traceback.print_exc()
        answer = {"fault": _sentence(error)}
    answers.write(json.dumps(answer, ensure_ascii=True))
    answers.flush()
    os._exit(0)  # whatever threads are left


def _load(source: dict[str, str]) -> None:
    if "file" in source:
        path = Path(source["file"])
        sys.path.insert(0, str(path.parent))
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        spec.loader.exec_module(module)
    else:
        importlib.import_module(source["module"])


def _described() -> dict[str, Any]:
    return {
        "functions": [
            {
                "name": name,
                "description": one.signature.description,
                "parameters": one.signature.parameters,
                "idempotent": one.idempotent,
                "ask_first": one.ask_first,
                "time_limit": one.time_limit,
            }
            for name, one in found().items()
        ]
    }


def _called(request: dict[str, Any]) -> dict[str, Any]:
    one = found().get(request["function"])
    if one is None:
        return {"fault": "The function is not in its module any more."}
    try:
        valid = one.signature.arguments.model_validate_json(request["arguments"] or "{}")
    except ValidationError as error:
        return {"fault": f"The arguments of {request['function']} do not fit: {reasons(error)}."}
    values = {name: getattr(valid, name) for name in type(valid).model_fields}
    del values[INNER_THOUGHTS], values[REQUEST_HEARTBEAT]
    return {"result": _text(_result(one, values, Call(**request["call"])))}


def _result(one: OwnFunction, values: dict[str, Any], call: Call) -> object:
    first = (call,) if one.wants_call else ()
    if inspect.iscoroutinefunction(one.body):
        return asyncio.run(one.body(*first, **values))
    return one.body(*first, **values)


def _text(value: object) -> str:
    """What the model reads: a text as it is, anything else as JSON where it can be written so."""
    if value is None:
        return "Done."
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    if len(text) <= LONGEST_ANSWER:
        return text
    return f"{text[:LONGEST_ANSWER]} … [cut: {len(text):,} characters in all]"


def _sentence(error: BaseException) -> str:
    told = str(error).strip()[:2000]
    return f"{type(error).__name__}: {told}" if told else type(error).__name__


if __name__ == "__main__":
    main()
