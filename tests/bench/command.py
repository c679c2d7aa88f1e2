"""What the commands beside the tests share: how they read their options, and say how long they will take."""

import argparse
import sys
import time
from collections.abc import Callable


def parser(command: str, about: str | None, examples: str) -> argparse.ArgumentParser:
    """A parser whose texts keep their lines.

    Args:
        command: as a person types it.
        about: what it does.
        examples: below its options.
    """
    return argparse.ArgumentParser(
        prog=command,
        description=about,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def within(low: float, high: float) -> Callable[[str], float]:
    """The type of an option that is a number in a range."""

    def number(text: str) -> float:
        if not low <= (value := float(text)) <= high:
            raise argparse.ArgumentTypeError(f"{text} is outside {low:g} to {high:g}")
        return value

    return number


def say(place: int, count: int, name: str, seconds: float) -> None:
    """Say which part begins, from 0, of how many, and how long all that is left will take."""
    clock = time.strftime("%M:%S", time.gmtime(seconds))
    print(f"[{place + 1}/{count}] {name}: about {clock} left", file=sys.stderr, flush=True)
