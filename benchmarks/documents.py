"""How much of other people's files is read: text in any encoding, and documents of every kind.

    python benchmarks/documents.py --encodings chardet-5.2.0/tests    # an unpacked source archive of chardet before 6
    python benchmarks/documents.py --files FOLDER ...                 # any files: those other readers are tested with

The first compares the text of each file with what the encoding gives that its folder is named for: right, garbled
(another text) or refused. The second reads each file that an upload would be taken of, and says of each ending how many
were read, were refused (with the reasons), or came out garbled: more than one character in fifty is a control or a
replacement character. Nothing is stored; no database is needed.
"""

import argparse
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "memweb.settings")

LANGUAGES = (
    *("arabic", "bulgarian", "croatian", "czech", "greek", "hebrew", "hungarian", "polish", "romanian", "russian"),
    *("slovak", "slovene", "turkish"),
)
GARBLED = 50
LONGEST_REASON = 110


def encodings(folder: Path) -> None:
    from agents.exceptions import InvalidInput
    from agents.ingest.decoding import decoded

    found: Counter[str] = Counter()
    for path in sorted(folder.glob("*/*")):
        encoding, _, language = path.parent.name.rpartition("-")
        raw = path.read_bytes()
        truth = true_text(raw, encoding if language in LANGUAGES else path.parent.name)
        try:
            text = decoded(raw).replace("\ufeff", "")
        except InvalidInput:
            result = "refused"
        else:
            result = "right" if text == truth else "garbled"
        found[result] += 1
        if result != "right":
            print(f"  {result}: {path.parent.name}/{path.name}")
    print(", ".join(f"{found[result]} {result}" for result in ("right", "garbled", "refused")))


def true_text(raw: bytes, encoding: str) -> str | None:
    """None of an encoding that Python does not know: then a refusal is the only honest answer."""
    try:
        return raw.decode(encoding).replace("\ufeff", "")
    except (LookupError, UnicodeError):
        return None


def files(folders: list[Path]) -> None:
    results: defaultdict[str, Counter[str]] = defaultdict(Counter)
    reasons: Counter[str] = Counter()
    for path in every_file(folders):
        result, reason = outcome(path)
        results[path.suffix.lower()][result] += 1
        if result != "read":
            reasons[f"{path.suffix.lower()} {result}: {reason}"] += 1
    print(f"{'':10}{'read':>8}{'refused':>9}{'garbled':>9}{'failed':>8}")
    for suffix, counts in sorted(results.items()):
        print(f"{suffix:10}{counts['read']:8}{counts['refused']:9}{counts['garbled']:9}{counts['failed']:8}")
    for reason, count in reasons.most_common():
        print(f"{count:5} {reason}")


def every_file(folders: list[Path]) -> Iterator[Path]:
    from agents.ingest.kinds import DOCUMENTS

    for folder in folders:
        yield from (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in DOCUMENTS and path.is_file())


def outcome(path: Path) -> tuple[str, str]:
    """What becomes of a file, and why. "failed" is a fault of ours."""
    from django.core.files.uploadedfile import SimpleUploadedFile

    from agents.exceptions import InvalidInput
    from agents.ingest import reading
    from agents.ingest.uploads import check_upload

    try:
        kind = check_upload(SimpleUploadedFile("file" + path.suffix, path.read_bytes()))
        text = "".join(cut.text for cut in reading.read(str(path), kind, lambda number, pages: None))
    except InvalidInput as error:
        return "refused", str(error)[:LONGEST_REASON]
    except Exception as error:  # noqa: BLE001 - it is what is looked for
        return "failed", f"{path.name}: {error!r}"[:LONGEST_REASON]
    if not text.strip():
        return "refused", "No text was found in it."
    odd = sum(character == "\ufffd" or "\x00" <= character < "\t" or "\x7f" <= character < "\xa0" for character in text)
    return ("garbled", path.name) if odd * GARBLED > len(text) else ("read", "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encodings", type=Path, metavar="FOLDER")
    parser.add_argument("--files", type=Path, nargs="+", metavar="FOLDER")
    options = parser.parse_args()
    import django

    django.setup()
    if options.encodings:
        encodings(options.encodings)
    if options.files:
        files(options.files)


if __name__ == "__main__":
    main()
