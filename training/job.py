"""One model, from its files to its folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import keras

from training import preflight, prepare
from training.base import Base
from training.concert import Concert, windows
from training.dataset import Source
from training.fit import BEST, DivergedError, Team, fit
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
    """

    out_models: Path
    runs: Path
    settings: Settings
    base: Base | None
    credits: Mapping[str, Mapping[str, str]]
    command: str
    smoke: bool = False


@dataclass(frozen=True)
class Job:
    """A model to make.

    Attributes:
        plan: what it has in common with others.
        name: what a player types.
        sources: its files.
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
        music = prepare.prepare(
            self.sources, found, plan.settings, plan.runs, base=plan.base, together=self.together
        )
        train, valid = music.corpus("train"), music.corpus("valid")
        known = f", {len(music.composers)} composers" if music.composers else ""
        print(f"{train.sizes.sum():,} tokens to train, {valid.sizes.sum():,} to validate{known}", flush=True)
        concert = Concert(train, music.representation, len(music.composers), plan.settings)
        facts = {**music.facts(), **({"base": plan.base.identity} if plan.base else {})}
        run = plan.runs / self.name
        keras.utils.set_random_seed(plan.settings.seed)
        try:
            fitted = fit(
                lambda: self._network(music),
                concert,
                windows(valid, music.representation, len(music.composers)),
                run,
                facts,
                team,
            )
        except DivergedError as error:
            print(f"{self.name}: not trained, {error}")
            return None
        if not team.chief:
            return {"model": self.name}
        network = build(plan.settings, music.representation.tokenizer, len(music.composers))
        network.load_weights(run / BEST)
        network.save(run / KERAS)
        if not find_spec("tensorflow"):
            print(
                f"{run / KERAS} written; run this again where TensorFlow is, with {plan.runs}/, to export it"
            )
            return {"model": self.name}
        from training.ship import ship  # the converter is TensorFlow's

        return ship(self, music, network, fitted)

    def _network(self, music: Music) -> Network:
        """Return the network to begin with."""
        settings, base = self.plan.settings, self.plan.base
        if base:
            return base.network(settings, self.name, all_composers=self.together)
        return build(settings, music.representation.tokenizer, len(music.composers))
