"""What is missing on a computer is said, with a reason and a remedy, before anything is installed."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from pd_runner import EXTERNALS

SYSTEM = ("sh", "env", "dirname", "readlink")


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A folder of commands for PATH: a shell and a Python, no Pd, no compiler, no installer."""
    for command in SYSTEM:
        (tmp_path / command).symlink_to(shutil.which(command) or command)
    (tmp_path / "python3").symlink_to(Path("/proc/self/exe").resolve())
    return tmp_path


def prepare(commands: Path, purpose: str = "play") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [EXTERNALS / "python", EXTERNALS / "environment.py", purpose],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PATH": str(commands)},
        check=False,
    )


def test_what_is_missing_is_named_with_its_reason(bare: Path) -> None:
    run = prepare(bare)
    assert run.returncode == 1
    first, *lines, last = run.stderr.splitlines()
    assert first == "Missing on this computer:"
    assert "    puredata-core   Pure Data, which plays the patches" in lines
    assert "    gcc             the C compiler, to build the bridge" in lines
    assert "this is not Debian or Ubuntu" in last


def test_an_installation_that_fails_shows_the_end_of_its_log(bare: Path) -> None:
    apt = bare / "apt-get"
    apt.write_text("#!/bin/sh\necho 'Temporary failure resolving the archive'\nexit 100\n")
    apt.chmod(0o755)
    run = prepare(bare)
    assert run.returncode == 1
    if os.geteuid() == 0:
        assert "Temporary failure resolving the archive" in run.stderr
        assert "connect this computer to the network" in run.stderr
        assert "apt-install.log" in run.stderr
    else:
        assert "not there, and you are not root" in run.stderr
        assert "apt-get install --no-install-recommends puredata-core" in run.stderr


def test_an_old_python_is_passed_over(bare: Path) -> None:
    real = (bare / "python3").rename(bare / "python3.10")
    old = bare / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")  # what a Python 2 or 3.9 answers to the question
    old.chmod(0o755)
    run = subprocess.run(
        [EXTERNALS / "python", "-c", "import sys; print(sys.executable)"],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": str(bare)},
        check=True,
    )
    assert run.stdout.strip() in (str(real), "/usr/bin/python3")


def test_no_python_at_all_is_one_line(bare: Path) -> None:
    (bare / "python3").unlink()
    finder = bare / "finder"  # it looks in /usr/bin, too: here it must not
    finder.write_text((EXTERNALS / "python").read_text().replace("/usr/bin/python3 ", ""))
    run = subprocess.run(
        ["sh", finder, "anything"], capture_output=True, text=True, env={"PATH": str(bare)}, check=False
    )
    assert run.returncode == 1
    assert run.stderr.startswith("Python: 3.10 or newer is not installed / sudo apt-get install python3")


def test_a_module_that_comes_or_goes_installs_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(EXTERNALS))
    from environment import Environment

    (tmp_path / "objects").mkdir()
    (tmp_path / "one.py").touch()
    environment = Environment(tmp_path / ".venv", bool, sources=(), package=tmp_path)
    before = environment.digest()
    (tmp_path / "one.py").write_text("an editable installation sees what is in it")
    (tmp_path / "objects" / "notes.txt").touch()
    assert environment.digest() == before
    new = tmp_path / "objects" / "two.py"
    new.touch()
    assert environment.digest() != before
    new.unlink()
    assert environment.digest() == before
