"""A neural language model: the next character or word given those before it.

    python examples/language_model.py                                 the built-in text, a minute
    python examples/language_model.py --data FILE --save MODEL        a text of your own
    python examples/language_model.py --load MODEL --generate "The "  write on from a prompt
    python examples/language_model.py --load MODEL --evaluate FILE    score another text

The lecture's model: h_t from h_t-1 and x_t by an RNN, GRU or LSTM; softmax(W h_t + b) over the
vocabulary; cross-entropy by truncated backpropagation through time, the state carried on.
"""

from __future__ import annotations

import numpy as np

import tinygrad_seq as tg
from tinygrad_seq import data, nn, ops, optim, train
from tinygrad_seq.decode import generate, greedy

LAYERS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


class LanguageModel(nn.Module):
    """Logits of the next token at every step: ids (T, B) -> (T, B, V), state.

    tokenizer: as Tokenizer.to_dict gives it
    """

    def __init__(self, tokenizer, cell, layers, hidden, embedding, tied, dropout):
        if tied and embedding != hidden:
            raise ValueError(f"tied weights need --embedding {hidden}, as wide as the hidden state")
        self.tokenizer = data.Tokenizer.from_dict(tokenizer)
        self.size = len(self.tokenizer)
        self.embedding = nn.Embedding(self.size, embedding) if embedding else None
        self.dropout = nn.Dropout(dropout)
        self.recurrent = LAYERS[cell](embedding or self.size, hidden, layers, dropout=dropout)
        self.output = nn.Linear(hidden, self.size)
        if tied:
            self.output.weight = self.embedding.weight

    def forward(self, ids, state=None):
        """Logits (T, B, V) and the state after ids (T, B)."""
        ids = tg.tensor(ids)
        x = self.embedding(ids) if self.embedding else ops.one_hot(ids, self.size)
        h, state = self.recurrent(self.dropout(x), state)
        return self.output(self.dropout(h)), state

    def step(self, state, tokens):
        """State and logits (B, V) after one more token (B,)."""
        logits, state = self(tokens[None], state)
        return state, logits[0]


def score(name, model, ids, batch_size=1):
    """Nats a token of a text, read in order in `batch_size` parallel parts; prints them."""

    def total(batch, state):
        x, y = batch
        logits, state = model(x, state)
        return nn.sequence_cross_entropy(logits, y, reduction="sum"), y.size, state

    loss = train.stream_loss(model, total, data.TruncatedBPTT(ids, batch_size, 200))
    print(f"{name}: {loss:.4f} nats or {train.bits(loss):.4f} bits a {model.tokenizer.unit[:-1]}, "
          f"perplexity {train.perplexity(loss):.3f}", flush=True)  # fmt: skip
    return loss


def make(options):
    """A model trained on the text of --data, and saved."""
    corpus = data.load_corpus(options.data, options.validation)
    tokenizer = data.Tokenizer.build(
        options.tokens, [corpus.train], min_count=options.min_count, specials=("<unk>",)
    )
    names = ("cell", "layers", "hidden", "embedding", "tied", "dropout")
    settings = train.settings_of(options, *names) | {"tokenizer": tokenizer.to_dict()}
    model = LanguageModel(**settings)
    ids, held_out = map(tokenizer.encode, (corpus.train, corpus.validation))
    print(f"{len(ids):,} {options.tokens}, {len(tokenizer):,} different; "
          f"validation on {corpus.source}", model, sep="\n")  # fmt: skip
    prompt_of(model, options)  # what is wrong with it is said now, not after training
    batches = data.TruncatedBPTT(ids, options.batch, options.steps)

    def loss(batch, state):
        x, y = batch
        if options.free_running:
            p = options.free_running
            logits, state = nn.scheduled_sampling(model.step, state, x, p, greedy)
        else:  # teacher forcing
            logits, state = model(x, state)
        return nn.sequence_cross_entropy(logits, y), nn.detached(state)

    optimizer = optim.Adam(model.parameters(), lr=options.lr)
    schedules = train.SCHEDULES[options.schedule](optimizer, options.epochs * len(batches))
    parts = min(16, len(held_out) // 50 or 1)
    train.fit(model, loss, batches, lambda: score("validation", model, held_out, parts), options,
              optimizer=optimizer, **schedules)  # fmt: skip
    score("validation, in order", model, held_out)
    train.save_model(train.model_path(options), model, settings)
    print(f"model: {train.model_path(options)}   losses: {options.folder}/loss.png")
    return model


def prompt_of(model, options):
    """Indices of the prompt; without one, of the commonest token."""
    if options.generate is None:
        return np.array([len(model.tokenizer.vocabulary.specials)])
    return model.tokenizer.encode_prompt(options.generate, "--generate")


def write_on(model, options, choose):
    """The prompt and what the model makes of it."""
    prompt = prompt_of(model, options)
    (more,) = generate(model.step, None, prompt[:, None], choose=choose, max_length=options.length)
    return model.tokenizer.decode([*prompt, *more])


def parse():
    parser = train.program_parser(
        __doc__, "runs/language_model", epochs=(8, 3), layers=(2, 1), hidden=(256, 128),
        dropout=(0.25, 0.0), batch=32, min_count=1,
    )  # fmt: skip
    add = parser.add_argument
    add("--validation", help="text to validate on (default: val.* beside train.*, or a tenth)")
    add("--tokens", choices=("chars", "words"), default="chars",
        help="what is predicted (default: chars)")  # fmt: skip
    add("--cell", choices=LAYERS, default="lstm", help="(default: lstm)")
    add("--embedding", type=train.count, default=64, help="width; 0 for one-hot (default: 64)")
    add("--tied", action="store_true", help="one matrix for embedding and output")
    add("--free-running", type=train.probability, default=0.0, metavar="P",
        help="probability of the model's own prediction as next input (default: 0)")  # fmt: skip
    add("--steps", type=train.positive, default=64, help="of truncated BPTT (default: 64)")
    add("--schedule", choices=train.SCHEDULES, default="cosine",
        help="of the learning rate: warm-up and cosine; halved on a plateau; none")  # fmt: skip
    add("--generate", metavar="PROMPT", help="write on from this")
    add("--length", type=train.count, default=300, help="tokens to generate (default: 300)")
    train.add_sampling(parser)
    return train.parse_options(parser, "generate", "length")


def main():
    options = parse()
    choose = train.sampling_of(options)
    text = options.evaluate and data.read_text(options.evaluate)
    model = train.load_model(options.load, LanguageModel) if options.load else make(options)
    if text is None or options.generate is not None:
        print(write_on(model, options, choose))
    if text is not None:
        ids = model.tokenizer.encode_passage(text, options.evaluate)
        score("evaluation, in order", model, ids)


if __name__ == "__main__":
    train.run_program(main)
