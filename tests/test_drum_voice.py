"""The drum voice in the real Pd: nine drums, each as it should be, and at the sample of its hit."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from neuralmidi.kit import KIT, PLACES
from test_patches import PATCHES, RATE, SILENCE, Samples, Timed, message_boxes, peak, render

DRY: Timed = (0, "room 0")
FIRST, APART = 0.100123, 4.0
"""When the first of the hits is that `kit` plays, and how long each is heard: seconds."""

PITCHES = {each.name: each.pitch for each in KIT}
SKINS = ("kick", "lowtom", "midtom", "hightom")


class Heard(NamedTuple):
    """What a drum's sound is like.

    Attributes:
        band: Hz between which most of its energy lies.
        centroid: bounds of the mean frequency of its energy, in Hz.
        decay: bounds of the time until it is 60 dB down, in seconds.
    """

    band: tuple[float, float]
    centroid: tuple[float, float]
    decay: tuple[float, float]


DRUMS = {
    "kick": Heard((40, 120), (50, 250), (0.2, 0.5)),
    "snare": Heard((150, 10000), (1000, 7000), (0.1, 0.4)),
    "hat": Heard((6000, 20000), (7000, 13000), (0.03, 0.15)),
    "openhat": Heard((6000, 20000), (7000, 13000), (0.4, 1)),
    "lowtom": Heard((70, 120), (80, 150), (0.3, 0.8)),
    "midtom": Heard((95, 160), (110, 200), (0.3, 0.8)),
    "hightom": Heard((130, 220), (150, 300), (0.3, 0.8)),
    "crash": Heard((1000, 12000), (5000, 10000), (1, 4)),
    "ride": Heard((3000, 12000), (5000, 10000), (1, 3)),
}


def hits(pitches: Iterable[int], velocity: int = 100) -> list[Timed]:
    """One hit after the other, each given the time to fall silent."""
    return [(1000 * (FIRST + APART * k), f"{pitch} {velocity} 10") for k, pitch in enumerate(pitches)]


def each_hit(folder: Path, pitches: Iterable[int], velocity: int = 100) -> dict[int, Samples]:
    """What the kit sounds like from the sample of each hit on, shape (samples, channels)."""
    events = hits(pitches, velocity)
    sound, done = render(folder, "drums~", [DRY, *events], FIRST + APART * len(events))
    assert not done.errors
    return {
        int(text.split()[0]): sound[int(ms / 1000 * RATE) :][: round((APART - FIRST) * RATE)]
        for ms, text in events
    }


def energies(sound: Samples) -> tuple[Samples, Samples]:
    """Frequencies in Hz, and the energy at each."""
    mono = sound.sum(axis=1)
    spectrum = np.abs(np.fft.rfft(mono)).astype(np.float64)
    return np.fft.rfftfreq(len(mono), 1 / RATE).astype(np.float64), spectrum**2


def centroid(sound: Samples) -> float:
    """The mean frequency of a sound's energy, in Hz."""
    frequencies, energy = energies(sound)
    return float((frequencies * energy).sum() / energy.sum())


def decay(sound: Samples) -> float:
    """Seconds until a sound is 60 dB below its loudest 5 ms."""
    size = RATE // 200
    pieces = sound[: len(sound) // size * size].reshape(-1, 2 * size)  # two channels
    levels = np.sqrt((pieces**2).mean(axis=1))
    return float(np.flatnonzero(levels > levels.max() / 1000)[-1] + 1) / 200


def rms(sound: Samples) -> float:
    return float(np.sqrt((sound**2).mean()))


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Samples]:
    """A hit on each pitch that is heard, as `each_hit`."""
    return each_hit(tmp_path_factory.mktemp("kit"), sorted(PLACES))


@pytest.fixture(scope="module")
def soft(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Samples]:
    """A soft hit on each instrument."""
    return each_hit(tmp_path_factory.mktemp("soft"), PITCHES.values(), 30)


# --- each of the nine


@pytest.mark.parametrize("pitch", sorted(PLACES))
def test_a_pitch_sounds_like_the_drum_it_is_taken_for(pitch: int, kit: dict[int, Samples]) -> None:
    sound, heard = kit[pitch], DRUMS[KIT[PLACES[pitch]].name]
    assert 0.1 < peak(sound) < 0.6
    frequencies, energy = energies(sound)
    low, high = heard.band
    assert energy[(frequencies >= low) & (frequencies < high)].sum() > 0.7 * energy.sum()
    assert heard.centroid[0] < centroid(sound) < heard.centroid[1]
    assert heard.decay[0] < decay(sound) < heard.decay[1]
    assert abs(sound.mean()) < SILENCE  # no DC
    assert peak(sound, 3.2) == 0


def test_the_snare_is_a_skin_and_wires(kit: dict[int, Samples]) -> None:
    frequencies, energy = energies(kit[PITCHES["snare"]])
    skin = energy[(frequencies > 150) & (frequencies < 320)].sum()
    wires = energy[(frequencies > 1000) & (frequencies < 12000)].sum()
    assert 0.2 < skin / (skin + wires) < 0.6


def test_the_kick_falls_to_its_pitch(kit: dict[int, Samples]) -> None:
    mono = kit[PITCHES["kick"]].sum(axis=1)
    rising = np.flatnonzero((mono[:-1] < 0) & (mono[1:] >= 0))
    hertz = RATE / np.diff(rising[rising > 0.008 * RATE])
    hertz = hertz[: np.searchsorted(np.cumsum(1 / hertz), 0.3)]
    assert hertz[0] > 80
    assert hertz[-1] == pytest.approx(47, abs=1)


def test_the_ride_pings_and_the_ping_is_gone_before_the_wash(kit: dict[int, Samples]) -> None:
    def ping(sound: Samples) -> float:
        frequencies, energy = energies(sound)
        band = energy[(frequencies > 3000) & (frequencies < 6000)]
        return float(np.sort(band)[-30:].sum() / energy.sum())

    ride = kit[PITCHES["ride"]]
    assert ping(ride[: RATE // 4]) > 0.3
    assert ping(ride[RATE // 2 : RATE * 3 // 4]) < 0.15


@pytest.mark.parametrize("name", PITCHES)
def test_a_hit_is_heard_at_the_sample_of_its_time(
    name: str, kit: dict[int, Samples], soft: dict[int, Samples], tmp_path: Path
) -> None:
    for sounds in (kit, soft):
        first = int(np.flatnonzero(np.abs(sounds[PITCHES[name]]).sum(axis=1))[0])
        assert first == 0
    times = [10.01, 3510.7, 7011.37, 10512.999]
    events = [(ms, f"{PITCHES[name]} 100 10") for ms in times]
    sound, _ = render(tmp_path, "drums~", [DRY, *events], 14)
    loud = np.abs(sound).sum(axis=1) > 0
    onsets = np.flatnonzero(loud)
    onsets = onsets[np.flatnonzero(np.diff(onsets, prepend=-RATE) > 1000)]
    assert list(onsets) == [int(ms / 1000 * RATE) for ms in times]


@pytest.mark.parametrize("name", PITCHES)
def test_harder_is_louder_and_brighter(name: str, kit: dict[int, Samples], soft: dict[int, Samples]) -> None:
    quiet, loud = soft[PITCHES[name]], kit[PITCHES[name]]
    assert 0 < 4 * peak(quiet) < peak(loud)
    assert centroid(loud) > 1.02 * centroid(quiet)


# --- what it takes for a hit


def test_pitches_that_no_drum_has_and_other_channels_are_silent(tmp_path: Path) -> None:
    unknown = [(float(k), f"{pitch} 127 10") for k, pitch in enumerate(sorted(set(range(128)) - set(PLACES)))]
    elsewhere = [(200.0 + channel, f"36 127 {channel}") for channel in range(1, 17) if channel != 10]
    sound, done = render(tmp_path, "drums~", [*unknown, *elsewhere], 0.5)
    assert not done.errors
    assert peak(sound) == 0


def test_a_hit_without_a_channel_is_one(tmp_path: Path) -> None:
    sound, _ = render(tmp_path, "drums~", [(0, "36 100"), (100, "36 100 1"), (200, "38 100")], 0.5)
    assert peak(sound, 0, 0.1) > 0.1
    assert peak(sound, 0.2) > 0.1


@pytest.mark.parametrize("name", PITCHES)
def test_the_end_of_a_note_changes_nothing(name: str, tmp_path: Path) -> None:
    pitch = PITCHES[name]
    held, _ = render(tmp_path, "drums~", [(10, f"{pitch} 100 10")], 0.5)
    ended, _ = render(tmp_path, "drums~", [(10, f"{pitch} 100 10"), (30, f"{pitch} 0 10")], 0.5)
    assert peak(held) > 0
    assert np.array_equal(held, ended)


# --- hits that meet


def test_the_closed_hat_chokes_the_open_one(tmp_path: Path) -> None:
    opened: Timed = (0, "46 100 10")
    rings, _ = render(tmp_path, "drums~", [DRY, opened], 1)
    choked, _ = render(tmp_path, "drums~", [DRY, opened, (100, "42 30 10")], 1)
    assert peak(rings, 0.25, 0.3) > 0.02
    assert peak(choked, 0, 0.1) > 0.1
    assert peak(choked, 0.25) == 0


@pytest.mark.parametrize("name", SKINS)
def test_a_soft_hit_on_a_drum_that_rings_does_not_click(name: str, tmp_path: Path) -> None:
    def steps(*events: Timed) -> float:
        sound, _ = render(tmp_path, "drums~", [DRY, *events], 0.4)
        return float(np.abs(np.diff(sound, axis=0))[round(0.149 * RATE) : round(0.18 * RATE)].max())

    ring = [(30.0 * k, f"{PITCHES[name]} 127 10") for k in range(5)]
    soft_hit: Timed = (150.003, f"{PITCHES[name]} 10 10")
    assert steps(*ring, soft_hit) < steps(*ring) + 2 * steps(soft_hit) + 1e-3


@pytest.mark.parametrize("name", PITCHES)
def test_in_a_roll_of_32nds_every_hit_is_heard(name: str, tmp_path: Path) -> None:
    apart = 60_000 / 180 / 8
    times = [20.3 + apart * k for k in range(24)]
    rolled = [(ms, f"{PITCHES[name]} 100 10") for ms in times]
    sound, _ = render(tmp_path, "drums~", [DRY, *rolled], 5)
    peaks = [peak(sound, ms / 1000, (ms + apart / 2) / 1000) for ms in times]
    assert min(peaks) > 0.6 * peaks[0]
    assert max(peaks) < 2.5 * peaks[0]
    if name not in ("crash", "ride"):  # whose hits run together, as on real ones
        steps = np.diff(sound, axis=0)
        edges = [int(ms / 1000 * RATE) for ms in times[1:]]
        assert all(rms(steps[at : at + 200]) > 1.3 * rms(steps[at - 200 : at]) for at in edges)
    assert peak(sound, 4.5) == 0


def test_panic_ends_what_sounds(tmp_path: Path) -> None:
    crash: Timed = (0, f"{PITCHES['crash']} 127 10")
    sound, _ = render(tmp_path, "drums~", [DRY, crash, (100, "panic")], 1)
    assert peak(sound, 0, 0.1) > 0.1
    assert peak(sound, 0.51) == 0


# --- beside the piano


def part(bars: int) -> list[Timed]:
    """A busy drummer at 120 BPM: kick, snare, hats, a crash and a fill in each bar."""
    rows = {36: "x..x..x.x.xx..x.", 38: "....x..x.x..xxxx", 42: "x.xxx.x.xxx.x...", 46: "......x.......x."}
    rows |= {
        49: "x...............",
        51: "x...x...x...x...",
        50: "............x...",
        47: ".............x..",
        43: "..............xx",
    }
    return [
        (125.0 * (16 * bar + step), f"{pitch} 100 10")
        for bar in range(bars)
        for step in range(16)
        for pitch, row in rows.items()
        if row[step] == "x"
    ]


def test_a_busy_part_is_as_loud_as_the_piano_and_both_do_not_clip(tmp_path: Path) -> None:
    drums, _ = render(tmp_path, "drums~", part(4), 12)
    chords = [(500.0 * k, f"{pitch} 100 1") for k in range(16) for pitch in range(45, 85, 5)]
    ends = [(ms + 480, re.sub("100", "0", text)) for ms, text in chords]
    piano, _ = render(tmp_path, "synth~", [*chords, *ends], 12)
    assert peak(drums + piano) < 1
    assert 0.5 < rms(drums[: 8 * RATE]) / rms(piano[: 8 * RATE]) < 2
    assert peak(drums, 11.5) < SILENCE


def test_the_whole_kit_at_once_never_reaches_full_scale(tmp_path: Path) -> None:
    sound, _ = render(tmp_path, "drums~", [(0, f"{pitch} 127 10") for pitch in PITCHES.values()], 6)
    assert 0.5 < peak(sound) < 1
    assert np.isfinite(sound).all()
    assert peak(sound, 5.5) < SILENCE


# --- help


def test_help_has_every_drum_to_click() -> None:
    boxes = message_boxes(PATCHES / "drums~-help.pd")
    clicked = {int(text.split()[0]) for text in boxes if re.fullmatch(r"\d+ \d+", text)}
    assert clicked == set(PITCHES.values())
