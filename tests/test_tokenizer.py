import pytest
from neuralmidi.errors import NeuralMIDIError
from neuralmidi.tokenizer import SPECIALS, START, TOKENIZERS, drum_vocabulary, poly_vocabulary, tokenizer_from

VOCABULARIES = {
    "chords": (*SPECIALS, "60", "60,64"),
    "poly": poly_vocabulary(4, ["4/4", "3/4"]),
    "drums": drum_vocabulary([0, 1, 5]),
}


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_tokenizers_are_found_by_kind(kind: str) -> None:
    tokenizer = tokenizer_from(kind, VOCABULARIES[kind], 6)
    assert (tokenizer.kind, tokenizer.vocabulary, tokenizer.steps_per_beat) == (kind, VOCABULARIES[kind], 6)
    assert tokenizer.beginning == (tokenizer.start,)
    assert tokenizer.vocabulary[tokenizer.start] == START
    assert set(tokenizer.beginning) <= set(tokenizer.unmusical)


def test_an_unknown_kind_is_answered_with_the_known_ones() -> None:
    with pytest.raises(
        NeuralMIDIError, match=r"tokenizer 'waves': unknown; this version has: chords, poly, drums"
    ):
        tokenizer_from("waves", SPECIALS)


def test_more_than_the_start_may_stand_before_the_music() -> None:
    tokenizer = tokenizer_from("poly", VOCABULARIES["poly"], 4, (START, "bar 3/4"))
    assert [tokenizer.vocabulary[token] for token in tokenizer.beginning] == [START, "bar 3/4"]


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize(
    ("beginning", "why"),
    [
        ((), "does not begin with <start>"),
        (START, "does not begin with <start>"),
        ((START, "bar 5/4"), "'bar 5/4' of the beginning is not in it"),
        ((START, 7), "'7' of the beginning is not in it"),
    ],
)
def test_a_malformed_beginning_is_refused(kind: str, beginning: tuple[str, ...], why: str) -> None:
    with pytest.raises(NeuralMIDIError, match=why):
        tokenizer_from(kind, VOCABULARIES[kind], 4, beginning)
