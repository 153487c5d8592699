"""Sequence to sequence: an encoder reads, a decoder writes token by token, attending if it can."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ... import ops
from ...engine.backend import values
from ...engine.checks import fraction
from ...engine.random import Generator, chosen
from ...engine.tensor import Tensor
from ..linear import Linear
from ..module import Module
from ..recurrent import sequence_cross_entropy
from ..regularisation import Dropout
from ..rnn import GRU, LSTM, RNN
from .attention import Attention, Memory
from .sampling import scheduled_sampling

Layers = RNN | GRU | LSTM


class DecoderState(NamedTuple):
    """What a decoder's next step depends on, batch first, so that `decode` can pick its rows.

    parts: the layers' states, (h,) or (h, c), each (B, layers, H)   memory: None without attention
    """

    parts: tuple[Tensor, ...]
    memory: Memory | None


class Encoder(Module):
    """Layers over embedded tokens: what each position says, and what the whole comes to.

    embedding: tokens (T, B) -> (T, B, D), an Embedding or anything called as it is
    rnn: RNN, GRU or LSTM, time-major, of one or both directions
    dropout: probability of dropping a component of an embedded token, in training
    Raises TypeError or ValueError for an rnn that does not fit.
    """

    def __init__(self, embedding: Module, rnn: Layers, dropout: float = 0.0) -> None:
        _check_layers("Encoder", rnn)
        self.embedding, self.rnn, self.dropout = embedding, rnn, Dropout(dropout)
        cell = rnn.cells["_l0"]
        self.output_size = cell.state_sizes[0] * (1 + rnn.bidirectional)
        self.state_sizes = tuple([n * (1 + rnn.bidirectional) for n in cell.state_sizes])

    def forward(self, tokens: Any, lengths: Any = None) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return (outputs (T, B, output_size), final states of the top layer, (B, width) each).

        tokens (T, B) integers   lengths (B,), 0 to T: what lies beyond is padding
        """
        outputs, state = self.rnn(self.dropout(self.embedding(tokens)), lengths=lengths)
        ways = 1 + self.rnn.bidirectional
        parts = state if isinstance(state, tuple) else (state,)
        return outputs, tuple([ops.concat(list(part[-ways:]), axis=-1) for part in parts])


class Decoder(Module):
    """Logits of each next token, from the tokens before it and from what is attended to.

    h_t = rnn(embedding(y_(t-1))),  context_t = attention(h_t),  a_t = tanh(W_c [context_t; h_t])
    logits_t = W_o a_t + b_o;  without attention a_t = h_t
    embedding: tokens (S, B) -> (S, B, D)   rnn: RNN, GRU or LSTM, one direction, time-major
    num_tokens: size of the vocabulary   attention: from rnn's outputs to the encoder's, or None
    dropout: probability of dropping a component of an embedded token and of a_t, in training
    Raises TypeError or ValueError for an rnn or an attention that does not fit.
    Source: Sutskever, Vinyals & Le 2014; attention, Luong, Pham & Manning 2015, eq. 5 and 6.
    """

    def __init__(
        self,
        embedding: Module,
        rnn: Layers,
        num_tokens: int,
        attention: Attention | None = None,
        dropout: float = 0.0,
    ) -> None:
        _check_layers("Decoder", rnn)
        if rnn.bidirectional:
            raise ValueError("Decoder: rnn is bidirectional, expected one direction")
        self.embedding, self.rnn, self.attention = embedding, rnn, attention
        self.dropout = Dropout(dropout)
        cell = rnn.cells["_l0"]
        width, dtype = cell.state_sizes[0], cell.weight_ih.dtype
        self.state_sizes = tuple([rnn.num_layers * n for n in cell.state_sizes])
        self.combine: Linear | None = None
        if attention is not None:
            if attention.query_size != width:
                raise ValueError(
                    f"Decoder: the attention's query_size is {attention.query_size}, "
                    f"expected {width}, the width of rnn's outputs"
                )
            self.combine = Linear(attention.key_size + width, width, False, dtype)
        self.output = Linear(width, num_tokens, True, dtype)

    def forward(
        self, tokens: Any, state: DecoderState
    ) -> tuple[Tensor, DecoderState, Tensor | None]:
        """Return (logits (S, B, V), state after all steps, attention's weights (S, B, T) or None).

        tokens (S, B) integers: what was written before each step, a start token at first
        """
        hx = tuple([ops.swapaxes(part, 0, 1) for part in state.parts])
        x = self.dropout(self.embedding(tokens))
        h, after = self.rnn(x, hx if len(hx) > 1 else hx[0])
        after = after if isinstance(after, tuple) else (after,)
        weights = None
        if self.attention is not None and self.combine is not None and state.memory is not None:
            context, weights = self.attention(h, state.memory)
            h = ops.tanh(self.combine(ops.concat([context, h], axis=-1)))
        logits = self.output(self.dropout(h))
        parts = tuple([ops.swapaxes(part, 0, 1) for part in after])
        return logits, DecoderState(parts, state.memory), weights

    def step(self, state: DecoderState, tokens: Any) -> tuple[DecoderState, Tensor]:
        """Return (next state, logits (B, V)) after tokens (B,): a step for `decode`."""
        logits, state, _ = self(values(tokens)[None], state)
        return state, logits[0]


class Seq2Seq(Module):
    """A decoder that starts from what an encoder has read.

    Its first state is tanh(W s + b) of the encoder's final state, for each part of it; it attends
    to the encoder's outputs if it has an attention.
    model(source, inputs, lengths) is teacher forcing; `decode.generate(model.step, state, ...)` and
    `decode.beam_search(model.step, state, ...)` with `state = model.start(source, lengths)` write.
    Raises ValueError for an attention whose keys are not as wide as the encoder's outputs.
    """

    def __init__(self, encoder: Encoder, decoder: Decoder) -> None:
        attention = decoder.attention
        if attention is not None and attention.key_size != encoder.output_size:
            raise ValueError(
                f"Seq2Seq: the attention's key_size is {attention.key_size}, "
                f"expected {encoder.output_size}, the width of the encoder's outputs"
            )
        self.encoder, self.decoder = encoder, decoder
        dtype = decoder.output.weight.dtype
        sources = encoder.state_sizes  # a part that the encoder lacks comes from its h
        self.bridges = [
            Linear(sources[i] if i < len(sources) else sources[0], width, True, dtype)
            for i, width in enumerate(decoder.state_sizes)
        ]

    def start(self, source: Any, lengths: Any = None) -> DecoderState:
        """Return the decoder's state before its first step: source (T, B), lengths (B,) 0 to T."""
        outputs, final = self.encoder(source, lengths)
        layers = self.decoder.rnn.num_layers
        parts = []
        for i, bridge in enumerate(self.bridges):
            part = ops.tanh(bridge(final[i] if i < len(final) else final[0]))
            parts.append(ops.reshape(part, (part.shape[0], layers, part.shape[1] // layers)))
        attention = self.decoder.attention
        memory = None if attention is None else attention.memory(outputs, lengths=lengths)
        return DecoderState(tuple(parts), memory)

    def step(self, state: DecoderState, tokens: Any) -> tuple[DecoderState, Tensor]:
        """Return (next state, logits (B, V)) after tokens (B,)."""
        return self.decoder.step(state, tokens)

    def forward(
        self,
        source: Any,
        inputs: Any,
        lengths: Any = None,
        sampling: float = 0.0,
        generator: Generator | None = None,
    ) -> Tensor:
        """Return logits (S, B, V) of what follows each input.

        source (T, B), lengths (B,), 0 to T   inputs (S, B): a start token, then the target's tokens
        sampling: probability that an input after the first is drawn from the model's own prediction
        in place of the target's (scheduled sampling); no gradient flows through the choice
        Raises ValueError or TypeError for arguments that do not fit.
        Source: scheduled sampling, Bengio, Vinyals, Jaitly & Shazeer 2015.
        """
        sampling = fraction("Seq2Seq: sampling", sampling)
        state = self.start(source, lengths)
        if sampling == 0.0:
            logits, _, _ = self.decoder(inputs, state)
            return logits  # type: ignore[no-any-return]
        random = chosen(generator).numpy

        def drawn(logits: np.ndarray) -> np.ndarray:
            """Return tokens (B,) drawn from softmax(logits): the largest with Gumbel noise."""
            tokens: np.ndarray = (logits + random.gumbel(size=logits.shape)).argmax(axis=1)
            return tokens

        logits, _ = scheduled_sampling(self.step, state, inputs, sampling, drawn, generator)
        return logits

    def loss(
        self, source: Any, lengths: Any, targets: Any, sizes: Any, pad: int
    ) -> tuple[Tensor, int]:
        """Return the cross-entropy of what follows the start tokens, in nats, and their number.

        It is summed over the tokens, under teacher forcing; batches as `data.pair_batches` gives
        them: source (T, B), lengths (B,), 0 to T   targets (S, B): a start token, what is to be
        written, an end token, then `pad`   sizes (B,), 1 to S
        Raises ValueError or TypeError for arguments that do not fit.
        """
        logits = self(source, targets[:-1], lengths)
        loss = sequence_cross_entropy(logits, targets[1:], pad, reduction="sum")
        return loss, int((sizes - 1).sum())


def _check_layers(name: str, rnn: Any) -> None:
    """Nothing; raises TypeError or ValueError unless rnn is RNN, GRU or LSTM, time-major."""
    if not isinstance(rnn, RNN | GRU | LSTM):
        raise TypeError(f"{name}: rnn is a {type(rnn).__name__}, expected RNN, GRU or LSTM")
    if rnn.batch_first:
        raise ValueError(f"{name}: rnn has batch_first, expected time first")
