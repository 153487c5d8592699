"""Translation, sequence to sequence: an encoder reads, a decoder writes and looks where to read.

    python examples/translate.py                               numbers in words, half a minute
    python examples/translate.py --data FOLDER --save MODEL    train.tsv, val.tsv
    python examples/translate.py --data FOLDER --no-attention  for comparison
    python examples/translate.py --load MODEL --evaluate FILE  score other pairs
    python examples/translate.py --load MODEL --say "Where are you going?"

A line is a sentence, a tab and its translation. Both are lower-cased and cut into words and marks;
an apostrophe ends a word (j' ai). A bidirectional LSTM reads; another writes from <sos> to <eos>,
attending to what was read (Luong et al. 2015). Loss: nats a token, under teacher forcing.
The figure: BLEU of the greedy translations, sacrebleu's 13a, lower-cased, every line against its
one reference; then that of beam search.
"""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np

import tinygrad_seq as tg
from tinygrad_seq import data, nn, ops
from tinygrad_seq.decode import beam_search, generate
from tinygrad_seq.train import (
    fit,
    load_model,
    metrics,
    model_path,
    parse_options,
    positive,
    probability,
    program_parser,
    run_program,
    save_model,
)


class Translator(nn.Module):
    """Logits of every next token of the reply, from the words before it and all of the source."""

    def __init__(self, source, target, embedding, hidden, dropout, attention, apostrophes):
        self.apostrophes = apostrophes
        self.source, self.target = data.Vocabulary(source), data.Vocabulary(target)
        reader = nn.LSTM(embedding, hidden // 2, bidirectional=True)
        encoder = nn.Encoder(nn.Embedding(len(self.source), embedding), reader, dropout)
        look = nn.GeneralAttention(hidden, hidden) if attention else None
        words, writer = nn.Embedding(len(self.target), embedding), nn.LSTM(embedding, hidden)
        decoder = nn.Decoder(words, writer, len(self.target), look, dropout)
        self.model = nn.Seq2Seq(encoder, decoder)

    def forward(self, source, lengths, inputs):
        """Logits (S, B, V) after inputs (S, B), which begin with <sos>."""
        return self.model(tg.tensor(source), tg.tensor(inputs), lengths)

    def write(self, sentences, beam=1, size=128):
        """What the model makes of sentences, token lists: greedily, or by beam search."""
        written = []
        with tg.no_grad():
            for start in range(0, len(sentences), size):
                ids = [self.source.encode(tokens) for tokens in sentences[start : start + size]]
                padded, lengths = data.pad_sequences(ids)
                state = self.model.start(tg.tensor(padded), lengths)
                prompt, eos = np.full((1, len(ids)), self.target.sos), self.target.eos
                if beam > 1:
                    found = beam_search(
                        self.model.step, state, prompt, beam=beam, eos=eos, max_length=40
                    )
                    written += [hypotheses[0].tokens for hypotheses in found]
                else:
                    written += generate(self.model.step, state, prompt, eos=eos, max_length=40)
        return [self.join(self.target.decode(tokens)) for tokens in written]

    def cut(self, text):
        """Tokens of a sentence."""
        return tokens_of(text, self.apostrophes)

    def join(self, tokens):
        """A sentence of tokens."""
        text = data.join_words(tokens)
        return text.replace("' ", "'") if self.apostrophes else text


def tokens_of(text, apostrophes=True):
    """Words and marks of a sentence, lower-cased; an apostrophe ends a word, if that is wanted."""
    words = data.words(text.lower().replace("\u2019", "'"))
    if not apostrophes:
        return words
    found = []
    for token in words:
        *heads, last = token.split("'")
        found += [head + "'" for head in heads] + ([last] if last else [])
    return found


def read_pairs(path):
    """(source, target) of every line; the last two columns."""
    pairs = []
    for number, line in enumerate(data.read_text(path).splitlines(), start=1):
        columns = line.split("\t")
        if len(columns) < 2 or not tokens_of(columns[-2]) or not tokens_of(columns[-1]):
            raise ValueError(f"{path}, line {number}: expected a sentence, a tab and another")
        pairs.append(tuple(columns[-2:]))
    if not pairs:
        raise ValueError(f"{path}: no pairs in it")
    return pairs


def made_up_pairs():
    """Numbers in English and in German, which says the ones before the tens."""
    english = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    german = ["ein", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun"]
    tens = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
    zehner = [
        "zwanzig",
        "dreißig",
        "vierzig",
        "fünfzig",
        "sechzig",
        "siebzig",
        "achtzig",
        "neunzig",
    ]
    pairs = [
        (f"{h} hundred and {t} {o}", f"{H} hundert {n} und {T}")
        for h, H in zip(english, german, strict=True)
        for t, T in zip(tens, zehner, strict=True)
        for o, n in zip(english, german, strict=True)
    ]
    random.Random(0).shuffle(pairs)
    return pairs


def batches_of(model, pairs, size):
    """Batches of sources, their lengths, targets <sos> ... <eos>, and theirs; padding is 0."""
    sources = [model.source.encode(model.cut(a)) for a, _ in pairs]
    targets = [model.target.encode(model.cut(b), sos=True, eos=True) for _, b in pairs]
    return data.PaddedBatches(sources, size, outputs=targets, target_pad=0, bucket=32)


def total_loss(model, batch, reduction):
    """Cross-entropy of the tokens that are there, and how many there are."""
    source, lengths, targets, sizes = batch
    logits = model(source, lengths, targets[:-1])
    wanted = tg.tensor(targets[1:].reshape(-1))
    flat = logits.reshape(-1, logits.shape[-1])
    loss = ops.cross_entropy(flat, wanted, ignore_index=model.target.pad, reduction=reduction)
    return loss, int((sizes - 1).sum())


def nats(model, pairs):
    """Nats a target token, <eos> included."""
    with tg.no_grad():
        parts = [total_loss(model, batch, "sum") for batch in batches_of(model, pairs, 128)]
    return sum(loss.item() for loss, _ in parts) / sum(count for _, count in parts)


def score(title, model, pairs, beam=1):
    """BLEU, and some translations."""
    model.eval()
    written = model.write([model.cut(a) for a, _ in pairs], beam)
    figure = metrics.bleu(written, [b for _, b in pairs], lowercase=True)
    print(
        f"{title}: {'beam ' + str(beam) if beam > 1 else 'greedy'}, BLEU {figure:.2f}", flush=True
    )
    return written


def train(pairs, held_out, options, texts, apostrophes, title="nats a token"):
    """A model trained on the pairs, and saved; texts: what each side's words are counted in."""
    settings = {n: getattr(options, n) for n in ("embedding", "hidden", "dropout", "attention")}
    settings["apostrophes"] = apostrophes
    for side, counted in zip(("source", "target"), texts, strict=True):
        tokens = (token for text in counted for token in tokens_of(text, apostrophes))
        built = data.Vocabulary.build(tokens, min_count=options.min_count, specials=())
        settings[side] = built.tokens
    model = Translator(**settings)
    print(f"{len(pairs):,} pairs, validation on {len(held_out):,}", model, sep="\n")

    def validate():
        loss = nats(model, held_out)
        print(f"validation: {loss:.4f} {title}, perplexity {np.exp(loss):.2f}", flush=True)
        return loss

    def loss(batch, _):
        return total_loss(model, batch, "mean")[0], None

    fit(model, loss, batches_of(model, pairs, options.batch), validate, options, weight_decay=0.01)
    save_model(model_path(options), model, settings)
    return model


def draw(path, model, sentence):
    """A picture of where the decoder looked while it wrote: target down, source across."""
    from matplotlib.figure import Figure

    source = model.cut(sentence)
    written = model.cut(model.write([source])[0])
    ids = model.target.encode(written, sos=True)[:, None]
    with tg.no_grad():
        state = model.model.start(tg.tensor(model.source.encode(source)[:, None]))
        weights = model.model.decoder(tg.tensor(ids), state)[2].to("numpy").numpy()[:, 0]
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    axes.imshow(weights, cmap="gray_r", vmin=0, vmax=1)
    axes.set_xticks(range(len(source)), source, rotation=60)
    axes.set_yticks(range(len(ids)), [*written, "<eos>"])
    figure.savefig(path)
    print(f"attention: {path}")


def add_options(parser):
    """The options of sequence-to-sequence programs."""
    add = parser.add_argument
    add(
        "--no-attention",
        dest="attention",
        action="store_false",
        help="the state alone is passed on",
    )
    add("--min-count", type=positive, default=2, help="rarer words are unknown (default: 2)")
    add("--embedding", type=positive, default=256, help="width (default: 256)")
    add("--hidden", type=positive, default=256, help="width of h (default: 256)")
    add("--dropout", type=probability, default=0.3, help="(default: 0.3)")
    add("--batch", type=positive, default=64, help="pairs a batch (default: 64)")
    add("--beam", type=positive, default=5, help="of beam search (default: 5)")
    parser.set_defaults(lr=2e-3)


def main():
    parser = program_parser(__doc__, "runs/translate")
    add_options(parser)
    parser.add_argument("--say", help="a sentence to translate")
    options = parse_options(parser)
    options.epochs = options.epochs or 8
    if options.load:
        model = load_model(options.load, Translator)
    else:
        made = made_up_pairs()
        pairs, held_out = made[100:], made[:100]
        if options.data:
            files = (data.part_of(options.data, name) for name in ("train.tsv", "val.tsv"))
            pairs, held_out = map(read_pairs, files)
        model = train(pairs, held_out, options, zip(*pairs, strict=True), apostrophes=True)
        written = score("validation", model, held_out)
        score("validation", model, held_out, options.beam)
        for (sentence, reference), found in list(zip(held_out, written, strict=True))[:5]:
            print(f"{sentence} -> {found}   ({reference})")
        if options.attention:
            draw(Path(options.folder) / "attention.png", model, held_out[0][0])
    if options.say:
        print(*model.write([model.cut(options.say)], options.beam))
    if options.evaluate:
        pairs = read_pairs(options.evaluate)
        score(options.evaluate, model, pairs, options.beam)
        score(options.evaluate, model, pairs)


if __name__ == "__main__":
    run_program(main)
