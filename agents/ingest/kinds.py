"""The kinds of files memweb reads: one table, which the file chooser, the refusal and the readers follow."""

from pathlib import Path

from agents.text.media_types import EXPORT

OFFICE = "application/vnd.openxmlformats-officedocument."
OPEN = "application/vnd.oasis.opendocument."
DOCUMENTS = {
    ".txt": "text/plain",
    ".md": "text/markdown",
    ".rst": "text/x-rst",
    ".html": "text/html",
    ".htm": "text/html",
    ".xhtml": "text/html",
    ".pdf": "application/pdf",
    ".docx": OFFICE + "wordprocessingml.document",
    ".pptx": OFFICE + "presentationml.presentation",
    ".xlsx": OFFICE + "spreadsheetml.sheet",
    ".odt": OPEN + "text",
    ".odp": OPEN + "presentation",
    ".ods": OPEN + "spreadsheet",
    ".rtf": "application/rtf",
    ".csv": "text/csv",
    ".tsv": "text/csv",
    ".json": "application/json",
    ".json5": "application/json",
    ".jsonc": "application/json",
    ".jsonl": "application/x-ndjson",
    ".ndjson": "application/x-ndjson",
    ".epub": "application/epub+zip",
    ".eml": "message/rfc822",
    ".zip": EXPORT,  # no other is taken
}
SOURCE = "text/x-source"  # whose lines are counted: code, settings, logs
SOURCES = (
    *(".py", ".pyi", ".js", ".mjs", ".cjs", ".jsx", ".ts", ".tsx", ".vue", ".svelte", ".java", ".kt", ".kts"),
    *(".scala", ".groovy", ".gradle", ".c", ".h", ".cc", ".cpp", ".cxx", ".hpp", ".cs", ".fs", ".go", ".rs", ".zig"),
    *(".swift", ".m", ".mm", ".rb", ".php", ".pl", ".pm", ".lua", ".r", ".jl", ".dart", ".ex", ".exs", ".erl", ".hs"),
    *(".ml", ".clj", ".lisp", ".el", ".vb", ".pas", ".f90", ".asm", ".sh", ".bash", ".zsh", ".fish", ".ps1", ".bat"),
    *(".cmd", ".sql", ".graphql", ".proto", ".css", ".scss", ".sass", ".less", ".xml", ".xsd", ".xsl", ".svg"),
    *(".yaml", ".yml", ".toml", ".ini", ".cfg", ".conf", ".env", ".properties", ".log", ".diff", ".patch", ".tex"),
    *(".bib", ".po", ".mk", ".cmake", ".tf", ".dockerfile"),
)
MEDIA_TYPES = DOCUMENTS | dict.fromkeys(SOURCES, SOURCE)
ACCEPTED = ",".join(MEDIA_TYPES)  # as a file input's `accept` has it


def media_type_of(name: str) -> str:
    """By its ending; what has another one is taken for plain text."""
    return MEDIA_TYPES.get(Path(name).suffix.lower(), MEDIA_TYPES[".txt"])
