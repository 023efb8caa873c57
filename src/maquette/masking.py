"""Texts without secrets: what a program printed, or an error said, before it is kept or shown."""

from __future__ import annotations

import re

HIDDEN = "..."
"""What stands in the place of a secret."""

_VALUE = r"(?!\.{3})(?:\"[^\"\n]*\"|'[^'\n]*'|[^\s&'\",]+)"
# "tokens" and "tokenizer" are settings; a "token" is a secret.
_NAME = (
    r"(?:[\w-]*(?:password|passwd|passphrase|secret|api[_-]?key|access[_-]?key)[\w-]*|[\w-]*token)"
)
_URL = re.compile(r"://[^\s'\"]*@")
_BEARER = re.compile(r"(?i)\b(bearer\s+)[\w.~+/=-]{16,}")
_NAMED = re.compile(
    rf"(?i)(?<![\w-])({_NAME}[ \t]*=(?!=)[ \t]*"  # token=x, in shells, URLs and calls
    rf"|(?P<quote>['\"]){_NAME}(?P=quote)[ \t]*:[ \t]*"  # "token": "x", in JSON and Python
    rf"|--{_NAME}(?:['\"],)?[ \t]+){_VALUE}"  # --token x, in a command or a list of its words
)


def without_secrets(text: str) -> str:
    """Return a text without what stands before the @ of a URL, and without passwords by name.

    Names are those that end in ``token`` or hold ``password``, ``secret`` or ``api_key``, before
    ``=``, as keys of JSON, and as options. A text that was masked stays as it is.
    """
    if not text:
        return text
    text = _URL.sub(f"://{HIDDEN}@", text)
    text = _BEARER.sub(rf"\1{HIDDEN}", text)
    return _NAMED.sub(rf"\1{HIDDEN}", text)
