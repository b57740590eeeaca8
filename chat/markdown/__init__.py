"""Model output to HTML that is safe to show. The one place where Markdown is rendered."""

from collections.abc import Sequence
from time import thread_time

import nh3
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererProtocol
from markdown_it.token import Token

from chat.markdown import code, emphasis, formulas, links, ticks

# No images: a prompt-injected image address would carry data out. No ids, no styles, no event attributes.
TAGS = {
    *("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "strong", "em", "s", "code", "pre", "span", "div"),
    *("blockquote", "ul", "ol", "li", "a", "table", "thead", "tbody", "tr", "th", "td"),
    *("math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "ms", "mfrac", "msqrt", "mroot", "mpadded", "mphantom"),
    *("msub", "msup", "msubsup", "munder", "mover", "munderover", "mmultiscripts", "mprescripts", "mstyle"),
    *("mtable", "mtr", "mtd", "menclose"),
}
ATTRIBUTES = {
    "a": {"href", "title"},
    "span": {"class", "aria-label"},
    "div": {"class"},
    "code": {"class"},
    "li": {"class"},
    "ol": {"start"},
    # No width or padding that a formula could lay itself over other things with.
    "math": {"display"},
    "mi": {"mathvariant"},
    "mo": {"stretchy", "fence", "form", "lspace", "rspace", "largeop", "movablelimits", "symmetric"},
    "mspace": {"width"},
    "mover": {"accent"},
    "munder": {"accentunder"},
    "munderover": {"accent", "accentunder"},
    "mstyle": {"displaystyle", "scriptlevel"},
    "mtable": {"displaystyle", "scriptlevel"},
    "mfrac": {"displaystyle", "linethickness"},
    "menclose": {"notation"},
}
LONGEST = 30_000  # characters; more is shown as it was written: the parser needs up to 0.04 ms for each
SLOW = 0.05  # seconds: what took longer to render is kept
MOST_KEPT = 64  # renderings
_kept: dict[tuple[str | None, str], SafeString] = {}  # by language and text


def _parser() -> MarkdownIt:
    parser = MarkdownIt()
    parser.inline = emphasis.inline_parser()
    options = {"html": False, "breaks": True, "highlight": code.coloured}
    parser.configure("commonmark", options).enable(["table", "strikethrough"])
    links.use(parser)
    formulas.use(parser)
    ticks.use(parser)
    parser.add_render_rule("formula", _formula)
    parser.add_render_rule("formula_block", _formula_block)
    parser.add_render_rule("tick", _box)
    return parser


def _formula(_renderer: RendererProtocol, tokens: Sequence[Token], at: int, *__: object) -> str:
    return formulas.drawn(tokens[at].markup, tokens[at].content)


def _formula_block(renderer: RendererProtocol, tokens: Sequence[Token], at: int, *_: object) -> str:
    return f"<p>{_formula(renderer, tokens, at)}{escapeHtml(tokens[at].info)}</p>\n"


def _box(_renderer: RendererProtocol, tokens: Sequence[Token], at: int, *_options: object) -> str:
    name = _("ticked") if tokens[at].content == "☑" else _("not ticked")
    return f'<span class="box" role="img" aria-label="{escapeHtml(name)}">{tokens[at].content}</span> '


_renderer = _parser()


def render(text: str) -> SafeString:
    """Sanitised HTML of Markdown `text`; links open apart and tell nothing of where they were."""
    key = get_language(), text
    if (kept := _kept.get(key)) is not None:
        return kept
    began = thread_time()
    html = _rendered(text)
    if thread_time() - began > SLOW:
        while len(_kept) >= MOST_KEPT:
            _kept.pop(next(iter(_kept)), None)
        _kept[key] = html
    return html


def _rendered(text: str) -> SafeString:
    code.begin()
    html = nh3.clean(
        _renderer.render(text) if len(text) <= LONGEST else f"<pre><code>{escapeHtml(text)}</code></pre>",
        tags=TAGS,
        attributes=ATTRIBUTES,
        allowed_classes={"mtd": {"right", "left", "rule-right", "rule-top"}},
        tag_attribute_values={"span": {"role": {"img"}}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )
    return mark_safe(html)
