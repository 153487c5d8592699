"""Translation, sequence to sequence: an encoder reads, a decoder writes and looks where to read.

    python examples/translate.py                               numbers in words, half a minute
    python examples/translate.py --data FOLDER --save MODEL    train.tsv, val.tsv, plain or gzip
    python examples/translate.py --data FOLDER --no-attention  for comparison
    python examples/translate.py --load MODEL --evaluate FILE  score other pairs
    python examples/translate.py --load MODEL --say "Where are you going?"

A line is a sentence, a tab and its translation. Both are lower-cased and cut into words and marks;
an apostrophe ends a word (j' ai); words that are rare in the training text are <unk>, which stands
in a translation too where the model means a word that it does not know, and counts as a mistake. A
bidirectional LSTM reads; another writes from <sos> to <eos>, attending to what was read (Luong et
al. 2015). Loss: nats a token, under teacher forcing.
The figure: BLEU of the greedy translations, sacrebleu's 13a, lower-cased, every line against its
one reference; that of beam search beside it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import tinygrad_seq as tg
from tinygrad_seq import data, decode, nn, train


class Translator(nn.Module):
    """Logits of every next token of the reply, from the words before it and all of the source.

    source, target: as Tokenizer.to_dict gives them
    """

    def __init__(self, source, target, embedding, hidden, dropout, attention):
        self.source, self.target = map(data.Tokenizer.from_dict, (source, target))
        reader = nn.LSTM(embedding, hidden // 2, bidirectional=True)
        encoder = nn.Encoder(nn.Embedding(len(self.source), embedding), reader, dropout)
        look = nn.GeneralAttention(hidden, hidden, scale=hidden**-0.5) if attention else None
        words, writer = nn.Embedding(len(self.target), embedding), nn.LSTM(embedding, hidden)
        decoder = nn.Decoder(words, writer, len(self.target), look, dropout)
        self.model = nn.Seq2Seq(encoder, decoder)

    def loss(self, batch):
        """Cross-entropy of all tokens that follow <sos>, and how many they are."""
        return self.model.loss(*batch, self.target.vocabulary.pad)

    def write(self, texts, beam=1):
        """What the model makes of texts: greedily, or by beam search."""
        return decode.translate_texts(
            self.model, texts, self.source, self.target, beam=beam, max_length=40
        )


def batches_of(model, pairs, size):
    """Batches of sentences and their translations <sos> ... <eos>, with lengths, both padded."""
    return data.pair_batches(pairs, model.source, model.target, size, bucket=32)


def score(title, model, pairs, beam=1):
    """The translations, after printing their BLEU; <unk> is one word, and a wrong one."""
    written = model.write([a for a, _ in pairs], beam)
    judged = [text.replace("<unk>", "\N{DOUBLE QUESTION MARK}") for text in written]
    figure = train.metrics.bleu(judged, [b for _, b in pairs], lowercase=True)
    print(f"{title}: {f'beam {beam}' if beam > 1 else 'greedy'}, BLEU {figure:.2f}", flush=True)
    return written


def make(options):
    """A model trained on the pairs of --data, and saved."""
    made = data.synthetic.number_pairs(np.random.default_rng(0))
    pairs, held_out = made[100:], made[:100]
    if options.data:
        files = [data.part_of(options.data, f"{part}.tsv") for part in ("train", "val")]
        pairs, held_out = (data.read_pairs(f, data.words, options.longest) for f in files)
    settings = train.settings_of(options, "embedding", "hidden", "dropout", "attention")
    for side, texts in zip(("source", "target"), zip(*pairs, strict=True), strict=True):
        tokenizer = data.Tokenizer.build("elided words", texts, min_count=options.min_count)
        settings[side] = tokenizer.to_dict()
    model = Translator(**settings)
    print(f"{len(pairs):,} pairs, validation on {len(held_out):,}", model, sep="\n")

    def validate():
        loss = train.mean_loss(model, model.loss, batches_of(model, held_out, 128))
        perplexity = train.perplexity(loss)
        print(f"validation: {loss:.4f} nats a token, perplexity {perplexity:.2f}", flush=True)
        return loss

    train.fit(model, train.averaged(model.loss), batches_of(model, pairs, options.batch),
              validate, options, weight_decay=0.01)  # fmt: skip
    train.save_model(train.model_path(options), model, settings)
    score("validation", model, held_out, options.beam)
    written = score("validation", model, held_out)
    for (sentence, reference), found in list(zip(held_out, written, strict=True))[:5]:
        print(f"{sentence} -> {found}   ({reference})")
    if options.attention:
        draw(Path(options.folder) / "attention.png", model, held_out[0][0])
    return model


def draw(path, model, text):
    """A picture of where the decoder looked while it wrote: target down, source across."""
    source, written = model.source.cut(text), model.target.cut(model.write([text])[0])
    with tg.no_grad():
        state = model.model.start(model.source.encode(text)[:, None])
        ids = model.target.vocabulary.encode(written, sos=True)[:, None]
        weights = model.model.decoder(ids, state)[2].to("numpy").numpy()[:, 0]
    with train.picture(path, (5, 5)) as axes:
        axes.imshow(weights, cmap="gray_r", vmin=0, vmax=1)
        axes.set(xlabel="read", ylabel="written")
        axes.set_xticks(range(len(source)), source, rotation=60)
        axes.set_yticks(range(len(ids)), [*written, "<eos>"])


def main():
    sizes = {"embedding": 256, "hidden": 256, "dropout": 0.3, "batch": 64, "beam": 5}
    parser = train.program_parser(
        __doc__, "runs/translate", epochs=(6, 12), min_count=2, longest=200, **sizes
    )
    add = parser.add_argument
    add("--attention", action=argparse.BooleanOptionalAction, default=True,
        help="without it the state alone is passed on")  # fmt: skip
    add("--say", help="a sentence to translate")
    parser.set_defaults(lr=2e-3)
    options = train.parse_options(parser, "say", "beam")
    if options.say is not None and not data.words(options.say):
        parser.error("--say: there is no word in it")
    model = train.load_model(options.load, Translator) if options.load else make(options)
    if options.say:
        print(*model.write([options.say], options.beam))
    if options.evaluate:
        pairs = data.read_pairs(options.evaluate, data.words, options.longest)
        score(options.evaluate, model, pairs, options.beam)
        score(options.evaluate, model, pairs)


if __name__ == "__main__":
    train.run_program(main)
