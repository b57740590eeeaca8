"""Model output to HTML that is safe to show. The one place where Markdown is rendered."""

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

# No images: a prompt-injected image address would carry data out. No ids, no styles, no event attributes.
TAGS = {
    *("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "strong", "em", "s", "code", "pre", "span", "div"),
    *("blockquote", "ul", "ol", "li", "a", "table", "thead", "tbody", "tr", "th", "td"),
}
ATTRIBUTES = {"a": {"href", "title"}, "span": {"class"}, "div": {"class"}, "code": {"class"}, "ol": {"start"}}
LONGEST_HIGHLIGHTED = 20_000  # characters; colouring more would hold up the page


def _highlighted(code: str, language: str, _attributes: str) -> str:
    if not language or len(code) > LONGEST_HIGHLIGHTED:
        return ""
    try:
        lexer = get_lexer_by_name(language)
    except ClassNotFound:
        return ""
    coloured: str = highlight(code, lexer, HtmlFormatter(nowrap=True))
    return f"<pre><code>{coloured}</code></pre>"


_renderer = MarkdownIt("commonmark", {"html": False, "breaks": True, "highlight": _highlighted}).enable(
    ["table", "strikethrough"]
)


def render(text: str) -> SafeString:
    """Sanitised HTML of Markdown `text`; links open apart and tell nothing of where they were."""
    html = nh3.clean(
        _renderer.render(text),
        tags=TAGS,
        attributes=ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )
    return mark_safe(html)
