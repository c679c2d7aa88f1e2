"""A model that has been trained before, to begin from."""

import hashlib
import json
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.tokenizer import Tokenizer, tokenizer_from

from training.fit import BEST, HPARAMS
from training.fronts import PolyFront
from training.model import build
from training.network import Network
from training.regrid import regridded
from training.settings import Settings

GRID: Final = ("tokenizer", "steps_per_beat", "longest_wait")
SIZES: Final = ("vocabulary", "architecture", "units", "layers", "width")
"""The settings that a model keeps for life; with another `GRID` it becomes another, see `training.regrid`.
No weight depends on how far ``attention`` looks back: with fewer slots a model is quicker, and of the same
file."""
RECORD: Final = "training.json"
"""In the folder of a run: what model.json says of its training."""


@dataclass(frozen=True)
class Base:
    """A trained model, in the folder of its run.

    Attributes:
        folder: of its run.
        settings: that it was trained with.
        tokenizer: what its tokens mean.
        composers: those that it tells apart.
    """

    folder: Path
    settings: Settings
    tokenizer: Tokenizer
    composers: tuple[str, ...]

    @property
    def identity(self) -> str:
        """What tells its weights from all others."""
        return hashlib.sha256((self.folder / BEST).read_bytes()).hexdigest()[:16]

    def settings_for(self, settings: Settings, *, own_grid: bool = False) -> Settings:
        """Return settings with this model's structure in place of their own; their grid may stay."""
        kept = SIZES if own_grid else (*GRID, *SIZES)
        return replace(settings, **{name: getattr(self.settings, name) for name in kept})

    def speaks(self, settings: Settings) -> bool:
        """Whether its tokenizer is one for the grid of these settings."""
        return all(getattr(settings, name) == getattr(self.settings, name) for name in GRID)

    def network(
        self,
        settings: Settings,
        tokenizer: Tokenizer,
        composer: str | None = None,
        *,
        all_composers: bool = False,
    ) -> Network:
        """Return its network.

        Args:
            settings: the dropout to go on with.
            tokenizer: what its tokens are to mean from now on: its own, or one of a coarser grid.
            composer: whose music it shall play from now on; one that it does not know: nobody's in
                particular.
            all_composers: it goes on telling composers apart instead.

        Raises:
            NeuralMIDIError: it cannot take that tokenizer.
        """
        network = self._network(settings, composer, all_composers)
        if tokenizer.vocabulary == self.tokenizer.vocabulary:
            return network
        return regridded(network, self.settings_for(settings, own_grid=True), self.tokenizer, tokenizer)

    def _network(self, settings: Settings, composer: str | None, all_composers: bool) -> Network:
        """Return its network on its own grid."""
        whole = build(self.settings_for(settings), self.tokenizer, len(self.composers))
        whole.load_weights(self.folder / BEST)
        if all_composers or not self.composers:
            return whole
        one = build(self.settings_for(settings), self.tokenizer, 0)
        for part, trained in ((one.front, whole.front), (one.trunk, whole.trunk)):
            part.set_weights(trained.get_weights())
        if composer in self.composers:
            style = np.asarray(whole.style.get_weights()[0][self.composers.index(composer)])
            seen = one.front.seen.bias if isinstance(one.front, PolyFront) else one.front.free_heard
            seen.assign(seen + style)
        return one


def run_name(folder: Path, runs: Path) -> str:
    """Return how model.json calls a run: ``all`` or ``NAME/m0``, from the folder of all runs on."""
    whole, runs = folder.resolve(), runs.resolve()
    return whole.relative_to(runs).as_posix() if whole.is_relative_to(runs) else whole.name


def read_record(run: Path) -> dict[str, Any] | None:
    """Return what model.json says of the training of a run; None: it was trained by an older version."""
    file = run / RECORD
    return json.loads(file.read_text()) if file.is_file() else None


def write_record(run: Path, record: dict[str, Any]) -> None:
    """Keep what model.json says of the training of a run."""
    (run / RECORD).write_text(json.dumps(record, indent=1))


def read_base(folder: Path) -> Base:
    """Return the model of a run.

    Args:
        folder: ``RUNS/NAME``, as `training.train_composer_models` leaves it.

    Raises:
        NeuralMIDIError: there is none, or it is from another version.
    """
    missing = [name for name in (HPARAMS, BEST) if not (folder / name).is_file()]
    if missing:
        why = f"no {' and no '.join(missing)} in it"
        raise NeuralMIDIError(f"base {folder}", why, "name the folder of a training run, like runs/all")
    hparams = json.loads((folder / HPARAMS).read_text())
    known = {each.name for each in fields(Settings)}
    try:
        settings = Settings(**{name: value for name, value in hparams["settings"].items() if name in known})
        said = hparams["tokenizer"]
        tokenizer = tokenizer_from(
            said["kind"], said["vocabulary"], settings.steps_per_beat, said["beginning"]
        )
        return Base(folder, settings, tokenizer, tuple(hparams["composers"]))
    except KeyError as error:
        raise NeuralMIDIError(f"base {folder}", f"{HPARAMS} has no {error}", "train it again") from error
