"""A tag for every word (many-to-many): parts of speech, or named entities with --crf.

    python examples/tagger.py                                  made-up sentences, half a minute
    python examples/tagger.py --data FOLDER                    train.tsv, dev.tsv, plain or gzip
    python examples/tagger.py --data FOLDER --crf              entities: person, location, ...
    python examples/tagger.py --load MODEL --evaluate FILE     score other sentences
    python examples/tagger.py --load MODEL --say "they walk the dog ."

A line is a word, a tab and its tag; an empty line ends a sentence. A bidirectional LSTM reads each
word's letters, another the words (embedding and what the letters say, side by side). With --crf the
tags of a sentence are scored together: loss -log p(tags), found by Viterbi; else word by word.
Words and letters that the training text lacks are <unk>, a tag that it lacks is an error.
The figures: share of words tagged right; for tags that begin with B- and I- also entity F1, where
an entity counts if its span and its type are exactly right.
"""

from __future__ import annotations

import numpy as np

import tinygrad_seq as tg
from tinygrad_seq import data, nn, ops, train


class Tagger(nn.Module):
    """Scores of every word's tags: words (T, B), numbered by a data.Lexicon -> (T, B, K)."""

    def __init__(self, words, letters, tags, crf, embedding, hidden, dropout):
        self.words, self.letters = data.Vocabulary(words), data.Vocabulary(letters)
        self.tags = data.Vocabulary(tags, specials=())
        self.embedding = nn.Embedding(len(self.words), embedding)
        reader = nn.LSTM(32, 48, bidirectional=True)
        self.spelling = nn.Encoder(nn.Embedding(len(self.letters), 32), reader)
        self.dropout, self.word_dropout = nn.Dropout(dropout), dropout / 4
        self.recurrent = nn.LSTM(embedding + 96, hidden, bidirectional=True)
        self.output = nn.Linear(2 * hidden, len(tags))
        self.crf = nn.CRF(len(tags)) if crf else None

    def forward(self, words, lengths, lexicon):
        """Scores (T, B, K)."""
        letters, sizes, places = lexicon.spelt(words)
        known = lexicon.known[words]
        if self.training:  # sometimes only the letters tell what a word is
            hidden = tg.default_generator().numpy.random(words.shape) < self.word_dropout
            known = np.where(hidden, self.words.unk, known)
        _, (ends, _) = self.spelling(letters, sizes)
        spellings = ops.take_rows(ends, tg.tensor(places))
        x = ops.concat([self.embedding(tg.tensor(known)), spellings], axis=-1)
        h, _ = self.recurrent(self.dropout(x), lengths=lengths)
        return self.output(self.dropout(h))

    def loss(self, scores, tags, lengths):
        """Nats a word."""
        if self.crf:
            return self.crf(scores, np.maximum(tags, 0), lengths, "sum") / float(lengths.sum())
        return nn.sequence_cross_entropy(scores, tags)

    def tag(self, sentences):
        """The tags of sentences, each a list of words."""
        lexicon, found = data.Lexicon(sentences, self.words, self.letters), []
        with tg.no_grad():
            for words, lengths in data.PaddedBatches(lexicon.sentences, 64, shuffle=False):
                scores = self(words, lengths, lexicon)
                if self.crf:
                    found += self.crf.viterbi(scores, lengths)[0]
                else:
                    best = scores.to("numpy").numpy().argmax(axis=-1)
                    found += [best[:length, b] for b, length in enumerate(lengths)]
        return [[self.tags.tokens[i] for i in sentence] for sentence in found]


def batches_of(model, sentences, size):
    """Batches of words, lengths and tags, and the lexicon that the words are numbers of."""
    words = [sentence.words for sentence in sentences]
    lexicon = data.Lexicon(words, model.words, model.letters)
    tags = [model.tags.encode(sentence.tags) for sentence in sentences]
    return data.PaddedBatches(lexicon.sentences, size, targets=tags, bucket=16), lexicon


def score(title, model, sentences):
    """Share of words tagged right and, of entities, F1: the figure to raise."""
    model.eval()
    sentences = sorted(sentences, key=lambda sentence: len(sentence.words))
    right = [sentence.tags for sentence in sentences]
    said = model.tag([sentence.words for sentence in sentences])
    figure = train.metrics.accuracy(np.concatenate(said), np.concatenate(right))
    text = f"{title}: {figure:.2%} of {sum(map(len, right)):,} words right"
    if any(tag.startswith("B-") for tag in model.tags):
        figure = train.metrics.entity_f1(said, right).f1
        text += f", entity F1 {100 * figure:.2f}"
    print(text, flush=True)
    return figure


def make(options):
    """A model trained on the sentences of --data, and saved."""
    made = data.synthetic.tagged_sentences(np.random.default_rng(0), 1500)
    sentences, dev, files = made[300:], made[:300], ["train", "dev"]
    if options.data:
        files = [data.part_of(options.data, f"{part}.tsv") for part in files]
        sentences, dev = (data.read_tagged(file, options.longest) for file in files)
    words = [word for sentence in sentences for word in sentence.words]
    lower, first = map(str.lower, words), len(data.SPECIALS)
    build = data.Vocabulary.build
    settings = {
        "words": build(lower, min_count=options.min_count).tokens[first:],
        "letters": build(letter for word in words for letter in word).tokens[first:],
        "tags": sorted({tag for sentence in sentences for tag in sentence.tags}),
    }
    settings |= train.settings_of(options, "crf", "embedding", "hidden", "dropout")
    model = Tagger(**settings)
    print(f"{len(sentences):,} sentences, validation on {len(dev):,}", model, sep="\n")
    batches, lexicon = batches_of(model, sentences, options.batch)
    data.check_tags(files[1], dev, model.tags)
    score(f"{files[1]}, before training", model, dev)

    def loss(batch, _):
        words, lengths, tags = batch
        return model.loss(model(words, lengths, lexicon), tags, lengths), None

    train.fit(model, loss, batches, lambda: -score("validation", model, dev), options,
              weight_decay=0.01)  # fmt: skip
    score("validation, best", model, dev)
    train.save_model(train.model_path(options), model, settings)
    for sentence in dev[:3]:
        show(model, sentence.words)
    return model


def show(model, words):
    """Prints each word with the tag that the model gives it."""
    print(*map("/".join, zip(words, model.tag([words])[0], strict=True)))


def main():
    parser = train.program_parser(
        __doc__, "runs/tagger", epochs=(12, 2), embedding=100, hidden=128, dropout=0.5, batch=16,
        min_count=1, longest=500,
    )  # fmt: skip
    add = parser.add_argument
    add("--crf", action="store_true", help="score the tags of a sentence together")
    add("--say", help="words to tag, with spaces between")
    options = train.parse_options(parser, "say")
    if options.say is not None and not options.say.split():
        parser.error("--say: there is no word in it")
    model = train.load_model(options.load, Tagger) if options.load else make(options)
    if options.say:
        show(model, options.say.split())
    if options.evaluate:
        sentences = data.read_tagged(options.evaluate, options.longest)
        data.check_tags(options.evaluate, sentences, model.tags)
        score(options.evaluate, model, sentences)


if __name__ == "__main__":
    train.run_program(main)
