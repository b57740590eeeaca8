"""What of a page a person would not see is taken out of it, so that nothing there speaks to the agent alone."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from bs4 import BeautifulSoup, Tag
from bs4.element import NavigableString, PageElement
from tinycss2.color3 import RGBA, parse_color

from agents.ingest.styles import Style, styles_of

UNSEEN = {
    *("head", "script", "style", "noscript", "noframes", "template", "svg", "iframe", "canvas", "audio", "video"),
    *("datalist", "annotation", "annotation-xml"),
}
WHITE, BLACK = RGBA(1, 1, 1, 1), RGBA(0, 0, 0, 1)
FAR, TOO_FAR = -400, 5000  # pixels out of the page, to the left or above and to the right or below
FAINT = 0.05  # of opacity, or between two colours
PIXELS = {"px": 1.0, "pt": 4 / 3, "em": 16.0, "rem": 16.0, "ex": 8.0, "vw": 12.8, "vh": 8.0, "cm": 38.0}


@dataclass(frozen=True)
class Look:
    """How an element's own text is drawn, as far as it was said. `background` is None where it cannot be known."""

    visible: bool = True
    size: float = 16  # pixels
    color: RGBA = BLACK
    background: RGBA | None = WHITE

    @property
    def is_seen(self) -> bool:
        """Whether a person can read it."""
        return self.visible and self.size > 1 and not _is_faint(self.color, self.background)


def remove_unseen(soup: BeautifulSoup, sheets: Iterable[str] = ()) -> None:
    """Take out elements and texts that are not shown. `sheets` are style sheets that the page links to."""
    sheets = list(sheets)
    styles = styles_of(soup, sheets)
    elsewhere = not sheets and soup.select_one("link[rel~=stylesheet]") is not None  # it may give backgrounds
    looks = {id(soup): Look(background=None if elsewhere else WHITE)}
    gone: list[PageElement] = []
    dropped: set[int] = set()
    for element in soup.descendants:
        parent = id(element.parent)
        if parent in dropped:
            dropped.add(id(element))
        elif isinstance(element, Tag):
            style = styles.get(id(element), {})
            if _is_hidden(element, style):
                gone.append(element)
                dropped.add(id(element))
            looks[id(element)] = _look(element, style, looks[parent])
        elif isinstance(element, NavigableString) and not looks[parent].is_seen:
            gone.append(element)
    for element in gone:
        element.extract()


def _is_hidden(tag: Tag, style: Style) -> bool:
    """With all that is in it."""
    display = _word(style, "display")
    if tag.name in UNSEEN or display == "none" or _word(style, "content-visibility") == "hidden":
        return True
    if not display and (tag.has_attr("hidden") or (tag.name == "dialog" and not tag.has_attr("open"))):
        return True
    opacity = _number(style.get("opacity"))
    return (opacity is not None and opacity <= FAINT) or _is_off_the_page(style) or _is_cut_away(style)


def _is_off_the_page(style: Style) -> bool:
    names = ["text-indent", "margin-left", "margin-top", "margin"]
    if _word(style, "position") in ("absolute", "fixed", "relative", "sticky"):
        names += ["left", "top", "right", "bottom"]
    if any(_is_far(token) for name in names for token in style.get(name, [])):
        return True
    for function in style.get("transform", []):
        name, arguments = getattr(function, "lower_name", ""), getattr(function, "arguments", [])
        if name.startswith("translate") and any(_is_far(token) for token in arguments):
            return True
        if name.startswith("scale") and any(_pixels(token) == 0 for token in arguments):
            return True
    return False


def _is_far(token: Any) -> bool:
    if token.type == "percentage":
        return bool(token.value <= -100)
    length = _pixels(token)
    return length is not None and (length <= FAR or length >= TOO_FAR)


def _is_cut_away(style: Style) -> bool:
    """Clipped, or in a box of no size: how texts are made for screen readers only."""
    if any(_clips(function) for name in ("clip", "clip-path") for function in style.get(name, [])):
        return True
    sizes = [_pixels(style[name][0]) for name in ("width", "height", "max-width", "max-height") if style.get(name)]
    return _word(style, "overflow") in ("hidden", "clip") and any(size is not None and size <= 1 for size in sizes)


def _clips(function: Any) -> bool:
    """Whether it leaves nothing to be seen: rect(0, 0, 0, 0), inset(50%), circle(0)."""
    name = getattr(function, "lower_name", "")
    sizes = [token.value for token in getattr(function, "arguments", []) if hasattr(token, "int_value")]
    if name == "rect":
        return bool(sizes) and max(sizes) - min(sizes) <= 1
    return bool(sizes) and ((name == "inset" and sizes[0] >= 50) or (name == "circle" and sizes[0] == 0))


def _look(tag: Tag, style: Style, around: Look) -> Look:
    look = around
    if visibility := _word(style, "visibility"):
        look = replace(look, visible=visibility not in ("hidden", "collapse"))
    look = replace(look, size=_font_size(style, around.size))
    color = style.get("color") or [tag.get("color") or tag.get("text")]
    if color[0] and (parsed := _color(color[0])):
        look = replace(look, color=parsed)
    said = [*style.get("background-color", []), *style.get("background", [])] or [tag.get("bgcolor")]
    if tag.get("background") or any(_is_picture(token) for token in said):
        colors = [parsed for token in said if (parsed := _color(token))]
        return replace(look, background=colors[0] if colors and not tag.get("background") else None)
    for token in said:
        if token and (parsed := _color(token)) and parsed.alpha > FAINT:
            look = replace(look, background=parsed)
    return look


def _font_size(style: Style, inherited: float) -> float:
    for token in [*style.get("font-size", []), *style.get("font", [])]:
        unit = "%" if token.type == "percentage" else getattr(token, "lower_unit", "")
        if unit in ("em", "%"):
            return float(token.value) * inherited / (100 if unit == "%" else 1)
        if (size := _pixels(token)) is not None:
            return size
    return inherited


def _is_picture(token: Any) -> bool:
    """An image or a gradient: what is behind a text cannot be told."""
    return getattr(token, "type", "") in ("url", "function") and _color(token) is None


def _is_faint(color: RGBA, background: RGBA | None) -> bool:
    if background is None:
        return False
    return color.alpha <= FAINT or all(abs(a - b) <= FAINT for a, b in zip(color[:3], background[:3], strict=True))


def _color(token: Any) -> RGBA | None:
    parsed = parse_color(token)
    return parsed if isinstance(parsed, RGBA) else None


def _word(style: Style, name: str) -> str:
    tokens = style.get(name)
    return str(getattr(tokens[0], "lower_value", "")) if tokens else ""


def _number(tokens: list[Any] | None) -> float | None:
    if not tokens or tokens[0].type not in ("number", "percentage"):
        return None
    return float(tokens[0].value) / (100 if tokens[0].type == "percentage" else 1)


def _pixels(token: Any) -> float | None:
    if token.type == "number":
        return float(token.value)
    unit = getattr(token, "lower_unit", "")
    return float(token.value) * PIXELS[unit] if unit in PIXELS else None
