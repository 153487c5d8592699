"""Translating many sources: the same as one by one, in the order given."""

import numpy as np
import pytest

import tinygrad_seq as tg
from tinygrad_seq import nn
from tinygrad_seq.data import Tokenizer, Vocabulary
from tinygrad_seq.decode import beam_search, generate, translate, translate_texts

SOURCES = [np.array(ids) for ids in ([4, 5, 6], [7], [5, 5], [4, 5, 6, 7, 8], [8, 4], [6, 7, 4])]
SOS, EOS = 2, 3


@pytest.fixture
def model():
    tg.manual_seed(3)
    encoder = nn.Encoder(nn.Embedding(9, 6), nn.LSTM(6, 4, bidirectional=True))
    attention = nn.GeneralAttention(8, 8)
    decoder = nn.Decoder(nn.Embedding(9, 6), nn.LSTM(6, 8), 9, attention)
    model = nn.Seq2Seq(encoder, decoder).eval()
    model.load_state_dict({name: 3 * array for name, array in model.state_dict().items()})
    return model


@pytest.mark.parametrize("batch_size", [1, 4, 100])
@pytest.mark.parametrize("beam", [1, 3])
def test_together_is_one_by_one(beam, batch_size, model):
    options = {"eos": EOS, "max_length": 7}
    alone = []
    for source in SOURCES:
        state, prompt = model.start(source[:, None], [len(source)]), np.array([[SOS]])
        if beam == 1:
            alone += generate(model.step, state, prompt, **options)
        else:
            alone.append(beam_search(model.step, state, prompt, beam=3, **options)[0][0].tokens)
    assert len({tuple(tokens) for tokens in alone}) > 2
    found = translate(model, SOURCES, sos=SOS, beam=beam, batch_size=batch_size, **options)
    assert found == alone


def test_nothing_to_translate(model):
    assert translate(model, [], sos=SOS, eos=EOS) == []


@pytest.mark.parametrize("wrong", [{"beam": 0}, {"batch_size": 0}])
def test_bad_translations(wrong, model):
    with pytest.raises(ValueError, match=r"translate: beam is .*, expected 1 or more"):
        translate(model, SOURCES, sos=SOS, eos=EOS, **wrong)


def test_nothing_can_be_written(model):
    state = model.state_dict()
    state["decoder.output.bias"] = np.full_like(state["decoder.output.bias"], -np.inf)
    model.load_state_dict(state)
    with pytest.raises(FloatingPointError, match="every token has a logit of -inf"):
        translate(model, SOURCES, sos=SOS, eos=EOS, beam=2)


def test_texts_to_texts(model):
    words = ["a", "b", "c", "d", "e"]
    tokenizer = Tokenizer("words", Vocabulary(words))
    texts = ["A b c", "d", "b b"]
    ids = [np.array([4, 5, 6]), np.array([7]), np.array([5, 5])]
    options = {"beam": 2, "max_length": 7}
    written = translate(model, ids, sos=SOS, eos=EOS, **options)
    assert len({tuple(tokens) for tokens in written}) > 1
    found = translate_texts(model, texts, tokenizer, tokenizer, **options)
    assert found == [" ".join(tokenizer.vocabulary.tokens[i] for i in ids) for ids in written]
    plain = Tokenizer("words", Vocabulary(words, specials=("<sos>",)))
    with pytest.raises(ValueError, match="target has no <sos> or no <eos> among its specials"):
        translate_texts(model, texts, tokenizer, plain)
