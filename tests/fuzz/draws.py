"""What is drawn, always alike for the same seed."""

import random
from typing import TypeVar

Choice = TypeVar("Choice")


def draw_of(seed: int, number: int) -> random.Random:
    """The draws for the case of a number, whatever came before it."""
    return random.Random(f"{seed} {number}")


def one_of(draw: random.Random, table: dict[Choice, int]) -> Choice:
    """Something of a table, as often as it says."""
    return draw.choices(list(table), list(table.values()))[0]
