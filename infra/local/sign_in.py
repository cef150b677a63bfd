"""The pages of the issuer."""

import base64
import hashlib
from collections.abc import Iterable

from jinja2 import DictLoader, Environment, StrictUndefined

from infra.local.people import Person

STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --quiet: #5a6475; --paper: #f5f6f8;
  --card: #fff; --line: #d5dae2; --accent: #1f5fd1; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ebf1; --quiet: #a3adbd;
  --paper: #14181f; --card: #1d232d; --line: #353e4c; --accent: #7fb0ff; } }
body { margin: 0; min-height: 100vh; display: grid; place-items: center;
  font: 1rem/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
main { width: min(26rem, 100% - 2rem); }
h1 { font-size: 1.4rem; margin: 0 0 .25rem; }
p { margin: 0 0 1rem; color: var(--quiet); }
form { display: grid; gap: .5rem; }
button { display: grid; text-align: left; padding: .75rem 1rem; font: inherit; color: inherit;
  background: var(--card); border: 1px solid var(--line); border-radius: .5rem; cursor: pointer; }
button:hover { border-color: var(--accent); }
a { color: var(--accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
strong { font-weight: 600; }
small { color: var(--quiet); }
"""
STYLE_HASH = f"sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}"

_PAGES = {
    "page": """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{% block title %}{% endblock %}</title>
<style>{{ style | safe }}</style>
</head>
<body><main>{% block main %}{% endblock %}</main></body>
</html>
""",
    "sign_in": """{% extends "page" %}
{% block title %}Sign in as{% endblock %}
{% block main %}
<h1>Sign in as</h1>
<p>This provider exists on this machine only. Nobody has a password.</p>
<form method="post" action="/authorize?{{ query }}">
{% for person in people %}
<button name="person" value="{{ person.email }}">
<strong>{{ person.name }}</strong>
<small>{{ "operator, may act for every account" if person.scopes
  else person.role ~ " of " ~ person.account }} · {{ person.email }}</small>
</button>
{% endfor %}
</form>
{% endblock %}
""",
    "refused": """{% extends "page" %}
{% block title %}Not a sign-in{% endblock %}
{% block main %}
<h1>This is not a sign-in that was asked for</h1>
<p>The client or the address to return to is not one that this provider knows.</p>
<a href="{{ page }}/">To the billing page</a>
{% endblock %}
""",
    "signed_out": """{% extends "page" %}
{% block title %}Signed out{% endblock %}
{% block main %}
<h1>You are signed out</h1>
<p>Nothing of you is kept here.</p>
<a href="{{ page }}/">To the billing page</a>
{% endblock %}
""",
}

_templates = Environment(loader=DictLoader(_PAGES), autoescape=True, undefined=StrictUndefined)
_templates.globals["style"] = STYLE


def sign_in_page(people: Iterable[Person], query: str) -> str:
    return _templates.get_template("sign_in").render(people=people, query=query)


def refused_page(page: str) -> str:
    return _templates.get_template("refused").render(page=page)


def signed_out_page(page: str) -> str:
    return _templates.get_template("signed_out").render(page=page)
