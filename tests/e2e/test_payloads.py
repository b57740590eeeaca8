"""No text from outside becomes markup, on no page: a browser without the content policy opens all of them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect

from chat.urls import urlpatterns
from tests import payloads
from tests.product import Product

pytestmark = pytest.mark.e2e

PROBE = "if (window === top) { window.fired = []; window.probe = number => fired.push(number) }"
# What a payload would leave in a page even where a browser would not run it: handlers, addresses that are scripts,
# elements that no template has, and htmx's own ways to run something.
ACTIVE = """() => [...document.querySelectorAll('*')].filter(element => {
    if (['IFRAME', 'OBJECT', 'EMBED', 'BASE', 'LINK', 'META', 'STYLE', 'SCRIPT'].includes(element.tagName)
        && !element.matches('head *, script[src^="/static/"], script[type="application/json"]')) return true
    return [...element.attributes].some(({ name, value }) =>
        /^on|^(data-)?hx-on|^srcdoc$/i.test(name)
        || /^(data-)?hx-(vals|headers|vars)$/.test(name) && /^\\s*(js|javascript):/i.test(value)
        || /^(href|src|action|formaction|xlink:href|(data-)?hx-(get|post|put|delete))$/i.test(name)
            && !['http:', 'https:', 'mailto:', 'tel:', 'data:', 'blob:'].includes(new URL(value, location).protocol)
        || /^(href|action|formaction)$/i.test(name) && new URL(value, location).protocol === 'data:')
}).map(element => element.outerHTML.slice(0, 200))"""
SHOW = (
    """text => { const place = document.createElement('div'); document.body.append(place); place.innerHTML = text }"""
)


@pytest.fixture(scope="module")
def planted(product: Product) -> dict[str, Any]:
    code = "from tests.e2e.hostile_rows import plant; plant()"
    told: dict[str, Any] = json.loads(product.manage("shell", "--no-imports", "-c", code).splitlines()[-1])
    return told


@pytest.fixture(scope="module")
def logged_in(browser: Browser, product: Product, planted: dict[str, Any]) -> Any:
    context = browser.new_context()
    context.new_page().goto(product.url + planted["enter"])
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def bare(browser: Browser, logged_in: Any) -> Iterator[Page]:
    """A page of theirs, in a browser that runs whatever it is given."""
    context = browser.new_context(bypass_csp=True, viewport={"width": 1380, "height": 860}, storage_state=logged_in)
    context.set_default_timeout(30_000)
    context.add_init_script(PROBE)
    page = context.new_page()
    page.on("dialog", lambda dialog: dialog.dismiss())
    yield page
    context.close()


def check(page: Page, where: str) -> None:
    assert page.evaluate("fired") == [], where
    assert page.evaluate(ACTIVE) == [], where


def look_at(page: Page, address: str) -> str:
    """Open a whole page, or show a part of one; what the server answered, empty if it takes no GET."""
    answer = page.request.get(address)
    if answer.status == 405:
        return ""
    assert answer.status == 200, address
    text = answer.text()
    if text.lstrip().lower().startswith("<!doctype"):
        page.goto(address)
    else:
        page.evaluate(SHOW, text)
    check(page, address)
    return text


def addresses(ids: dict[str, Any]) -> list[str]:
    """Every address of the pages that these rows have something at."""
    found = []
    for pattern in urlpatterns:
        names = pattern.pattern.converters
        if pattern.name in ("logout", "enter", "sign_up", "export"):  # nobody's, or a download
            continue
        if pattern.name == "tab":
            found += [
                reverse("tab", args=[ids["agent_id"], tab])
                for tab in ("context", "memory", "recall", "archival", "runs", "functions")
            ]
        elif names.keys() <= ids.keys():
            found.append(reverse(pattern.name, kwargs={name: ids[name] for name in names}))
    return found


def test_the_probe_sees_what_runs(bare: Page, product: Product) -> None:
    """The control: as raw HTML, in frames of their own, most of the payloads that are HTML run."""
    bare.goto(f"{product.url}/login/")
    frames = "".join(
        f"""<iframe srcdoc="{text.replace("&", "&amp;").replace('"', "&quot;")}"></iframe>""" for text in payloads.ALL
    )
    bare.evaluate(SHOW, frames)
    expected = len(payloads.RUN_BY_THEMSELVES) + len(payloads.OUT_OF)
    bare.wait_for_function(f"new Set(fired).size > {expected}")
    bare.evaluate(SHOW, '<a href="javascript:1" onclick="1">x</a>')
    assert len(bare.evaluate(ACTIVE)) > expected


def test_no_page_runs_a_text(bare: Page, product: Product, planted: dict[str, Any]) -> None:
    bare.goto(f"{product.url}/agents/{planted['ids']['agent_id']}/")
    expect(bare.locator("#live")).to_have_text("live")
    check(bare, "the page")
    for tab in bare.get_by_role("tab").all():
        tab.click()
        bare.wait_for_load_state("networkidle")
        check(bare, tab.inner_text())
    seen = sum("top.probe(" in look_at(bare, product.url + address) for address in addresses(planted["ids"]))
    assert seen > 15


def test_no_row_of_the_timeline_runs(bare: Page, product: Product, planted: dict[str, Any]) -> None:
    bare.goto(f"{product.url}/agents/{planted['ids']['agent_id']}/")
    expect(bare.locator("#live")).to_have_text("live")
    older = f"/agents/{planted['ids']['agent_id']}/timeline/?before="
    before, numbers = planted["last_seq"] + 1, ""
    while before > 1:
        numbers += look_at(bare, f"{product.url}{older}{before}")
        before -= 40
    assert all(f"top.probe({number})" in numbers for number in range(len(payloads.RUN_BY_THEMSELVES)))


def test_no_page_of_the_admin_runs_a_text(bare: Page, product: Product, planted: dict[str, Any]) -> None:
    for model in admin.site._registry:
        listed = f"{product.url}/admin/{model._meta.app_label}/{model._meta.model_name}/"
        look_at(bare, listed)
        links = bare.locator("#result_list tbody th a").all()[:2]
        for address in [link.get_attribute("href") for link in links]:
            look_at(bare, f"{product.url}{address}")
