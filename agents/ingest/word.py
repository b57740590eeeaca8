"""A Word file with what its converter leaves out written into its text: headers, footers, comments and equations; and
without what is set not to be seen."""

import io
import re
from collections.abc import Iterator
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from lxml import etree

from agents.text.compatibility import plain_forms

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
WORDS = re.compile(r"word/(document|footnotes|endnotes|comments|header|footer)\d*\.xml")
OFF = ("0", "false", "off")
SMALLEST = 3  # half points; below it nobody can read
# What stands between the parts of an equation. Of those not named the parts follow one another.
BETWEEN = {"f": "/", "sSup": "^", "sSub": "_", "lim": " "}

Element = Any  # of lxml, which has no types
Trees = dict[str, Element]


def completed(path: str) -> io.BytesIO:
    """The file as the converter should see it."""
    with ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    parser = etree.XMLParser(resolve_entities=False, huge_tree=True)
    trees = {name: etree.fromstring(raw, parser) for name, raw in members.items() if WORDS.fullmatch(name)}
    hidden = (
        _hidden_styles(etree.fromstring(members["word/styles.xml"], parser)) if "word/styles.xml" in members else set()
    )
    for tree in trees.values():
        _remove_unseen(tree, hidden)
        _spell_equations(tree)
    documents = [tree for name, tree in trees.items() if "document" in name]
    for document in documents:
        _write_comments(document, trees)
        _add_margins(document, trees)
    members |= {name: etree.tostring(tree, encoding="UTF-8", xml_declaration=True) for name, tree in trees.items()}
    file = io.BytesIO()
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    file.seek(0)
    return file


def _write_comments(document: Element, trees: Trees) -> None:
    comments = {
        comment.get(f"{W}id"): f" [Comment by {comment.get(f'{W}author') or 'somebody'}: {_text(comment)}]"
        for name, tree in trees.items()
        if "comments" in name
        for comment in tree.iter(f"{W}comment")
    }
    for reference in list(document.iter(f"{W}commentReference")):
        said, run = comments.get(reference.get(f"{W}id")), reference.getparent()
        if said and run is not None:
            run.replace(reference, _run_text(said))


def _add_margins(document: Element, trees: Trees) -> None:
    """Headers at the beginning and footers at the end, each text once."""
    body = document.find(f"{W}body")
    if body is None:
        return
    written: set[str] = set()
    above: list[Element] = []
    for name, tree in sorted(trees.items()):
        for block in tree.iter(f"{W}p") if re.search("header|footer", name) else ():
            text = _text(block)
            if text and text not in written:
                written.add(text)
                if "header" in name:
                    above.append(_paragraph(text))
                else:
                    body.append(_paragraph(text))
    for block in reversed(above):
        body.insert(0, block)


def _text(block: Element) -> str:
    """What is written in paragraphs, one after the other."""
    parts: list[str] = []
    for element in block.iter(f"{W}p", f"{W}t", f"{W}tab", f"{W}br"):
        parts.append(element.text or "" if element.tag == f"{W}t" else " ")
    return " ".join("".join(parts).split())


def _paragraph(text: str) -> Element:
    paragraph = etree.Element(f"{W}p")
    etree.SubElement(paragraph, f"{W}r").append(_run_text(text))
    return paragraph


def _run_text(text: str) -> Element:
    element = etree.Element(f"{W}t")
    element.text = text
    element.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")
    return element


# Equations


def _spell_equations(tree: Element) -> None:
    for equation in list(tree.iter(f"{M}oMath")):
        parent = equation.getparent()
        if parent is None:
            continue
        run = etree.Element(f"{W}r")
        run.append(_run_text(plain_forms(_spelled(equation))))
        run.tail = equation.tail
        parent.replace(equation, run)
    for paragraph in list(tree.iter(f"{M}oMathPara")):
        holder = paragraph.getparent()
        if holder is not None:
            place = holder.index(paragraph)
            holder[place : place + 1] = [child for child in paragraph if child.tag == f"{W}r"]


def _spelled(element: Element) -> str:
    """An equation in a line, as it would be typed."""
    name = str(element.tag).removeprefix(M)
    if name == "t":
        return element.text or ""
    if name == "r" or name == "oMath":
        return "".join(map(_spelled, element))
    parts = [_spelled(child) for child in element if not str(child.tag).endswith("Pr")]
    if name in BETWEEN:
        return BETWEEN[name].join(_enclosed(part) for part in parts)
    if name == "sSubSup" and len(parts) == 3:
        return f"{parts[0]}_{_enclosed(parts[1])}^{_enclosed(parts[2])}"
    if name == "rad":
        return "√" + _enclosed(parts[-1]) if parts else ""
    if name == "nary" and len(parts) == 3:
        limits = "".join(f"{sign}{_enclosed(part)}" for sign, part in zip("_^", parts, strict=False) if part)
        return f"{_property(element, 'chr', '∫')}{limits} {parts[2]}"
    if name == "d":
        opening, closing = _property(element, "begChr", "("), _property(element, "endChr", ")")
        return opening + _property(element, "sepChr", "|").join(parts) + closing
    if name == "m":
        return "; ".join(parts)
    return (", " if name == "mr" else "").join(parts)


def _enclosed(part: str) -> str:
    return part if len(part) < 2 or part.isalnum() else f"({part})"


def _property(element: Element, name: str, otherwise: str) -> str:
    found = element.find(f"{M}{etree.QName(element).localname}Pr/{M}{name}")
    return otherwise if found is None else found.get(f"{M}val", "")


# What is not seen


def _remove_unseen(tree: Element, hidden: set[str]) -> None:
    for run in list(tree.iter(f"{W}r")):
        properties, parent = run.find(f"{W}rPr"), run.getparent()
        named = set(_values(properties, "rStyle")) | set(_values(run.getparent(), f"pPr/{W}pStyle"))
        if parent is not None and (named & hidden or (properties is not None and _is_unseen(run, properties))):
            parent.remove(run)


def _is_unseen(run: Element, properties: Element) -> bool:
    if _is_on(properties, "vanish"):
        return True
    if any(size.isdecimal() and int(size) < SMALLEST for size in _values(properties, "sz")):
        return True
    white = "FFFFFF" in _values(properties, "color")
    return white and not any(_has_ground(element) for element in (run, *run.iterancestors()))


def _has_ground(element: Element) -> bool:
    """Whether something may be behind a text: shading, a highlight, a table's style, a picture's filling."""
    if etree.QName(element).localname in ("tbl", "txbxContent"):
        return True
    if element.tag == f"{W}document":
        return element.find(f"{W}background") is not None
    grounds = (f"{W}rPr/{W}shd", f"{W}rPr/{W}highlight", f"{W}pPr/{W}shd", f"{W}pPr/{W}pStyle", f"{W}rPr/{W}rStyle")
    return any(element.find(ground) is not None for ground in grounds)


def _hidden_styles(styles: Element) -> set[str]:
    return {
        style.get(f"{W}styleId", "")
        for style in styles.iter(f"{W}style")
        if (properties := style.find(f"{W}rPr")) is not None and _is_on(properties, "vanish")
    }


def _is_on(properties: Element, name: str) -> bool:
    switch = properties.find(f"{W}{name}")
    return switch is not None and switch.get(f"{W}val") not in OFF


def _values(element: Element | None, path: str) -> Iterator[str]:
    for found in element.iterfind(f"{W}{path}") if element is not None else ():
        yield found.get(f"{W}val", "")
