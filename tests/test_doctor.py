import os
import subprocess
import sys
from pathlib import Path

import pytest
from neuralmidi import doctor
from neuralmidi.doctor import Finding, examine, healthy

ROOT = Path(__file__).parent.parent


def subjects() -> dict[str, Finding]:
    return {finding.subject: finding for finding in examine()}


def test_a_line_says_what_is_there_or_what_to_do() -> None:
    assert str(Finding("Pd", "0.53.1")) == "ok       Pd            0.53.1"
    assert str(Finding("Pd", None, "install it")) == "MISSING  Pd            install it"
    assert str(Finding("display", None, "do without", needed=False)) == "-        display       do without"


def test_what_the_tests_run_on_is_found() -> None:
    found = subjects()
    packages = ["Python", "numpy", "LiteRT", "mido", "python-osc", "textual"]
    assert list(found)[: len(packages)] == packages
    assert all(found[subject].found for subject in packages)


def test_pd_and_the_external_are_found_and_work_together() -> None:
    found = subjects()
    assert (found["Pure Data"].found or "").startswith("0.")
    assert "in Pd: neuralmidi 0." in (found["the external"].found or "")


def test_without_pd_the_page_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    assert not healthy()
    assert "MISSING  Pure Data     sudo apt-get install puredata-core" in capsys.readouterr().out


def test_a_pd_that_does_not_start_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pd = tmp_path / "pd"
    pd.write_text("#!/nowhere/at/all\n")
    pd.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert subjects()["Pure Data"].found is None


def test_an_external_that_pd_cannot_load_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "neuralmidi.pd_linux").write_text("not a library")
    monkeypatch.setattr(doctor, "EXTERNAL_FOLDERS", (tmp_path,))
    finding = subjects()["the external"]
    assert finding.found is None
    assert "does not work in Pd" in finding.remedy
    assert "can't load library" in finding.remedy


def test_an_external_that_is_not_built_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "EXTERNAL_FOLDERS", (tmp_path,))
    assert str(subjects()["the external"]).startswith("MISSING  the external  build it")


def test_vstplugin_is_found_where_pd_looks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(doctor, "PLUGIN_FOLDERS", doctor.PLUGIN_FOLDERS[:3])
    folder = tmp_path / "Documents/Pd/externals/vstplugin~"
    folder.mkdir(parents=True)
    (folder / "vstplugin~-help.pd").touch()
    assert subjects()["vstplugin~"].found is None
    (folder / "vstplugin~.pd_linux").touch()
    assert subjects()["vstplugin~"].found == str(folder / "vstplugin~.pd_linux")


def test_a_display_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert subjects()["display"].found is None
    monkeypatch.setenv("DISPLAY", ":7")
    assert subjects()["display"].found == ":7"


@pytest.mark.parametrize(
    ("module", "subject"), [("numpy", "numpy"), ("ai_edge_litert", "LiteRT"), ("mido", "mido")]
)
def test_a_missing_package_is_a_line_and_not_a_traceback(tmp_path: Path, module: str, subject: str) -> None:
    (tmp_path / f"{module}.py").write_text(f"raise ImportError('No module named {module}')")
    environment = {**os.environ, "PATH": "", "PYTHONPATH": f"{tmp_path}:{ROOT / 'externals'}"}

    def neuralmidi(word: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "neuralmidi", word]
        return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)

    page = neuralmidi("doctor")
    assert (page.returncode, page.stderr) == (1, "")
    assert f"MISSING  {subject:<13} " in page.stdout
    played = neuralmidi("bach")
    assert played.returncode in (0, 2)  # notes are printed without mido
    assert "Traceback" not in played.stderr
