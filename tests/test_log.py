import errno
import io

from neuralmidi.log import LONGEST, Log


class Broken(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


class Full(io.StringIO):
    """Refuses the first line."""

    refused = False

    def write(self, text: str) -> int:
        if not self.refused:
            self.refused = True
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(text)


def test_one_line_of_a_kind_in_a_second_and_how_many_there_were() -> None:
    out = io.StringIO()
    log = Log(out)
    for now in range(0, 1000, 10):
        log.repeat(now, "tempo", f"tempo {now}")
    log.repeat(500, "seed", "seed")
    log.catch_up(900)
    log.catch_up(1000)
    log.repeat(1100, "tempo", "too early")
    log.catch_up(2000)
    log.catch_up(4000)
    log.repeat(4001, "tempo", "again")
    log.close()
    assert out.getvalue().splitlines() == ["tempo 0", "seed", "tempo 990 (99 times)", "too early", "again"]


def test_it_goes_on_when_a_full_disk_has_room_again() -> None:
    out = Full()
    log = Log(out)
    log.say("lost")
    log.say("last")
    log.close(5)
    assert out.getvalue() == "last\n"


def test_a_line_is_one_line_and_moves_no_cursor() -> None:
    out = io.StringIO()
    log = Log(out)
    log.say("\x1b[2J\nüber" + "x" * 1000)
    log.close()
    assert out.getvalue().startswith("?[2J?überx")
    assert len(out.getvalue()) == LONGEST + 1


def test_it_does_not_matter_if_nobody_reads() -> None:
    log = Log(Broken())
    log.say("a")
    log.say("b")
    log.close(5)
    assert not log._thread.is_alive()
