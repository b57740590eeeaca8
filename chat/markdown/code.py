"""Colours for code: of languages that people write, for so long a text, and for so long a time."""

import io
import threading
from functools import lru_cache
from time import thread_time

from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

LONGEST = 4_000  # characters of a piece of code; more is shown plain
SECONDS = 0.25  # of computing for all code of a message; most lexers have texts that take the square of their length
KEPT = 512  # pieces of code whose colours are kept: a page is looked at more than once
# Lexers by the names that people give to languages. C++'s does for two whose own are slow with ordinary code.
LEXERS = {
    **dict.fromkeys(("bash", "sh", "shell", "zsh"), "bash"),
    **dict.fromkeys(("cpp", "c++", "java", "csharp", "cs", "c#"), "cpp"),
    **dict.fromkeys(("python", "py", "python3"), "python"),
    **dict.fromkeys(("javascript", "js", "jsx"), "javascript"),
    **dict.fromkeys(("typescript", "ts", "tsx"), "typescript"),
    **dict.fromkeys(("json", "jsonc"), "json"),
    **dict.fromkeys(("yaml", "yml"), "yaml"),
    **dict.fromkeys(("kotlin", "kt"), "kotlin"),
    **dict.fromkeys(("rust", "rs"), "rust"),
    **dict.fromkeys(("go", "golang"), "go"),
    **{name: name for name in ["c", "css", "diff", "html", "ini", "lua", "php", "ruby", "sql", "swift", "toml", "xml"]},
}

_message = threading.local()  # `ends`: until when its code is coloured, by the computing of this thread


def begin() -> None:
    """A message is drawn from here on."""
    _message.ends = thread_time() + SECONDS


def coloured(code: str, language: str, _attributes: str) -> str:
    """HTML of `code`, or nothing where it is to be shown plain."""
    lexer = LEXERS.get(language.lower())
    return _coloured(code, lexer) if lexer and len(code) <= LONGEST else ""


@lru_cache(KEPT)
def _coloured(code: str, lexer: str) -> str:
    tokens = []
    for token in get_lexer_by_name(lexer).get_tokens(code):
        if thread_time() > _message.ends:
            return ""
        tokens.append(token)
    html = io.StringIO()
    HtmlFormatter(nowrap=True).format(tokens, html)
    return f"<pre><code>{html.getvalue()}</code></pre>"
