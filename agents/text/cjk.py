"""Chinese, Japanese and Korean: written without spaces, so they are counted and searched by character."""

import re

_RANGES = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
CJK = re.compile(f"[{_RANGES}]")
CJK_RUN = re.compile(f"[{_RANGES}]+")


def spaced(text: str) -> str:
    """`text` with every CJK run as overlapping character pairs; a single character stays as it is."""
    return CJK_RUN.sub(lambda run: f" {pairs(run.group())} ", text.replace("\x00", " "))


def pairs(run: str) -> str:
    """The overlapping character pairs of a run, separated by spaces."""
    return run if len(run) == 1 else " ".join(run[index : index + 2] for index in range(len(run) - 1))


def is_wide(character: str) -> bool:
    """Whether a token counter takes the character for a token of its own: CJK with its punctuation and full-width."""
    return "\u2e80" <= character <= "\uffef"
