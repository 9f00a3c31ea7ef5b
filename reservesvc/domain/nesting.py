"""How deep the lists and objects of a JSON value nest."""

DEPTH_MAX = 64
"""how deep those of a request may nest; what is kept is encoded again, inside other objects"""


def is_deeper(value: object, levels: int = DEPTH_MAX) -> bool:
    """Tell whether lists and objects nest more than `levels` deep in `value`."""
    if not isinstance(value, dict | list):
        return False
    parts = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(is_deeper(part, levels - 1) for part in parts)
