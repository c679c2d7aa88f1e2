"""Who wrote it: one name per person, whatever their folder is called."""

import re
from typing import Final

PEOPLE: Final = {
    "AndreJ": "andre_johann",
    "Andre__Elfrida": "andre_elfrida",
    "BachCPE": "bach_cpe",
    "Bartk__Bla": "bartok",
    "Carreo__Teresa": "carreno",
    "Dvok__Antonn": "dvorak",
    "Faur__Gabriel": "faure",
    "Hensel__Fanny__Mendelssohn_": "hensel",
    "Indy__Vincent_d": "d_indy",
    "Janek__Leo": "janacek",
    "Krzyanowska__Halina": "krzyzanowska",
    "Mller-Hermann__Johanna": "mueller-hermann",
    "StraussJJ": "strauss_johann",
    "Strauss__Richard": "strauss_richard",
}
"""Folders whose names have lost a letter, and people who share a surname."""

_INITIALS = re.compile(r"(?<=[a-z])[A-Z]{1,3}$")


def composer_name(folder: str) -> str:
    """Return the name of the composer whose music a folder holds, as a model is called.

    The surname in small letters: what stands before ``__``, without the initials that follow it as in
    ``VerdiG``; `PEOPLE` first. So ``Haydn`` and ``Haydn__Joseph`` are one.
    """
    surname = _INITIALS.sub("", folder.split("__")[0])
    return PEOPLE.get(folder, surname.lower().replace(" ", "_"))
