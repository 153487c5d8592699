"""Word2Vec: corpora in, vectors out; the same bits again; interrupted, saved, resumed, grown."""

import io
import json
import math
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

import tinygrad_seq as tg
from tinygrad_seq.machine import runtime
from tinygrad_seq.word2vec import EncodedCorpus, Word2Vec

compiled = pytest.mark.skipif(not runtime.available(), reason="nothing is compiled")


def topics(sentences=600, seed=0):
    """Sentences of five words of one of four topics, and a word that all have."""
    rng = np.random.default_rng(seed)
    for topic in rng.integers(0, 4, sentences):
        words = [f"t{topic}_{i}" for i in rng.integers(0, 6, 5)]
        yield [*words[:2], "common", *words[2:]]


def small(**settings):
    chosen = {"vector_size": 12, "epochs": 4, "seed": 7, "workers": 1, "progress": False}
    return Word2Vec(**(chosen | {"alpha": 0.1, "sample": 0.0, "min_count": 1} | settings))


def own_softmax(features, counts):
    """An objective of a user's own."""
    return tg.nn.FullSoftmax(features, len(counts), bias=True)


def named(settings):
    """A case's name: the same in every process, as an address in it would not be."""
    values = {key: getattr(value, "__name__", value) for key, value in settings.items()}
    return " ".join(f"{key}={value}" for key, value in values.items()) or "defaults"


def neighbours_share_topics(model):
    """Of all topic words, the share whose nearest word is of the same topic."""
    words = [word for word in model.words if word != "common"]
    nearest = [model.vectors.most_similar(word, topn=2) for word in words]
    hits = [
        next(other for other, _ in found if other != "common")[:2] == word[:2]
        for word, found in zip(words, nearest, strict=True)
    ]
    return float(np.mean(hits))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"shared_negatives": False},
        {"architecture": "cbow"},
        {"architecture": "cbow", "combine": "sum"},
        {"architecture": "cbow", "exact_gradient": True, "alpha": 0.4},
        {"deterministic": True},
        {"workers": 3},
        {"negative": 12, "vector_size": 7, "window": 2, "shrink_windows": False},
        {"objective": "hierarchical_softmax", "alpha": 0.03},
        {"objective": "softmax", "alpha": 0.03},
        {"objective": "sampled_softmax", "alpha": 0.03},
        {"objective": "nce", "alpha": 0.03},
        {"architecture": "cbow", "combine": "concat"},
        {"objective": own_softmax},
    ],
    ids=named,
)
def test_vectors_learn_what_stands_together(settings):
    model = small(**settings).fit(topics())
    assert neighbours_share_topics(model) > 0.9
    assert len(model.loss_history) == 4
    assert model.loss_history[-1] < 0.95 * model.loss_history[0]
    assert model.vectors.vectors.shape == (25, settings.get("vector_size", 12))


@pytest.mark.parametrize(
    ("settings", "alpha"),
    [
        ({}, 0.025),
        ({"architecture": "cbow"}, 0.07),
        ({"architecture": "cbow", "combine": "sum"}, 0.05),
        ({"architecture": "cbow", "alpha": 0.2}, 0.2),
    ],
)
def test_alpha_is_by_default_what_measured_best(settings, alpha):
    assert Word2Vec(**settings).alpha == alpha


def test_vocabulary_is_in_order_of_count_then_word():
    model = small(min_count=2)
    encoded = model.encode([["b", "c", "a", "c"], ["a", "b", "d"], ["c"]])
    assert encoded.words == ["c", "a", "b"]
    assert encoded.counts.tolist() == [3, 2, 2]
    assert encoded.ids.tolist() == [2, 0, 1, 0, 1, 2, 0]
    assert encoded.starts.tolist() == [0, 4, 6, 7]
    assert (len(encoded), encoded.text_words) == (7, 8)


def test_first_loss_is_that_of_guessing():
    """Output vectors start at 0: every logit is 0, the loss (1 + negative) log 2."""
    model = small(epochs=1, alpha=1e-6, min_alpha=0).fit(topics(50))
    assert model.loss_history[0] == pytest.approx(6 * math.log(2), rel=1e-3)


# ---- the same bits -------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"architecture": "cbow"}, {"shared_negatives": False}])
def test_one_seed_and_one_worker_make_one_file(tmp_path, settings):
    files = []
    for name in ("a", "b"):
        small(**settings).fit(topics()).save(tmp_path / name)
        files.append((tmp_path / name).read_bytes())
    assert files[0] == files[1]


def test_another_seed_makes_other_vectors():
    first, second = (small(seed=seed).fit(topics()).vectors.vectors for seed in (1, 2))
    assert np.abs(first - second).max() > 0.01


def test_deterministic_vectors_do_not_depend_on_workers():
    vectors = []
    for workers in (1, 2, 5):
        model = small(deterministic=True, workers=workers).fit(topics())
        vectors.append(model.vectors.vectors.tobytes())
    assert vectors[0] == vectors[1] == vectors[2]


def test_seed_comes_from_the_default_generator():
    def drawn():
        tg.manual_seed(3)
        return Word2Vec().seed

    assert drawn() == drawn()


# ---- sources of text -----------------------------------------------------------------------------


def test_lists_generators_files_and_ids_train_alike(tmp_path):
    sentences = list(topics(100))
    path = tmp_path / "text"
    path.write_text("\n".join(" ".join(s) for s in sentences), encoding="utf-8")
    sources = [sentences, iter(sentences), path, str(path), open(path, "rb"), small().encode(path)]  # noqa: SIM115
    found = [small(epochs=1).fit(source).vectors for source in sources]
    sources[4].close()
    for vectors in found[1:]:
        assert vectors.words == found[0].words
        np.testing.assert_array_equal(vectors.vectors, found[0].vectors)


@pytest.mark.parametrize("end", ["", "\n", "\n" * 40])
@pytest.mark.parametrize("size", [16, 50, 1000])
def test_text_in_many_chunks_is_encoded_as_lists_are(monkeypatch, size, end):
    """A chunk may end no sentence: the last one of the text, too."""
    sentences = list(topics(30))
    text = "\n".join(" ".join(s) for s in sentences) + end
    monkeypatch.setattr("tinygrad_seq.data.tokens.CHUNK", size)
    got, expected = small().encode(io.BytesIO(text.encode())), small().encode(sentences)
    assert got.words == expected.words
    np.testing.assert_array_equal(got.ids, expected.ids)
    np.testing.assert_array_equal(got.starts, expected.starts)


# ---- interrupted, saved, resumed -----------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"deterministic": True}, {"objective": "nce"}])
def test_resumed_training_is_whole_training(tmp_path, settings):
    sentences = list(topics())
    whole = small(**settings).fit(sentences)
    path = tmp_path / "model"

    def stop(model):
        if model.epoch == 2:
            model.save(path)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        small(**settings).fit(sentences, callbacks=[stop])
    resumed = Word2Vec.load(path)
    assert resumed.epoch == 2
    resumed.fit(sentences, resume=True)
    np.testing.assert_array_equal(resumed.vectors.vectors, whole.vectors.vectors)
    assert resumed.loss_history == whole.loss_history


def test_interrupt_leaves_a_usable_model(monkeypatch):
    monkeypatch.setattr("tinygrad_seq.word2vec.epoch.PIECE", 100)
    sentences = list(topics())
    whole = small(epochs=3).fit(sentences)
    model = small(epochs=3)
    seen = []
    from tinygrad_seq.word2vec.epoch import Epoch

    train = Epoch.train

    def interrupted(self, *args):
        seen.append(1)
        if len(seen) == 5:
            os.kill(os.getpid(), signal.SIGINT)
        train(self, *args)

    monkeypatch.setattr(Epoch, "train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(sentences)
    assert model.epoch < 3
    assert model.vectors.most_similar("common", topn=1)
    model.fit(sentences, resume=True)
    np.testing.assert_array_equal(model.vectors.vectors, whole.vectors.vectors)


def test_vectors_of_before_are_left_alone_by_further_training():
    model = small(epochs=1).fit(topics())
    before = model.vectors
    kept = before.vectors.copy()
    model.partial_fit(topics(seed=1))
    np.testing.assert_array_equal(before.vectors, kept)
    assert np.abs(model.vectors.vectors - kept).max() > 0.001
    assert len(model.loss_history) == 2


def test_resume_refuses_another_corpus():
    model = small(epochs=1).fit(topics())
    with pytest.raises(ValueError, match="another vocabulary"):
        model.fit(small().encode([["x", "y"]]), resume=True)
    with pytest.raises(RuntimeError, match="call fit first"):
        small().fit(topics(), resume=True)


@pytest.mark.parametrize("settings", [{}, {"objective": "nce", "alpha": 0.03}])
def test_grown_vocabulary_is_trained(settings):
    model = small(**settings).fit(topics())
    old = model.vectors
    more = [[f"n_{i}", "t0_1", f"n_{(i + 1) % 3}"] for i in range(3)] * 50
    assert sorted(model.grow_vocabulary(more)) == ["n_0", "n_1", "n_2"]
    assert model.words[:25] == old.words
    assert model.counts[model.words.index("t0_1")] == old.counts[old.words.index("t0_1")] + 150
    np.testing.assert_array_equal(model.vectors.vectors[:25], old.vectors)
    model.partial_fit(more, epochs=5)
    near, far = (
        np.mean([model.vectors.similarity("n_0", f"t{topic}_{i}") for i in range(6)])
        for topic in (0, 1)
    )
    assert near > far + 0.3


def test_a_tree_does_not_grow():
    model = small(objective="hierarchical_softmax", epochs=1).fit(topics())
    with pytest.raises(ValueError, match="cannot grow"):
        model.grow_vocabulary([["new", "word"]])


def test_loading_refuses_other_files(tmp_path):
    tg.save_checkpoint(tmp_path / "other", {"format": "something"})
    with pytest.raises(ValueError, match="not a saved Word2Vec"):
        Word2Vec.load(tmp_path / "other")
    model = small(epochs=1).fit(topics())
    model.save(tmp_path / "model")
    tree = tg.load_checkpoint(tmp_path / "model")
    for key, value in (("words", np.zeros(3, np.uint8)), ("counts", np.ones(2, np.int64))):
        tg.save_checkpoint(tmp_path / "bad", {**tree, key: value})
        with pytest.raises(ValueError, match="not a saved Word2Vec"):
            Word2Vec.load(tmp_path / "bad")


# ---- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("corpus", "error", "text"),
    [
        ([], ValueError, "the corpus is empty"),
        ([[]], ValueError, "the corpus is empty"),
        (iter([]), ValueError, "a generator can be read only once"),
        ([["a"], ["b"]], ValueError, "no sentence has two words"),
        (["a b c"], TypeError, "sentence 0 is a str"),
        ([["a", 3]], TypeError, "a sentence holds 3, a int"),
        ([["a", ["b"]]], TypeError, "unhashable"),
        (b"a b", TypeError, "the corpus is a bytes"),
        (7, TypeError, "the corpus is a int"),
        ([None], TypeError, "sentence 0 is a NoneType"),
    ],
)
def test_bad_corpora(corpus, error, text):
    with pytest.raises(error, match=text):
        small().fit(corpus)


def test_vocabulary_pruned_to_nothing():
    with pytest.raises(ValueError, match=r"min_count = 9 times:.*'b', occurs 2 times"):
        small(min_count=9).fit([["a", "b", "b"]])


@pytest.mark.parametrize(
    ("settings", "error", "text"),
    [
        ({"workers": 0}, ValueError, "workers is 0, expected 1 or more"),
        ({"negative": -1}, ValueError, "negative is -1"),
        ({"window": 2.5}, TypeError, "window is 2.5, expected an integer"),
        ({"vector_size": 0}, ValueError, "vector_size is 0"),
        ({"epochs": True}, TypeError, "epochs is True"),
        ({"alpha": 0.01, "min_alpha": 0.02}, ValueError, "min_alpha from 0 to alpha"),
        ({"alpha": -1.0}, ValueError, "alpha is -1.0"),
        ({"alpha": math.nan}, ValueError, "alpha is nan"),
        ({"alpha": "fast"}, TypeError, "alpha is 'fast'"),
        ({"sample": -1}, ValueError, "sample is -1"),
        ({"seed": -1}, ValueError, "seed is -1"),
        ({"architecture": "glove"}, ValueError, "expected one of skipgram, cbow"),
        ({"combine": "max"}, ValueError, "expected one of mean, sum, concat"),
        ({"objective": "margin"}, ValueError, "expected one of negative_sampling"),
        ({"backend": "tpu"}, ValueError, "expected one of numpy, cupy"),
        ({"deterministic": 1}, TypeError, "deterministic is 1, expected True or False"),
    ],
)
def test_bad_settings(settings, error, text):
    with pytest.raises(error, match=text):
        Word2Vec(**settings)


def test_vectors_before_training():
    with pytest.raises(RuntimeError, match="call fit first"):
        _ = Word2Vec().vectors


def test_vectors_that_are_not_finite_are_an_error():
    with pytest.raises(FloatingPointError, match="lower alpha"):
        small(alpha=1e30).fit(topics(50))


def test_a_word_alone_and_a_window_beyond_all_sentences():
    model = small(window=10**9, epochs=1).fit([["a", "a", "a"], ["a"]])
    assert model.words == ["a"]
    assert math.isfinite(model.loss_history[0])


def test_import_and_settings_leave_numba_alone():
    program = """
import json, sys
import tinygrad_seq.word2vec as w
w.Word2Vec(workers=1).encode([["a", "b"] * 5])
print(json.dumps(["numba" in sys.modules, "llvmlite" in sys.modules]))
"""
    out = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert json.loads(out) == [False, False]


def test_encoded_corpus_says_what_it_is():
    encoded = small().encode([["a", "b"], ["a"]])
    assert isinstance(encoded, EncodedCorpus)
    assert repr(encoded) == "EncodedCorpus(3 of 3 words, 2 sentences, vocabulary of 2)"


def test_a_last_block_without_the_end_of_a_sentence(tmp_path):
    """Of a text file that ends with a line end, what is read last holds no end."""
    path = tmp_path / "text.txt"
    for text in ("the cat sat\na dog ran\n" * 30, "the cat sat\na dog ran\n\n", "the cat sat"):
        path.write_text(text)
        encoded = Word2Vec(min_count=1, seed=0).encode(path)
        sentences = np.split(encoded.ids, encoded.starts[1:-1])
        words = [[encoded.words[i] for i in sentence] for sentence in sentences]
        assert words == [line.split() for line in text.splitlines() if line]


FROM_DISK = """
import numpy as np
from tinygrad_seq.word2vec import Word2Vec
lines = [["a", "b", "c", "d"], ["b", "a", "d", "c"]] * 50
for shared in (True, False):
    model = Word2Vec(vector_size=20, min_count=1, sample=0, epochs=2, seed=1, workers=1,
                     shared_negatives=shared, alpha=0.1, progress=False)
    print(model.fit(lines).vectors.vectors.tobytes().hex())
"""


@compiled
def test_code_from_the_disk_trains_as_code_just_compiled(tmp_path):
    environment = {**os.environ, "TINYGRAD_SEQ_CACHE": str(tmp_path)}
    command = [sys.executable, "-c", FROM_DISK]
    first, second = (
        subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
        for _ in range(2)
    )
    assert len(set(first.split())) == 2
    assert first == second
