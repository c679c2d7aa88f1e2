"""One model, from its files to its folder."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import keras
from neuralmidi.errors import NeuralMIDIError

from training import preflight, prepare
from training.base import Base, read_record, run_name, write_record
from training.concert import Batch, Concert, windows
from training.dataset import Source
from training.fit import BEST, DivergedError, Fitted, Team, fit, fitted, read_machine
from training.model import build
from training.network import Network
from training.prepare import Music
from training.settings import Settings
from training.table import Row

KERAS: Final = "model.keras"

Run = tuple[Path, Settings]
"""The folder of a training, and what it is done with."""


@dataclass(frozen=True)
class Plan:
    """What the models of one command have in common.

    Attributes:
        out_models: where they are written.
        runs: where unfinished work lies.
        settings: how they are trained.
        base: what they begin with.
        credits: licences and attributions of datasets, see `training.sources`.
        command: that makes them.
        smoke: whether they are only to show that all is in place.
        benchmark: whether they are only there to compare figures, not to be listed as composers.
        members: how many networks, differing in their seed, decide together in a model, each in a folder of
            its own in the model's; None: one, in the model's folder itself.
        ensemble: runs that have been trained already and are to decide together: nothing is trained.
    """

    out_models: Path
    runs: Path
    settings: Settings
    base: Base | None
    credits: Mapping[str, Mapping[str, str]]
    command: str
    smoke: bool = False
    benchmark: bool = False
    members: int | None = None
    ensemble: Sequence[Base] = ()


@dataclass(frozen=True)
class Member:
    """One network of a model.

    Attributes:
        run: where its unfinished work lies.
        network: trained.
        fitted: what the training did.
        record: what model.json says of the training.
    """

    run: Path
    network: Network
    fitted: Fitted
    record: dict[str, Any]


@dataclass(frozen=True)
class Job:
    """A model to make.

    Attributes:
        plan: what it has in common with others.
        name: what a player types.
        sources: its pieces.
        together: whether it is to tell composers apart.
    """

    plan: Plan
    name: str
    sources: Sequence[Source]
    together: bool

    def run(self, team: Team) -> Row | None:
        """Make the model; returns its row of the table, or None if there is none."""
        plan = self.plan
        print(f"\n{self.name}")
        found = prepare.survey(self.sources, plan.settings, plan.runs / "notes")
        preflight.report_on(found, print)
        if not found.usable:
            print(f"{self.name}: not trained")
            return None
        base = plan.base if plan.base and plan.base.speaks(plan.settings) else None
        music = prepare.prepare(
            self.sources, found, plan.settings, plan.runs, base=base, together=self.together
        )
        train, valid = music.corpus("train"), music.corpus("valid")
        known = f", {len(music.composers)} composers" if music.composers else ""
        print(f"{train.sizes.sum():,} tokens to train, {valid.sizes.sum():,} to validate{known}", flush=True)
        try:
            done = self._trained(music, team)
        except DivergedError as error:
            print(f"{self.name}: not trained, {error}")
            return None
        if not team.chief:
            return {"model": self.name}
        members = [self._member(music, *each) for each in zip(self._runs, done, strict=True)]
        if not find_spec("tensorflow"):
            print(
                f"{KERAS} written to {self.folder}; run this again where TensorFlow is, with {plan.runs}/, "
                "to export it"
            )
            return {"model": self.name}
        from training.ship import ship  # the converter is TensorFlow's

        return ship(self, music, members)

    @property
    def folder(self) -> Path:
        """Where its unfinished work lies."""
        return self.plan.runs / self.name

    @property
    def _runs(self) -> list[Run]:
        """The folder and the settings of each of its networks."""
        plan = self.plan
        if plan.ensemble:
            return [(each.folder, each.settings) for each in plan.ensemble]
        if plan.members is None:
            return [(self.folder, plan.settings)]
        return [
            (self.folder / f"m{number}", replace(plan.settings, seed=plan.settings.seed + number))
            for number in range(plan.members)
        ]

    def _trained(self, music: Music, team: Team) -> list[Fitted]:
        """Train its networks, unless that has been done."""
        if self.plan.ensemble:
            return [self._found(each, music) for each in self.plan.ensemble]
        heard = windows(music.corpus("valid"), music.representation, music.conditions)
        return [self._fit(music, heard, *each, team) for each in self._runs]

    def _found(self, run: Base, music: Music) -> Fitted:
        """Return what a run did that is to decide with others.

        Raises:
            NeuralMIDIError: it reads other tokens, or nobody knows whence it is.
        """
        vocabulary = music.representation.tokenizer.vocabulary
        if run.tokenizer.vocabulary != vocabulary or run.composers != music.composers:
            why = f"its tokens or its composers are not those of {self.name}"
            raise NeuralMIDIError(f"run {run.folder}", why, "take runs of the same grid and data")
        if read_record(run.folder) is None:
            why = "nothing tells how it was trained"
            raise NeuralMIDIError(f"run {run.folder}", why, "give the command that trained it once more")
        return fitted(run.folder)

    def _fit(self, music: Music, heard: Batch, run: Path, settings: Settings, team: Team) -> Fitted:
        """Train a network, unless that has been done."""
        if len(self._runs) > 1:
            print(f"{run}", flush=True)
        base = self.plan.base
        keras.utils.set_random_seed(settings.seed)
        done = fit(
            lambda: self._network(music),
            Concert(music.corpus("train"), music.representation, music.conditions, settings),
            heard,
            run,
            {**music.facts(), **({"base": base.identity} if base else {})},
            team,
        )
        if team.chief:
            write_record(run, self._record(run, settings, done))
        return done

    def _record(self, run: Path, settings: Settings, done: Fitted) -> dict[str, Any]:
        """Return what model.json says of the training of a network."""
        base = self.plan.base
        before = base and read_record(base.folder)
        return {
            "command": self.plan.command,
            "seed": settings.seed,
            "where": read_machine(run),
            "minutes": round(done.minutes, 1),
            "epochs": done.epochs,
            "best_epoch": done.best,
            "base": run_name(base.folder, self.plan.runs) if base else None,
            "hparams": asdict(settings),
            **({"before": before} if before else {}),
        }

    def _member(self, music: Music, whence: Run, done: Fitted) -> Member:
        """Return a network with the weights that came out of its training, and keep it whole."""
        run, settings = whence
        network = build(settings, music.representation.tokenizer, len(music.composers))
        network.load_weights(run / BEST)
        network.save(run / KERAS)
        record = read_record(run)
        assert record is not None, "it was written when the run ended, or the run refused"
        return Member(run, network, done, record)

    def _network(self, music: Music) -> Network:
        """Return the network to begin with."""
        settings, base = self.plan.settings, self.plan.base
        tokenizer = music.representation.tokenizer
        if base:
            composer = self.sources[0].composer
            return base.network(settings, tokenizer, composer, all_composers=self.together)
        return build(settings, tokenizer, len(music.composers))
