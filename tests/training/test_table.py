import pytest

from training.table import FOOTNOTE, heading, lines, print_table

COLUMNS = {"network": "{}", "ms": "{:.2f}", "parameters": "{:,}"}
ROWS = [{"network": "lstm", "ms": 0.031, "parameters": 1234567, "unseen": 1}, {"network": "gru", "ms": 12.0}]


def test_words_are_on_the_left_and_figures_on_the_right() -> None:
    assert lines(COLUMNS, ROWS) == [
        "network     ms  parameters",
        "lstm      0.03   1,234,567",
        "gru      12.00           -",
    ]


def test_as_markdown() -> None:
    assert lines(COLUMNS, ROWS, markdown=True) == [
        "| network | ms | parameters |",
        "| --- | --: | --: |",
        "| lstm | 0.03 | 1,234,567 |",
        "| gru | 12.00 | - |",
    ]
    assert heading({"a": "1", "b": "2"}, markdown=True) == ["a 1; b 2."]
    assert heading({"a": "1", "b": "2"}) == ["a: 1", "b: 2"]


def test_no_models_no_table(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([])
    assert not capsys.readouterr().out


@pytest.mark.parametrize("counted", [["chord 6-gram"], ["chord 6-gram", "event 6-gram"]])
def test_what_is_not_alike_is_said_below(counted: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    print_table([{"model": "bach", "nats/note": 4, **dict.fromkeys(counted, 8)}])
    assert capsys.readouterr().out.endswith(f"{FOOTNOTE}\n") is (len(counted) == 2)
