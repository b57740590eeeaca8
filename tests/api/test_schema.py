"""schemathesis over both OpenAPI documents of the running product: what follows from them is asked, and what the doors
answer must be as they say."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.product import Newcomer, Product

# Of an address everything is text, so nothing in it is of a wrong type.
# 501 is by design for what Letta has and memweb has not. A document cannot say all that makes a text or a file good.
CONFIG = """
generation.deterministic = true
generation.database = "none"
checks.not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 501]

[[operations]]  # never ends
include-path = "/v1/agents/{agent_id}/events"
enabled = false

[[operations]]  # a message of blanks, a line that is no command
include-path-regex = "/(messages(/stream|/async)?|commands|chat/completions|responses)$"
include-method = "POST"
checks.positive_data_acceptance.enabled = false

[[operations]]  # a file of a kind that is not read, or none of an agent
include-path-regex = "/(upload|import)$"
checks.positive_data_acceptance.enabled = false
checks.negative_data_rejection.enabled = false

[[operations]]
include-method = "GET"
checks.negative_data_rejection.enabled = false
"""


@pytest.mark.usefixtures("nothing_fails")
@pytest.mark.parametrize(
    ("document", "arguments"),
    [
        ("/v1/openapi.json", ["--phases", "fuzzing", "-n", "2"]),
        ("/openai/v1/openapi.json", ["--phases", "coverage,fuzzing", "-n", "5"]),
    ],
)
def test_what_the_documents_say_is_true(
    product: Product, someone: Newcomer, http: httpx.Client, tmp_path: Path, document: str, arguments: list[str]
) -> None:
    agent = http.post("/v1/agents", json={}).json()["id"]  # ids that lists tell of are asked for
    http.post(f"/v1/agents/{agent}/messages", json={"input": "hello"})
    folder = http.post("/v1/folders", json={"name": "Logs"}).json()["id"]
    http.post(f"/v1/folders/{folder}/upload", files={"file": ("log.txt", b"The lamp burns oil.")})
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    command = [sys.executable, "-m", "schemathesis.cli", "run", product.url + document, *arguments]
    command += ["-H", f"Authorization: Bearer {someone.token}", "--continue-on-failure", "--no-shrink"]
    command += ["--request-timeout", "30"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
