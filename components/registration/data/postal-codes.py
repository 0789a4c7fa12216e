#!/usr/bin/env python3
"""Makes postal-codes.tsv, the formats of postal codes by country:

    pip install postalcheck==0.2.1 && python3 postal-codes.py > postal-codes.tsv

postalcheck (MIT) keeps the rules of Google's libaddressinput, which Chrome's and Android's address forms use, with the
canonical form that each country's post prints. Its layouts are functions; here each becomes a regular expression and a
replacement, which is checked against the function.
"""

import re
import sys
from importlib.metadata import version

from postalcheck import example
from postalcheck._countries import NO_POSTAL_CODES, RULES

HEAD = """\
# The countries (ISO 3166-1 alpha-2, and AC, TA, XK) and the formats of their postal codes.
# Made by postal-codes.py from postalcheck {version} on PyPI (MIT), which has them from Google's libaddressinput
# (chromium-i18n.appspot.com/ssl-address, CC BY 4.0; read on 2026-10-12). Do not edit.
#
# country, regular expression of a code's letters and digits, expression and replacement that put in its separators,
# an example. A country alone has no postal codes."""


def layout(function):
    """The expression and the replacement that do what a layout function does."""
    held = dict(zip(function.__code__.co_freevars, (cell.cell_contents for cell in function.__closure__ or ())))
    match function.__qualname__.split(".")[0]:
        case "plain":
            return "", ""
        case "tail":
            return rf"(.+)(.{{{held['n']}}})", f"$1{held['sep']}$2"
        case "when_length":
            inner, replacement = layout(held["inner"])
            last = int(re.search(r"(\d+)\}\)$", inner)[1])
            return rf"(.{{{held['length'] - last}}})(.{{{last}}})", replacement
        case "zip_plus_four":
            return "(.{5})(.{4})", "$1-$2"
        case "split_letters":
            return r"([A-Z]+)(\d+)", "$1 $2"
        case "drop_prefix":
            return f"{held['prefix']}(.+)", "$1"
        case "add_prefix":
            return f"(?:{held['prefix']})?(.+)", f"{held['prefix']}{held['sep']}$1"
        case "british":
            return r"(BFPO|.+)(\d[A-Z]{2}|\d+)", "$1 $2"
    sys.exit(f"a layout that is not known: {function.__qualname__}")


def check(country, rule, expression, replacement):
    """The example, with and without its separators, is written as postalcheck writes it."""
    compact = re.sub("[ -]", "", example(country))
    written = re.sub(f"^(?:{expression})$", replacement.replace("$", "\\"), compact) if expression else compact
    if not rule.matches(compact) or written != rule.layout(compact) or written != example(country):
        sys.exit(f"{country}: {compact} is written {written}, not {rule.layout(compact)}")


print(HEAD.format(version=version("postalcheck")))
for country in sorted(RULES.keys() | NO_POSTAL_CODES):
    if rule := RULES.get(country):
        expression, replacement = layout(rule.layout)
        check(country, rule, expression, replacement)
        print(country, rule.pattern.pattern, expression, replacement, example(country), sep="\t")
    else:
        print(country)
