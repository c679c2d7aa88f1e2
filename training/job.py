"""One model, from its files to its folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import keras

from training import preflight, prepare
from training.base import Base
from training.concert import Batch, Concert, windows
from training.dataset import Source
from training.fit import BEST, DivergedError, Fitted, Team, fit
from training.model import build
from training.network import Network
from training.prepare import Music
from training.settings import Settings
from training.table import Row

KERAS: Final = "model.keras"


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


@dataclass(frozen=True)
class Member:
    """One network of a model.

    Attributes:
        run: where its unfinished work lies.
        settings: that it is trained with.
        network: trained.
        fitted: what the training did.
    """

    run: Path
    settings: Settings
    network: Network
    fitted: Fitted


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
        found = prepare.survey(self.sources, plan.settings.steps_per_beat, plan.runs / "notes")
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
        heard = windows(valid, music.representation, len(music.composers))
        try:
            fitted = [self._fit(music, heard, *each, team) for each in self._runs]
        except DivergedError as error:
            print(f"{self.name}: not trained, {error}")
            return None
        if not team.chief:
            return {"model": self.name}
        members = [
            Member(run, settings, self._trained(music, run), done)
            for (run, settings), done in zip(self._runs, fitted, strict=True)
        ]
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
    def _runs(self) -> list[tuple[Path, Settings]]:
        """The folder and the settings of each of its networks."""
        plan = self.plan
        if plan.members is None:
            return [(self.folder, plan.settings)]
        return [
            (self.folder / f"m{number}", replace(plan.settings, seed=plan.settings.seed + number))
            for number in range(plan.members)
        ]

    def _fit(self, music: Music, heard: Batch, run: Path, settings: Settings, team: Team) -> Fitted:
        """Train a network, unless that has been done."""
        if len(self._runs) > 1:
            print(f"{run}", flush=True)
        base = self.plan.base
        keras.utils.set_random_seed(settings.seed)
        return fit(
            lambda: self._network(music),
            Concert(music.corpus("train"), music.representation, len(music.composers), settings),
            heard,
            run,
            {**music.facts(), **({"base": base.identity} if base else {})},
            team,
        )

    def _trained(self, music: Music, run: Path) -> Network:
        """Return a network with the weights that came out of its training, and keep it whole."""
        network = build(self.plan.settings, music.representation.tokenizer, len(music.composers))
        network.load_weights(run / BEST)
        network.save(run / KERAS)
        return network

    def _network(self, music: Music) -> Network:
        """Return the network to begin with."""
        settings, base = self.plan.settings, self.plan.base
        tokenizer = music.representation.tokenizer
        if base:
            composer = self.sources[0].composer
            return base.network(settings, tokenizer, composer, all_composers=self.together)
        return build(settings, tokenizer, len(music.composers))
