"""Networks to compare, by names that say what they are: ``lstm-2x256@12``, ``chords-lstm-2x256@4``."""

import re
from dataclasses import dataclass
from typing import Any, Final

from neuralmidi.errors import NeuralMIDIError

from training.settings import Settings, settings_from
from training.trunks import HEAD

FORM: Final = "[chords-]ARCHITECTURE-LAYERSxUNITS[-SLOTS][@STEPS_PER_BEAT]"
_NAME: Final = re.compile(
    r"(?:(?P<tokenizer>poly|chords)-)?(?P<architecture>lstm|gru|attention)"
    r"-(?P<layers>[1-9]\d*)x(?P<units>[1-9]\d*)(?:-(?P<slots>[1-9]\d*))?(?:@(?P<steps_per_beat>[1-9]\d*))?"
)
_NUMBERS: Final = ("layers", "units", "slots", "steps_per_beat")
LONGEST_WAIT: Final = 2
"""Beats that one ``wait`` token can say, on every grid."""


@dataclass(frozen=True)
class Variant:
    """A network on a grid.

    Attributes:
        name: whole, so that one variant has one name only, fit for a folder.
        choices: what it decides of the settings.
    """

    name: str
    choices: dict[str, Any]

    def settings(self, **others: Any) -> Settings:
        """Return its settings; ``others`` are those that it does not decide."""
        return settings_from({**others, **self.choices})


def variant(text: str) -> Variant:
    """Return the variant of a name, in which what is usual may be left out.

    Raises:
        NeuralMIDIError: it is no such name, or no such network can be built.
    """
    found = _NAME.fullmatch(text)
    if not found:
        raise _unknown(text, f"not of the form {FORM}")
    choices: dict[str, Any] = {
        key: int(value) if key in _NUMBERS else value for key, value in found.groupdict().items() if value
    }
    attends = choices["architecture"] == "attention"
    if "slots" in choices and not attends:
        raise _unknown(text, "only attention looks back on slots")
    if attends and choices["units"] % HEAD:
        raise _unknown(text, f"attention needs units in whole heads of {HEAD}")
    usual = settings_from(choices)
    choices["longest_wait"] = LONGEST_WAIT * usual.steps_per_beat
    parts = ["chords"] * (usual.tokenizer == "chords") + [usual.architecture, f"{usual.layers}x{usual.units}"]
    parts += [str(usual.slots)] * attends
    return Variant(f"{'-'.join(parts)}@{usual.steps_per_beat}", choices)


def _unknown(text: str, why: str) -> NeuralMIDIError:
    return NeuralMIDIError(f"variant '{text}'", why, "write lstm-2x256 or attention-4x256-256@12, say")
