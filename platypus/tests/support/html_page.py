"""Reads a page as a browser without JavaScript does: its texts, its tables, and forms to send."""

import http.client
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode, urlsplit

_VOID = {"meta", "link", "input"}


@dataclass
class Element:
    """One element; `text` is all that stands in it."""

    tag: str
    attributes: dict[str, str]
    text: str = ""
    inside: list["Element"] = field(default_factory=list)

    def every(self, tag: str) -> list["Element"]:
        """Return what of this kind is in it, in order."""
        found = []
        for each in self.inside:
            found += [each] if each.tag == tag else []
            found += each.every(tag)
        return found


class _Reader(HTMLParser):
    """Builds the tree; what is not closed in order raises."""

    def __init__(self) -> None:
        super().__init__()
        self.open = [Element("", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].inside.append(made)
        if tag not in _VOID:
            self.open.append(made)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        for each in self.open:
            each.text += data


@dataclass
class Page:
    """One answer of the server, and how to go on from it."""

    url: str
    status: int
    headers: dict[str, str]
    html: str

    @property
    def tree(self) -> Element:
        """The page's elements."""
        reader = _Reader()
        reader.feed(self.html)
        assert len(reader.open) == 1
        return reader.open[0]

    def table(self, caption: str) -> list[list[str]]:
        """Return the rows of the table whose caption begins so, without its head."""
        [found] = [
            each
            for each in self.tree.every("table")
            if each.every("caption")[0].text.startswith(caption)
        ]
        rows = found.every("tbody")[0].every("tr")
        return [[" ".join(cell.text.split()) for cell in row.inside] for row in rows]

    def told(self) -> str:
        """Return what the page says was done, or why not."""
        return next(each.text for each in self.tree.every("p") if each.attributes.get("id"))

    def press(self, button: str, **typed: str) -> "Page":
        """Fill in a form, press its button, and follow to where that leads."""
        [form] = [
            each
            for each in self.tree.every("form")
            if button in [pressed.text for pressed in each.every("button")]
        ]
        [pressed] = [each for each in form.every("button") if each.text == button]
        fields = {**_filled_in(form), **_named(pressed), **typed}
        return send(self.url, form.attributes["action"], urlencode(fields))


def _filled_in(form: Element) -> dict[str, str]:
    fields: dict[str, str] = {}
    for each in form.every("input"):
        if each.attributes.get("type") != "checkbox" or "checked" in each.attributes:
            fields |= _named(each)
    for each in form.every("select"):
        options = each.every("option")
        chosen = next((one for one in options if "selected" in one.attributes), options[0])
        fields[each.attributes["name"]] = chosen.attributes.get("value", chosen.text)
    return fields


def _named(element: Element) -> dict[str, str]:
    name = element.attributes.get("name")
    return {} if name is None else {name: element.attributes.get("value", "")}


def send(url: str, path: str, form: str | None = None) -> Page:
    """GET a page, or POST a form as this server's own pages do; redirections are followed."""
    netloc = urlsplit(url).netloc
    headers: dict[str, Any] = {}
    if form is not None:
        headers = {"Origin": url, "Content-Type": "application/x-www-form-urlencoded"}
    connection = http.client.HTTPConnection(netloc, timeout=30)
    connection.request("GET" if form is None else "POST", path, form, headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    told = {name.lower(): value for name, value in answer.getheaders()}
    connection.close()
    if answer.status == http.client.SEE_OTHER:
        return send(url, told["location"].partition("#")[0])
    return Page(url, answer.status, told, text)


def held_to_the_rules(page: Page) -> None:
    """What holds for every page: it has no inline script or style, and names all that it has."""
    tree = page.tree
    [html] = tree.every("html")
    assert html.attributes["lang"] == "en"
    assert [len(tree.every(each)) for each in ("header", "main", "h1")] == [1, 1, 1]
    assert "Emulator" in tree.every("header")[0].text
    assert not tree.every("script") + tree.every("style")
    everything = re.findall(r"<\w[^>]*>", page.html)
    assert not [each for each in everything if re.search(r"\s(style|on\w+)=", each)]
    ids = re.findall(r'\sid="([^"]*)"', page.html)
    assert len(ids) == len(set(ids))
    referred = re.findall(r'\s(?:for|aria-labelledby|aria-describedby)="([^"]*)"', page.html)
    assert set(referred) <= set(ids)
    labelled = {each.attributes.get("for") for each in tree.every("label")}
    within = [one for each in tree.every("label") for one in each.every("input")]
    for each in tree.every("input") + tree.every("select"):
        assert each in within or each.attributes["id"] in labelled
    for each in tree.every("table"):
        assert each.every("caption")
        assert all(head.attributes["scope"] for head in each.every("th"))
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'; ")
    assert page.headers["cache-control"] == "no-store"
