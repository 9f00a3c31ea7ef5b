"""Text that people are to read."""

import unicodedata

_BLANK = "\N{BRAILLE PATTERN BLANK}\N{HANGUL FILLER}\N{HALFWIDTH HANGUL FILLER}"
_BLANK += "\N{HANGUL CHOSEONG FILLER}\N{HANGUL JUNGSEONG FILLER}"
"""letters and symbols that show nothing"""
VISIBLE_RULE = "must have a visible character"


def is_visible(text: str) -> bool:
    """Tell whether the text has a letter, digit, sign or symbol, and not only blanks.

    Spaces of all kinds, control and format characters (such as the zero-width space) and marks
    without a letter to stand on show nothing.
    """
    return any(unicodedata.category(each)[0] in "LNPS" and each not in _BLANK for each in text)
