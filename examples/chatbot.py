"""A chatbot, sequence to sequence: an encoder reads what is said, a decoder replies.

    python examples/chatbot.py                                 made-up questions, half a minute
    python examples/chatbot.py --data FOLDER --save MODEL      train.tsv, val.tsv
    python examples/chatbot.py --load MODEL --talk             talks in the terminal
    python examples/chatbot.py --load MODEL --evaluate FILE    score other dialogues

The last two columns of a line, with tabs between, are what is said and the reply. Where lines begin
with a dialogue's number and a service, the turns before in the same dialogue are read too. A
bidirectional LSTM reads; another writes from <sos> to <eos>, attending to what was read (Luong et
al. 2015). Loss: nats a token, under teacher forcing.
The figure: perplexity, exp of the mean nats a token of the replies, <eos> counted, over the words
that stand at least three times in train; all others are <unk>, and count as that.
"""

from __future__ import annotations

import argparse
import random

from tinygrad_seq import data, decode, nn, train


class Chatbot(nn.Module):
    """Logits of every next token of the reply, from the words before it and what was said.

    source, target: as Tokenizer.to_dict gives them, the same words for both
    """

    def __init__(self, source, target, embedding, hidden, dropout, attention):
        self.source, self.target = map(data.Tokenizer.from_dict, (source, target))
        reader = nn.LSTM(embedding, hidden // 2, bidirectional=True)
        encoder = nn.Encoder(nn.Embedding(len(self.source), embedding), reader, dropout)
        look = nn.GeneralAttention(hidden, hidden, scale=hidden**-0.5) if attention else None
        words, writer = nn.Embedding(len(self.target), embedding), nn.LSTM(embedding, hidden)
        self.model = nn.Seq2Seq(encoder, nn.Decoder(words, writer, len(self.target), look, dropout))

    def loss(self, batch):
        """Cross-entropy of all tokens that follow <sos>, and how many they are."""
        return self.model.loss(*batch, self.target.vocabulary.pad)

    def reply(self, said, beam=1):
        """What the model replies: greedily, or by beam search."""
        both = self.source, self.target
        return decode.translate_texts(self.model, [said], *both, beam=beam, max_length=40)[0]


def made_up_dialogues(number=1000):
    """Questions about colours and sizes of things, which the replies have to repeat."""
    choose, pairs = random.Random(0).choice, []
    for _ in range(number):
        thing, colour = (
            choose(["car", "house", "cat", "hat", "bag"]),
            choose(["red", "blue", "green"]),
        )
        said, reply = f"my {thing} is {colour}. what do you say?", f"a {colour} {thing}, how nice!"
        pairs.append((said, reply))
    return pairs


def talk(model, turns, beam):
    """A conversation, until an empty line."""
    said = []
    print("(an empty line ends it)")
    while True:
        try:
            line = input("> ").strip()
        except EOFError:
            return
        if not line:
            return
        said.append(line)
        said.append(model.reply(" / ".join(said[-1 - turns :]), beam))
        print(said[-1])


def batches_of(model, pairs, size):
    """Batches of what was said and of replies <sos> ... <eos>, with lengths, both padded."""
    return data.pair_batches(pairs, model.source, model.target, size, bucket=32)


def nats(model, pairs):
    """Nats a reply token."""
    return train.mean_loss(model, model.loss, batches_of(model, pairs, 128))


def make(options):
    """A model trained on the dialogues of --data, and saved."""
    made = made_up_dialogues()
    pairs, held_out = made[200:], made[:200]
    alone = pairs
    if options.data:
        files = [data.part_of(options.data, name) for name in ("train.tsv", "val.tsv")]
        how = data.words, options.longest
        pairs, held_out = (data.read_dialogues(file, options.turns, *how) for file in files)
        alone = data.read_dialogues(files[0], 0, *how)
    texts = [text for pair in alone for text in pair]  # one vocabulary for both sides
    tokenizer = data.Tokenizer.build("words", texts, min_count=options.min_count).to_dict()
    settings = train.settings_of(options, "embedding", "hidden", "dropout", "attention")
    settings |= {"source": tokenizer, "target": tokenizer}
    model = Chatbot(**settings)
    print(f"{len(pairs):,} pairs, validation on {len(held_out):,}", model, sep="\n")

    def validate():
        loss = nats(model, held_out)
        perplexity = train.perplexity(loss)
        print(f"validation: {loss:.4f} nats a reply token, perplexity {perplexity:.2f}", flush=True)
        return loss

    train.fit(model, train.averaged(model.loss), batches_of(model, pairs, options.batch),
              validate, options, weight_decay=0.01)  # fmt: skip
    train.save_model(train.model_path(options), model, settings)
    print(f"validation, best: perplexity {train.perplexity(nats(model, held_out)):.3f}")
    for said, reply in held_out[:3]:
        print(f"> {said}\n{model.reply(said)}   ({reply})")
    return model


def main():
    sizes = {"embedding": 256, "hidden": 256, "dropout": 0.4, "batch": 64, "beam": 5}
    parser = train.program_parser(
        __doc__, "runs/chatbot", epochs=(10, 2), min_count=3, longest=200, **sizes
    )
    add = parser.add_argument
    add("--attention", action=argparse.BooleanOptionalAction, default=True,
        help="without it the state alone is passed on")  # fmt: skip
    add("--turns", type=train.count, default=2, help="earlier turns that are read too (default: 2)")
    add("--talk", action="store_true", help="talk with the model")
    parser.set_defaults(lr=2e-3)
    options = train.parse_options(parser, "talk", "beam")
    model = train.load_model(options.load, Chatbot) if options.load else make(options)
    if options.talk:
        talk(model, options.turns, options.beam)
    if options.evaluate:
        pairs = data.read_dialogues(options.evaluate, options.turns, data.words, options.longest)
        print(f"{options.evaluate}: perplexity {train.perplexity(nats(model, pairs)):.3f}")


if __name__ == "__main__":
    train.run_program(main)
