"""A tag for every word (many-to-many): parts of speech, or named entities with --crf.

    python examples/tagger.py                                  made-up sentences, half a minute
    python examples/tagger.py --data FOLDER                    train.tsv, dev.tsv, plain or gzip
    python examples/tagger.py --data FOLDER --crf              entities: person, location, ...
    python examples/tagger.py --load MODEL --evaluate FILE     score other sentences
    python examples/tagger.py --load MODEL --say "they walk the dog ."

A line is a word, a tab and its tag; an empty line ends a sentence. A bidirectional LSTM reads each
word's letters, another the words (embedding and what the letters say, side by side). With --crf the
tags of a sentence are scored together: loss -log p(tags), found by Viterbi; else word by word.
The figures: share of words tagged right; for tags that begin with B- and I- also entity F1, where
an entity counts if its span and its type are exactly right.
"""

from __future__ import annotations

import random

import numpy as np

import tinygrad_seq as tg
from tinygrad_seq import data, nn, ops
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


class Tagger(nn.Module):
    """Scores of every word's tags: words (T, B) as numbers of `lexicon` -> (T, B, K)."""

    def __init__(self, words, letters, tags, crf, embedding, hidden, dropout):
        self.words, self.letters = data.Vocabulary(words), data.Vocabulary(letters)
        self.tags = data.Vocabulary(tags, specials=())
        self.embedding = nn.Embedding(len(self.words), embedding)
        self.letter_embedding = nn.Embedding(len(self.letters), 32)
        self.spelling = nn.LSTM(32, 48, bidirectional=True)
        self.dropout, self.word_dropout = nn.Dropout(dropout), dropout / 4
        self.recurrent = nn.LSTM(embedding + 96, hidden, bidirectional=True)
        self.output = nn.Linear(2 * hidden, len(tags))
        self.crf = nn.CRF(len(tags)) if crf else None

    def forward(self, words, lengths, lexicon):
        """Scores (T, B, K)."""
        present, places = np.unique(words, return_inverse=True)
        known = lexicon.known[words]
        if self.training:  # sometimes only the letters tell what a word is
            hidden = tg.default_generator().numpy.random(words.shape) < self.word_dropout
            known = np.where(hidden, self.words.unk, known)
        spelt, sizes = data.pad_sequences([lexicon.spelt[word] for word in present])
        _, (ends, _) = self.spelling(self.letter_embedding(tg.tensor(spelt)), lengths=sizes)
        ends = ops.concat([ends[0], ends[1]], axis=-1)  # (different words, 96)
        spellings = ops.take_rows(ends, tg.tensor(places.reshape(words.shape)))
        x = ops.concat([self.embedding(tg.tensor(known)), spellings], axis=-1)
        h, _ = self.recurrent(self.dropout(x), lengths=lengths)
        return self.output(self.dropout(h))

    def loss(self, scores, tags, lengths):
        """Nats a word."""
        if self.crf:
            return self.crf(scores, np.maximum(tags, 0), lengths, "sum") / float(lengths.sum())
        flat = scores.reshape(-1, scores.shape[-1])
        return ops.cross_entropy(flat, tg.tensor(tags.reshape(-1)))

    def found(self, scores, lengths):
        """The tags of every sentence, as words."""
        if self.crf:
            numbers = self.crf.viterbi(scores, lengths)[0]
        else:
            best = scores.to("numpy").numpy().argmax(axis=-1)
            numbers = [best[:n, b] for b, n in enumerate(lengths)]
        return [[self.tags.tokens[i] for i in sentence] for sentence in numbers]


class Lexicon:
    """Every different word of some sentences: its number, its index in the model, its letters."""

    def __init__(self, model, sentences):
        self.number = {}
        for words, _ in sentences:
            for word in words:
                self.number.setdefault(word, len(self.number))
        self.known = model.words.encode([word.lower() for word in self.number])
        self.spelt = [model.letters.encode(list(word)) for word in self.number]

    def encode(self, words):
        """Numbers (T,) of a sentence's words."""
        return np.array([self.number[word] for word in words])


def read_sentences(path):
    """(words, tags) of every sentence; the tag is the second column."""
    sentences, words, tags = [], [], []
    for number, line in enumerate([*data.read_text(path).split("\n"), ""], start=1):
        columns = line.split("\t")
        if len(columns) > 1 and columns[0] and columns[1]:
            words.append(columns[0])
            tags.append(columns[1])
        elif line.strip():
            raise ValueError(f"{path}, line {number}: expected a word, a tab and a tag")
        elif words:
            sentences.append((words, tags))
            words, tags = [], []
    if not sentences:
        raise ValueError(f"{path}: no sentences in it")
    return sentences


def made_up_sentences(number=1500):
    """Sentences in which many words are a noun after "the" and a verb after "they"."""
    choose = random.Random(0).choice
    both = ["walk", "talk", "run", "play", "fight", "dream", "work", "cook"]
    nouns, sentences = [*both, "cat", "dog", "tree", "river"], []
    for _ in range(number):
        pairs = (
            [("they", "PRON")]
            if choose([True, False])
            else [("the", "DET"), (choose(nouns), "NOUN")]
        )
        pairs += [("can", "AUX")] * choose([0, 1]) + [(choose(both), "VERB")]
        pairs += [("the", "DET"), (choose(nouns), "NOUN"), (".", "PUNCT")]
        sentences.append(tuple(map(list, zip(*pairs, strict=True))))
    return sentences


def batches_of(model, sentences, size, source, shuffle=True):
    """Batches of words, lengths and tags, and the lexicon that the words are numbers of."""
    lexicon = Lexicon(model, sentences)
    for number, (_, tags) in enumerate(sentences, start=1):
        for tag in tags:
            if tag not in model.tags:
                raise ValueError(f"{source}, sentence {number}: the model has no tag {tag!r}")
    words = [lexicon.encode(words) for words, _ in sentences]
    tags = [model.tags.encode(tags) for _, tags in sentences]
    return data.PaddedBatches(words, size, targets=tags, shuffle=shuffle, bucket=16), lexicon


def score(title, model, sentences):
    """Share of words tagged right and, of entities, F1: the figure to raise."""
    model.eval()
    batches, lexicon = batches_of(model, sentences, 64, title, shuffle=False)
    said, order = [], []
    with tg.no_grad():
        for words, lengths, tags in batches:
            said += model.found(model(words, lengths, lexicon), lengths)
            order += [[model.tags.tokens[i] for i in tags[:n, b]] for b, n in enumerate(lengths)]
    pairs = [(a, b) for x, y in zip(order, said, strict=True) for a, b in zip(x, y, strict=True)]
    figure = sum(a == b for a, b in pairs) / len(pairs)
    text = f"{title}: {figure:.2%} of {len(pairs):,} words right"
    if any(tag.startswith("B-") for tag in model.tags):
        figure = metrics.entity_f1(said, order).f1
        text += f", entity F1 {100 * figure:.2f}"
    print(text, flush=True)
    return figure


def make(options):
    """A model trained on the sentences of --data, and saved."""
    if options.data:
        files = (data.part_of(options.data, name) for name in ("train.tsv", "dev.tsv"))
        train, dev = map(read_sentences, files)
    else:
        made = made_up_sentences()
        train, dev = made[300:], made[:300]
    tokens = (word.lower() for words, _ in train for word in words)
    letters = (letter for words, _ in train for word in words for letter in word)
    settings = {
        "words": data.Vocabulary.build(tokens, min_count=options.min_count, specials=()).tokens,
        "letters": data.Vocabulary.build(letters, specials=()).tokens,
        "tags": sorted({tag for _, tags in train for tag in tags}),
    }
    settings |= {n: getattr(options, n) for n in ("crf", "embedding", "hidden", "dropout")}
    model = Tagger(**settings)
    print(f"{len(train):,} sentences, validation on {len(dev):,}", model, sep="\n")
    batches, lexicon = batches_of(model, train, options.batch, "train")

    def loss(batch, _):
        words, lengths, tags = batch
        return model.loss(model(words, lengths, lexicon), tags, lengths), None

    fit(model, loss, batches, lambda: -score("validation", model, dev), options,
        weight_decay=0.01)  # fmt: skip
    score("validation, best", model, dev)
    save_model(model_path(options), model, settings)
    return model


def main():
    parser = program_parser(__doc__, "runs/tagger")
    add = parser.add_argument
    add("--crf", action="store_true", help="score the tags of a sentence together")
    add("--min-count", type=positive, default=1, help="rarer words are unknown (default: 1)")
    add("--embedding", type=positive, default=100, help="width (default: 100)")
    add("--hidden", type=positive, default=128, help="width of h, each way (default: 128)")
    add("--dropout", type=probability, default=0.5, help="(default: 0.5)")
    add("--batch", type=positive, default=16, help="sentences a batch (default: 16)")
    add("--say", help="words to tag, with spaces between")
    options = parse_options(parser)
    options.epochs = options.epochs or (8 if options.data else 2)
    model = load_model(options.load, Tagger) if options.load else make(options)
    if options.say:
        words = options.say.split()
        lexicon, lengths = Lexicon(model, [(words, [])]), np.array([len(words)])
        scores = model(lexicon.encode(words)[:, None], lengths, lexicon).detach()
        print(*map("/".join, zip(words, model.found(scores, lengths)[0], strict=True)))
    if options.evaluate:
        score(options.evaluate, model, read_sentences(options.evaluate))


if __name__ == "__main__":
    run_program(main)
