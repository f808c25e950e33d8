"""Counts in sentences."""


def several(count: int, noun: str) -> str:
    """Returns a count with its noun, such as "1 seed", "0 seeds" and "1,200 updates"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
