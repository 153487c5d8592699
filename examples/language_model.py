"""A neural language model: the next character or word given those before it.

    python examples/language_model.py                                 the built-in text, a minute
    python examples/language_model.py --data FILE --save MODEL        a text of your own
    python examples/language_model.py --load MODEL --generate "The "  write on from a prompt
    python examples/language_model.py --load MODEL --evaluate FILE    score another text

The lecture's model: h_t from h_t-1 and x_t by an RNN, GRU or LSTM; softmax(W h_t + b) over the
vocabulary; cross-entropy by truncated backpropagation through time, the state carried on.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import tinygrad_seq as tg
from tinygrad_seq import data, nn, ops, optim, train
from tinygrad_seq.decode import Sampler, generate, greedy

SMALL = {"layers": 1, "hidden": 128, "dropout": 0.0, "epochs": 3}  # for the built-in text
LARGE = {"layers": 2, "hidden": 256, "dropout": 0.25, "epochs": 8}  # for a file
LAYERS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
TOKENS = {  # text to tokens, and back
    "chars": (data.characters, "".join),
    "words": (lambda text: data.words(text, lower=True), data.join_words),
}


class LanguageModel(nn.Module):
    """Logits of the next token at every step: ids (T, B) -> (T, B, V), state.

    vocabulary: as Vocabulary.to_dict gives it
    """

    def __init__(self, vocabulary, tokens, cell, layers, hidden, embedding, tied, dropout):
        if tied and embedding != hidden:
            raise ValueError(f"tied weights need --embedding {hidden}, as wide as the hidden state")
        self.vocabulary = data.Vocabulary.from_dict(vocabulary)
        self.size, self.unit = len(self.vocabulary), tokens[:-1]
        self.split, self.join = TOKENS[tokens]
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

    def free_running(self, ids, state, probability):
        """Like forward, but each input after the first is, with this probability, the model's own
        prediction at the step before (scheduled sampling, Bengio et al. 2015)."""
        random, tokens, outputs = tg.default_generator().numpy, ids[0], []
        for following in [*ids[1:], ids[0]]:
            state, logits = self.step(state, tokens)
            outputs.append(logits)
            own = greedy(logits.detach().to("numpy").numpy())
            tokens = np.where(random.random(len(tokens)) < probability, own, following)
        return ops.stack(outputs), state

    def encode(self, text):
        """Indices (N,) of a text's tokens."""
        return self.vocabulary.encode(self.split(text))


def cross_entropy(logits, targets):
    targets = tg.tensor(targets.reshape(-1))
    return ops.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets)


def score(name, model, ids, batch_size=1):
    """Nats a token of a text, read in order in `batch_size` parallel parts; prints them."""
    state, total, batches = None, 0.0, data.TruncatedBPTT(ids, batch_size, 200)
    model.eval()
    with tg.no_grad():
        for x, y in batches:
            logits, state = model(x, state)
            total += cross_entropy(logits, y).item() * y.size
    loss = total / (batches.steps * batch_size)
    print(f"{name}: {loss:.4f} nats or {train.bits(loss):.4f} bits a {model.unit}, "
          f"perplexity {train.perplexity(loss):.3f}", flush=True)  # fmt: skip
    return loss


def optimisation(model, options, batches):
    """The optimiser and its schedule, stepped after each epoch or each batch."""
    optimizer = optim.Adam(model.parameters(), lr=options.lr)
    total, found = options.epochs * len(batches), {"optimizer": optimizer}
    if options.schedule == "plateau":
        found["schedule"] = optim.ReduceLROnPlateau(optimizer, factor=0.5, patience=0)
    elif options.schedule == "cosine":
        found["batch_schedule"] = optim.WarmupCosine(optimizer, min(200, total // 10), total)
    return found


def make(options):
    """A model trained on the text of --data, and saved."""
    corpus = data.load_corpus(options.data, options.validation)
    tokens = TOKENS[options.tokens][0](corpus.train)
    vocabulary = data.Vocabulary.build(tokens, min_count=options.min_count, specials=("<unk>",))
    names = ("tokens", "cell", "layers", "hidden", "embedding", "tied", "dropout")
    settings = train.settings_of(options, *names) | {"vocabulary": vocabulary.to_dict()}
    model = LanguageModel(**settings)
    held_out = model.encode(corpus.validation)
    print(f"{len(tokens):,} {options.tokens}, {len(vocabulary):,} different; "
          f"validation on {corpus.source}", model, sep="\n")  # fmt: skip
    prompt_tokens(model, options.generate)  # what is wrong with it is said now, not after training
    path = train.model_path(options)
    path.parent.mkdir(parents=True, exist_ok=True)
    batches = data.TruncatedBPTT(vocabulary.encode(tokens), options.batch, options.steps)

    def loss(batch, state):
        x, y = batch
        if options.free_running:
            logits, state = model.free_running(x, state, options.free_running)
        else:  # teacher forcing
            logits, state = model(x, state)
        return cross_entropy(logits, y), nn.detached(state)

    def validate():
        return score("validation", model, held_out, batch_size=min(16, len(held_out) // 50 or 1))

    train.fit(model, loss, batches, validate, options, **optimisation(model, options, batches))
    score("validation, in order", model, held_out)
    train.save_model(path, model, settings)
    print(f"model: {path}   losses: {Path(options.folder) / 'loss.png'}")
    return model


def prompt_tokens(model, prompt):
    """The prompt's tokens, all in the vocabulary; without a prompt, the commonest one."""
    if prompt is None:
        return [model.vocabulary.tokens[len(model.vocabulary.specials)]]
    tokens = model.split(prompt)
    unknown = sorted({token for token in tokens if token not in model.vocabulary})
    if unknown or not tokens:
        fault = f"the model does not know {unknown}" if unknown else "the prompt is empty"
        raise ValueError(f"--generate: {fault}")
    return tokens


def write_on(model, prompt, choose, length):
    """The prompt and what the model makes of it."""
    tokens, vocabulary = prompt_tokens(model, prompt), model.vocabulary
    ids = vocabulary.encode(tokens)[:, None]
    model.eval()
    (more,) = generate(model.step, None, ids, choose=choose, max_length=length, eos=vocabulary.eos)
    return model.join(tokens + vocabulary.decode(more, skip_specials=False))


def parse():
    parser = train.program_parser(__doc__, "runs/language_model", batch=32)
    add = parser.add_argument
    add("--validation", help="text to validate on (default: val.* beside train.*, or a tenth)")
    add("--tokens", choices=TOKENS, default="chars", help="what is predicted (default: chars)")
    add("--min-count", type=train.positive, default=1, help="rarer ones are <unk> (default: 1)")
    add("--cell", choices=LAYERS, default="lstm", help="(default: lstm)")
    small = " for the built-in text"
    add("--layers", type=train.positive, help=f"recurrent layers (default: 2; 1{small})")
    add("--hidden", type=train.positive, help=f"width of h (default: 256; 128{small})")
    add("--dropout", type=train.probability, help="of inputs, between layers, of outputs"
        f" (default: 0.25; 0{small})")  # fmt: skip
    add("--embedding", type=train.count, default=64, help="width; 0 for one-hot (default: 64)")
    add("--tied", action="store_true", help="one matrix for embedding and output")
    add("--free-running", type=train.probability, default=0.0, metavar="P",
        help="probability of the model's own prediction as next input (default: 0)")  # fmt: skip
    add("--steps", type=train.positive, default=64, help="of truncated BPTT (default: 64)")
    add("--schedule", choices=("cosine", "plateau", "constant"), default="cosine",
        help="of the learning rate: warm-up and cosine; halved on a plateau; none")  # fmt: skip
    add("--generate", metavar="PROMPT", help="write on from this")
    add("--length", type=train.count, default=300, help="tokens to generate (default: 300)")
    add("--temperature", type=float, default=0.8, help="0: greedy (default: 0.8)")
    add("--top-k", type=train.count, help="sample among the k likeliest tokens")
    add("--top-p", type=train.probability, help="sample among the likeliest, up to this in all")
    options = train.parse_options(parser)
    for name, value in (LARGE if options.data else SMALL).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


def main():
    options = parse()
    choose = greedy
    if options.temperature:
        choose = Sampler(options.temperature, options.top_k, options.top_p)
    text = options.evaluate and data.read_text(options.evaluate)
    model = train.load_model(options.load, LanguageModel) if options.load else make(options)
    if text is None or options.generate is not None:
        print(write_on(model, options.generate, choose, options.length))
    if text is not None:
        score("evaluation, in order", model, model.encode(text))


if __name__ == "__main__":
    train.run_program(main)
