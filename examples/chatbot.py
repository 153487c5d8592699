"""A chatbot, sequence to sequence: an encoder reads what is said, a decoder replies.

    python examples/chatbot.py                                 made-up questions, half a minute
    python examples/chatbot.py --data FOLDER --save MODEL      train.tsv, val.tsv
    python examples/chatbot.py --load MODEL --talk             talks in the terminal
    python examples/chatbot.py --load MODEL --evaluate FILE    score other dialogues

The last two columns of a line, with tabs between, are what is said and the reply. Where lines begin
with a dialogue's number and a service, the turns before in the same dialogue are read too: the
model is that of translate.py. Loss: nats a token, under teacher forcing.
The figure: perplexity, exp of the mean nats a token of the replies, <eos> counted, over the words
that stand at least three times in train; all others are <unk>, and count as that.
"""

from __future__ import annotations

import random

from translate import Translator, make, nats, parser_of

from tinygrad_seq import data, train


class Chatbot(Translator):
    """The translator, from what was said to the reply."""


def read_dialogues(path, turns, longest):
    """(what was said, reply) of every line, after up to `turns` earlier turns of its dialogue."""
    pairs, before, dialogue = [], [], None
    for number, columns in data.read_columns(path):
        if len(columns) < 2 or not data.words(columns[-2]) or not data.words(columns[-1]):
            raise ValueError(f"{path}, line {number}: expected what is said, a tab and the reply")
        count = max(len(data.words(column)) for column in columns[-2:])
        if count > longest:
            turn = f"a turn of {count} words, expected at most {longest}"
            raise ValueError(f"{path}, line {number}: {turn}")
        if len(columns) < 4 or columns[0] != dialogue:  # without a number each line stands alone
            before, dialogue = [], columns[0]
        said = [*before, columns[-2]]
        pairs.append((" / ".join(said[-1 - turns :]), columns[-1]))
        before = [*said, columns[-1]]
    if not pairs:
        raise ValueError(f"{path}: no dialogues in it")
    return pairs


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
        said += model.write([" / ".join(said[-1 - turns :])], beam)
        print(said[-1])


def main():
    parser = parser_of(__doc__, "runs/chatbot", epochs=(10, 2), min_count=3, dropout=0.4)
    add = parser.add_argument
    add("--turns", type=train.count, default=2, help="earlier turns that are read too (default: 2)")
    add("--talk", action="store_true", help="talk with the model")
    options = train.parse_options(parser, "talk", "beam")
    if options.load:
        model = train.load_model(options.load, Chatbot)
    else:
        made = made_up_dialogues()
        pairs, held_out = made[200:], made[:200]
        alone = pairs
        if options.data:
            files = [data.part_of(options.data, name) for name in ("train.tsv", "val.tsv")]
            pairs, held_out = (
                read_dialogues(file, options.turns, options.longest) for file in files
            )
            alone = read_dialogues(files[0], 0, options.longest)
        texts = [text for pair in alone for text in pair]  # one vocabulary for both sides
        model = make(Chatbot, pairs, held_out, options, (texts, texts), "words", "reply token")
        print(f"validation, best: perplexity {train.perplexity(nats(model, held_out)):.3f}")
        for said, reply in held_out[:3]:
            print(f"> {said}\n{model.write([said])[0]}   ({reply})")
    if options.talk:
        talk(model, options.turns, options.beam)
    if options.evaluate:
        pairs = read_dialogues(options.evaluate, options.turns, options.longest)
        print(f"{options.evaluate}: perplexity {train.perplexity(nats(model, pairs)):.3f}")


if __name__ == "__main__":
    train.run_program(main)
