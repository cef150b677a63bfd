"""What people write and are called, in any script: names, messages, reasons."""

import unicodedata

_OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_NO_TEXT = ("Cc", "Cs", "Zl", "Zp")
_IN_MESSAGES = "\n\t"
_INVISIBLE = "CZ"
_PRIVATE_OR_NEW = ("Cn", "Co")


def disguises(character: str) -> bool:
    """Whether it could make text look like other text: a control, a line break, an override of
    direction, half a character. Joiners and foreign spaces could not."""
    return unicodedata.category(character) in _NO_TEXT or character in _OVERRIDES


def is_line(text: str) -> bool:
    return not any(map(disguises, text))


def is_message(text: str) -> bool:
    """Whether `text` may be shown in several lines."""
    return not any(disguises(each) for each in text if each not in _IN_MESSAGES)


def composed(text: str) -> str:
    """Return the one spelling of `text` (NFC) without the space around it.

    Empty where nothing of it could be seen.
    """
    plain = unicodedata.normalize("NFC", text).strip()
    return plain if any(map(_visible, plain)) else ""


def _visible(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] not in _INVISIBLE or category in _PRIVATE_OR_NEW
