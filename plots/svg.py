"""Makes matplotlib's SVG fit to stand inside a page: small, with ids of its own, and in the page's colours and font."""

import re
import xml.etree.ElementTree as ElementTree

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
FONTS = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"

ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", XLINK)


def shrink(text: str, name: str, alt: str) -> ElementTree.Element:
    """The drawing without metadata, unused ids and needless digits; ids that are used start with `name`."""
    root = ElementTree.fromstring(text)
    for child in list(root):
        if child.tag == f"{{{SVG}}}metadata":
            root.remove(child)
    _remove_empty(root)
    for attribute in ("width", "height", "version"):
        root.attrib.pop(attribute, None)
    root.set("role", "img")
    root.set("aria-label", alt)

    used = set()
    for element in root.iter():
        for value in element.attrib.values():
            used.update(re.findall(r"url\(#([^)]+)\)", value))
        href = element.get(f"{{{XLINK}}}href")
        if href:
            used.add(href.lstrip("#"))
    new_ids = {old: f"{name}-{number}" for number, old in enumerate(sorted(used), start=1)}

    for element in root.iter():
        old = element.attrib.pop("id", None)
        if old in new_ids:
            element.set("id", new_ids[old])
        for key, value in list(element.attrib.items()):
            if key == f"{{{XLINK}}}href":
                value = f"#{new_ids[value.lstrip('#')]}"
            elif key in ("d", "x", "y", "transform", "points"):
                value = re.sub(r"-?\d+\.\d+", _two_digits, value.replace("\n", " ").strip())
            elif key == "style":
                value = re.sub(r"url\(#([^)]+)\)", lambda match: f"url(#{new_ids[match[1]]})", value)
                value = re.sub(r"(font: [^']*?)'[^;]*", rf"\1{FONTS}", value).replace("; ", ";")
            element.set(key, value)
        if element.tag != f"{{{SVG}}}text":
            element.text = None
        element.tail = None
    return root


def _remove_empty(element: ElementTree.Element):
    for child in list(element):
        _remove_empty(child)
        if child.tag in (f"{{{SVG}}}g", f"{{{SVG}}}defs") and len(child) == 0:
            element.remove(child)


def _two_digits(match: re.Match) -> str:
    return f"{float(match[0]):.2f}".rstrip("0").rstrip(".")


def standalone(root: ElementTree.Element) -> str:
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=False) + "\n"


def inline(root: ElementTree.Element, variables: dict[str, str]) -> str:
    """For a page: colours in `variables` (#rrggbb -> CSS variable) follow the page's theme, the font is the page's."""
    text = ElementTree.tostring(root, encoding="unicode")
    text = text.replace(FONTS, "var(--font)")
    return re.sub(
        r"#[0-9a-f]{6}\b",
        lambda match: f"var({variables[match[0]]})" if match[0] in variables else match[0],
        text,
    )
