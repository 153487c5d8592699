"""Examples on what they make up themselves: they learn, and a saved model scores the same."""

import json
import math
import wave
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure
from task_runs import EXAMPLES, call, complaint, figures, program, run

import tinygrad_seq as tg
from tinygrad_seq.data import series, synthetic


def test_names(tmp_path):
    names = synthetic.names(np.random.default_rng(0), 900)
    (tmp_path / "train.txt").write_text("\n".join(names[100:]))
    (tmp_path / "val.txt").write_text("\n".join(names[:100]))
    small = ("--hidden", 48, "--layers", 1, "--epochs", 4, "--lr", 0.01, "--batch", 32)
    out = run("names", tmp_path, "--data", tmp_path, *small, "--save", "m", "--samples", 4)
    (nats,) = figures(out, "validation, best: ")
    assert nats < 1.8  # by the letters' frequencies alone 2.37
    made = out.splitlines()[-4:]
    assert all(set(name) <= set("klmnrstaeio") for name in made)
    again = run("names", tmp_path, "--load", "m", "--evaluate", "val.txt", "--samples", 0)
    assert figures(again.splitlines()[-1], "val.txt: ") == [nats]
    said = complaint("names", tmp_path, "--data", tmp_path, "--temperature", -1)
    assert said == "temperature is -1.0, expected a finite number above 0"

    (tmp_path / "other.txt").write_text("kala\nzoe")
    said = complaint("names", tmp_path, "--load", "m", "--evaluate", "other.txt")
    assert said == "other.txt, name 2: no 'z' in the model's letters"
    (tmp_path / "empty.txt").write_text(" \n")
    said = complaint("names", tmp_path, "--load", "m", "--evaluate", "empty.txt")
    assert said == "empty.txt: no names in it"
    assert "not a model of this program" in complaint("music", tmp_path, "--load", "m")


def test_music(tmp_path):
    small = ("--hidden", 64, "--epochs", 4, "--transpose", 1, "--seconds", 2)
    out = run("music", tmp_path, *small, "--save", "m", "--piece", "p.wav", "--lr", 0.01)
    (nats,) = figures(out, "validation, best: ")
    assert nats < 10.5  # each pitch by its own frequency: 11.6
    with wave.open(str(tmp_path / "p.wav")) as file:
        assert (file.getnchannels(), file.getframerate()) == (1, 22_050)
        assert file.getnframes() >= 2 * 22_050
        assert np.abs(np.frombuffer(file.readframes(10**6), "<i2")).max() > 1000
    made = [[(np.flatnonzero(step) + 43).tolist() for step in piece]
            for piece in program("music").made_up_pieces()[:20]]  # fmt: skip
    (tmp_path / "held.json").write_text(json.dumps(made))
    again = run("music", tmp_path, "--load", "m", "--evaluate", "held.json", "--seconds", 1)
    assert figures(again.splitlines()[-1], "held.json: ") == [nats]
    (tmp_path / "one.json").write_text("[[[60, 64, 67], [60], []]]")
    again = run("music", tmp_path, "--load", "m", "--evaluate", "one.json", "--seconds", 1)
    assert math.isfinite(figures(again, "one.json: ")[0])
    (tmp_path / "low.json").write_text("[[[60], [20]]]")
    said = complaint("music", tmp_path, "--load", "m", "--evaluate", "low.json", "--seconds", 1)
    assert said == "low.json, piece 1: pitch 20 at step 1, expected 43 to 96"


def test_sentiment(tmp_path):
    small = ("--embedding", 16, "--hidden", 16, "--epochs", 3, "--lr", 0.02, "--dropout", 0.1)
    out = run("sentiment", tmp_path, *small, "--save", "m", "--say", "the case is not ugly")
    (macro,) = figures(out, "validation, best: macro F")[-1:]
    assert macro > 0.95  # always both: 0.75
    negative, positive = figures(out, "the case is not ugly -> ")
    assert positive > 0.5 > negative
    assert out.count(" -> negative ") == 4  # three of those to validate on, and what was said
    (tmp_path / "bad.tsv").write_text("fine\t0\nno tab\n")
    said = complaint("sentiment", tmp_path, "--load", "m", "--evaluate", "bad.tsv")
    assert said.startswith("bad.tsv, line 2: ")
    made = [f"{text}\t{','.join(labels)}" for text, labels
            in program("sentiment").made_up_comments()[0][:400]]  # fmt: skip
    for name, lines in (("held.tsv", made), ("good.tsv", [*made, "\t\t0"])):
        (tmp_path / name).write_text("\n".join(lines))
        again = run("sentiment", tmp_path, "--load", "m", "--evaluate", name)
        (found,) = figures(again.splitlines()[-1], f"{name}: macro F1")
        assert found == pytest.approx(macro, abs=0 if name == "held.tsv" else 0.01)


def test_forecast(tmp_path):
    small = ("--hidden", 16, "--epochs", 6, "--window", 24, "--dropout", 0, "--lr", 0.01)
    out = run("forecast", tmp_path, *small, "--save", "m")
    error, persistence, ratio = figures(out, "validation, best: ")
    assert ratio == pytest.approx(error / persistence, abs=2e-3)
    assert ratio < 0.6
    assert (tmp_path / "runs" / "forecast" / "forecast.png").stat().st_size > 5000
    lines = ["month,value", *(f'"{480 // 12}-{m:02}",{100 + m}' for m in range(1, 4))]
    (tmp_path / "next.csv").write_text("\n".join(lines))
    again = run("forecast", tmp_path, "--load", "m", "--evaluate", "next.csv")
    assert len(figures(again, "next.csv: ")) == 3
    months, values = series.made_up_months(480)
    held = [f"{m // 12:04}-{m % 12 + 1:02},{v!r}" for m, v in zip(months, values, strict=True)]
    (tmp_path / "held.csv").write_text("\n".join(["month,value", *held[-96:]]))
    again = run("forecast", tmp_path, "--load", "m", "--evaluate", "held.csv")
    assert figures(again.splitlines()[-1], "held.csv: ") == [error, persistence, ratio]
    (tmp_path / "late.csv").write_text("month,value\n1990-01,3")
    said = complaint("forecast", tmp_path, "--load", "m", "--evaluate", "late.csv")
    assert said == "late.csv: the model does not know the 24 months before it"
    (tmp_path / "bad.csv").write_text("month,value\n0040-01,1\n0040-02,nan")
    said = complaint("forecast", tmp_path, "--load", "m", "--evaluate", "bad.csv")
    assert said == "bad.csv, line 3: nan is not finite"
    (tmp_path / "huge.csv").write_text("month,value\n0040-01,1e308\n0040-02,-1e308")
    with np.errstate(over="ignore"):
        said = complaint("forecast", tmp_path, "--load", "m", "--evaluate", "huge.csv")
    assert said == "huge.csv: the forecasts' error is inf"
    for name, year in (("train", 40), ("val", 41)):
        lines = [f"00{year}-{m:02},{m - 3}" for m in range(1, 13)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["month,value", *lines]))
    said = complaint("forecast", tmp_path, "--data", "train.csv", "--transform", "log")
    assert said == "train.csv: -2.0 has no logarithm"
    said = complaint("forecast", tmp_path, "--data", "train.csv", "--window", 12)
    assert said == "train.csv: 12 months, expected more than --window 12, and values that change"
    (tmp_path / "train.csv").write_text(
        "\n".join(["m,v", *(f"0040-{m:02},5" for m in range(1, 13))])
    )
    said = complaint("forecast", tmp_path, "--data", "train.csv", "--window", 3)
    assert said == "train.csv: 12 months, expected more than --window 3, and values that change"


@pytest.mark.parametrize(
    ("task", "guess", "limit"),
    [
        ("adding", 1 / 6, 1 / 6),
        ("order", 0.75, 0.75),
        # All symbols alike: log 9 = 2.2. To fall below the guess takes it thousands of batches.
        ("copy", 10 * math.log(8) / 40, 0.7),
    ],
)
def test_long_memory(task, guess, limit, tmp_path):
    small = ("--task", task, "--length", 20, "--hidden", 32, "--epochs", 1, "--batch", 16)
    out = run("long_memory", tmp_path, *small, "--lr", 0.01, "--save", "m", "--write", "w.npz")
    (figure,) = figures(out, "gru: validation, best: ")
    assert figure < limit
    assert figures(out, "by guessing: ") == [pytest.approx(guess, abs=1e-4)]
    assert (tmp_path / "runs" / "long_memory" / "gradients.png").stat().st_size > 5000
    again = run("long_memory", tmp_path, "--load", "m", "--evaluate", "w.npz")
    assert figures(again, "w.npz: ") == [figure]
    np.savez(tmp_path / "bad.npz", x=np.zeros((3, 2)))
    said = complaint("long_memory", tmp_path, "--load", "m", "--evaluate", "bad.npz")
    assert said == "bad.npz: expected the arrays x, y"


def test_gradient_vanishes_in_the_rnn_first():
    module = program("long_memory")
    tg.manual_seed(0)
    x, _ = synthetic.adding_problem(np.random.default_rng(0), 100, 16)
    lost = {cell: module.gradient_norms(module.Rememberer("adding", cell, 64), x)
            for cell in ("rnn", "lstm")}  # fmt: skip
    assert all(norms.shape == (100,) for norms in lost.values())
    assert 0 < lost["rnn"][0] < 1e-9 * lost["rnn"][-1]
    assert lost["rnn"][0] < 0.2 * lost["lstm"][0]


def test_gradients_of_a_cell_have_one_colour(tmp_path, monkeypatch):
    drawn, module = [], program("long_memory")
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: drawn.extend(figure.axes))
    fresh = {cell: module.Rememberer("adding", cell, 4) for cell in ("rnn", "gru", "lstm")}
    x, _ = synthetic.adding_problem(np.random.default_rng(0), 5, 2)
    module.draw(tmp_path / "p.png", x, untrained=fresh, trained={"gru": fresh["gru"]})
    whole, part = ({line.get_label(): line.get_color() for line in axes.lines} for axes in drawn)
    assert len(set(whole.values())) == 3
    assert part == {"gru": whole["gru"]}


def test_mlp_baseline(tmp_path):
    small = ("--hidden", 32, "--mlp-hidden", 32, "--length", 8, "--epochs", 2, "--lr", 0.02)
    out = run("mlp_baseline", tmp_path, *small, "--save", "m")
    titles = ("flattened MLP, 3,500 parameters: ", "recurrent, 1,868 parameters: ")
    (mlp,), (rnn,) = (figures(out, f"validation, best, {title}") for title in titles)
    assert rnn < 2.0  # by the letters' frequencies alone 2.37
    assert rnn < mlp
    held_out = synthetic.names(np.random.default_rng(0), 1500)[:300]
    (tmp_path / "n.txt").write_text("\n".join(held_out))
    again = run("mlp_baseline", tmp_path, "--load", "m", "--evaluate", "n.txt")
    assert [figures(again, f"n.txt, {title}") for title in titles] == [[mlp], [rnn]]
    assert again.splitlines()[-1].startswith("n.txt, recurrent")


def test_video_caption_patterns(tmp_path):
    small = ("--hidden", 48, "--batches", 50, "--epochs", 2, "--batch", 32, "--lr", 0.01)
    out = run("video_caption_patterns", tmp_path, *small, "--save", "m", "--write", "c.npz")
    frames, captions = figures(out, "validation, best: ")
    assert frames > 0.2  # by guessing 0.1
    again = run("video_caption_patterns", tmp_path, "--load", "m", "--evaluate", "c.npz")
    assert figures(again.splitlines()[-1], "c.npz: ") == [frames, captions]
    (tmp_path / "bad.npz").write_text("text")
    said = complaint("video_caption_patterns", tmp_path, "--load", "m", "--evaluate", "bad.npz")
    assert said.startswith("bad.npz: no arrays that can be read: ")


# one_hot.py trains nothing, and has no options.
@pytest.mark.parametrize("name", sorted({p.stem for p in EXAMPLES.glob("*.py")} - {"one_hot"}))
def test_help_explains_itself(name, tmp_path):
    code, out, err = call(name, tmp_path, "--help")
    assert (code, err) == (0, "")
    for option in ("--data", "--backend", "--save", "--resume", "--epochs", "--seed", "--evaluate"):
        assert option in out


def test_tagger(tmp_path):
    small = ("--embedding", 16, "--hidden", 16, "--epochs", 1, "--lr", 0.02, "--dropout", 0.1)
    out = run("tagger", tmp_path, *small, "--save", "m", "--say", "they walk the dog .")
    assert out.splitlines()[-1] == "they/PRON walk/VERB the/DET dog/NOUN ./PUNCT"
    assert out.count("./PUNCT\n") == 4  # three sentences to validate on, and what was said
    (right,) = figures(out, "validation, best: ")
    assert right > 95  # the commonest tag of each word: 84
    (tmp_path / "s.tsv").write_text("the\tDET\nwalk\tNOUN\n\nthey\tPRON\nwalk\tVERB\n")
    again = run("tagger", tmp_path, "--load", "m", "--evaluate", "s.tsv")
    assert figures(again, "s.tsv: ") == [100.0]
    (tmp_path / "bad.tsv").write_text("the\tDET\nalone\n")
    said = complaint("tagger", tmp_path, "--load", "m", "--evaluate", "bad.tsv")
    assert said == "bad.tsv, line 2: expected a word, a tab and a tag"
    (tmp_path / "odd.tsv").write_text("they\tPRON\n\nwalk\tVERB\nthe\tARTICLE\n")
    said = complaint("tagger", tmp_path, "--load", "m", "--evaluate", "odd.tsv")
    assert said == "odd.tsv, line 4: the model has no tag 'ARTICLE'"
    said = complaint("tagger", tmp_path, "--load", "m", "--evaluate", "s.tsv", "--longest", 1)
    assert said == "s.tsv, line 1: a sentence of 2 words, expected at most 1"
    (tmp_path / "new.tsv").write_text("żółw\tNOUN\n")  # no letter of it is known
    assert "of 1 words" in run("tagger", tmp_path, "--load", "m", "--evaluate", "new.tsv")
    code, _, err = call("tagger", tmp_path, "--load", "m", "--say", " ")
    assert (code, "--say: there is no word in it" in err) == (2, True)


def test_tagger_with_a_crf(tmp_path):
    names = ["Ada", "Max", "Eve"]
    lines = [f"{a}\tB-person\n{b}\tI-person\nsaw\tO\n{c}\tB-place\n" for a in names for b in names
             for c in ("Rome", "Oslo")]  # fmt: skip
    lines[0] += "<UNK>\tO\n<pad>\tO\n"  # what stands for unknown words is a word here
    (tmp_path / "train.tsv").write_text("\n".join(lines * 5))
    (tmp_path / "dev.tsv").write_text("\n".join(lines))
    small = ("--embedding", 16, "--hidden", 16, "--epochs", 8, "--lr", 0.02, "--dropout", 0)
    out = run("tagger", tmp_path, "--data", tmp_path, "--crf", *small, "--save", "m")
    assert figures(out, "validation, best: ")[-1] > 95  # none: 0
    again = run("tagger", tmp_path, "--load", "m", "--evaluate", "dev.tsv")
    assert figures(again, "dev.tsv: ") == figures(out, "validation, best: ")


@pytest.mark.parametrize("attention", [(), ("--no-attention",)])
def test_translate(attention, tmp_path):
    pytest.importorskip("sacrebleu")
    small = ("--embedding", 24, "--hidden", 32, "--epochs", 14, "--lr", 0.02, "--dropout", 0)
    out = run("translate", tmp_path, *small, *attention, "--batch", 32, "--beam", 2, "--save", "m")
    (bleu,) = figures(out, "validation: greedy, BLEU")
    assert bleu > 25  # "ein hundert ein und zwanzig" for everything: about 12
    drawn = (tmp_path / "runs" / "translate" / "attention.png").exists()
    assert drawn == (not attention)
    (tmp_path / "p.tsv").write_text("one hundred and forty two\tein hundert zwei und vierzig\n")
    again = run("translate", tmp_path, "--load", "m", "--evaluate", "p.tsv")
    assert figures(again, "p.tsv: greedy, BLEU")[0] > 25
    (tmp_path / "new.tsv").write_text("who knows these words ?\twer\n")  # all are <unk>
    again = run("translate", tmp_path, "--load", "m", "--evaluate", "new.tsv")
    assert figures(again, "new.tsv: beam 5, BLEU") == figures(again, "new.tsv: greedy, BLEU") == [0]
    said = complaint("translate", tmp_path, "--load", "m", "--evaluate", "new.tsv", "--longest", 4)
    assert said == "new.tsv, line 1: a sentence of 5 words, expected at most 4"
    (tmp_path / "bad.tsv").write_text("one\tein\nalone\n")
    assert "expected Chatbot" in complaint("chatbot", tmp_path, "--load", "m")
    said = complaint("translate", tmp_path, "--load", "m", "--evaluate", "bad.tsv")
    assert said == "bad.tsv, line 2: expected a sentence, a tab and another"


def test_an_unknown_word_is_a_wrong_one(capsys):
    pytest.importorskip("sacrebleu")
    model = SimpleNamespace(write=lambda texts, beam: ["<unk> two three four five"])
    program("translate").score("pair", model, [("eins zwei", "one two three four five")])
    bleu = 100 * (4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** (1 / 4)  # left out: 78, as three marks: 41
    said = figures(capsys.readouterr().out, "pair: greedy, BLEU")
    assert said == [pytest.approx(bleu, abs=0.01)]


def test_chatbot(tmp_path, monkeypatch):
    small = ("--embedding", 24, "--hidden", 32, "--epochs", 3, "--lr", 0.02, "--dropout", 0)
    out = run("chatbot", tmp_path, *small, "--batch", 32, "--save", "m")
    (perplexity,) = figures(out, "validation, best: perplexity")
    guess = 15 ** (1 / 8)  # five things and three colours, alike; the six other tokens are sure
    assert 1 < perplexity < guess
    lines = iter(["my hat is blue. what do you say?", ""])
    monkeypatch.setattr("builtins.input", lambda prompt: next(lines))
    talked = run("chatbot", tmp_path, "--load", "m", "--talk", "--beam", 1)
    assert "how nice!" in talked
    (tmp_path / "d.tsv").write_text("1\tx\tmy cat is red.\ta red cat, how nice!\n" * 2)
    again = run("chatbot", tmp_path, "--load", "m", "--evaluate", "d.tsv")
    assert 1 < figures(again, "d.tsv: perplexity")[0] < guess
    held_out = program("chatbot").made_up_dialogues()[:200]
    (tmp_path / "held.tsv").write_text("\n".join(map("\t".join, held_out)))
    again = run("chatbot", tmp_path, "--load", "m", "--evaluate", "held.tsv")
    assert figures(again.splitlines()[-1], "held.tsv: perplexity") == [perplexity]
    said = complaint("chatbot", tmp_path, "--load", "m", "--evaluate", "d.tsv", "--longest", 6)
    assert said == "d.tsv, line 1: a turn of 7 words, expected at most 6"


@pytest.mark.parametrize("name", ["long_memory", "video_caption_patterns"])
def test_data_is_refused_by_what_makes_its_own(name, tmp_path):
    assert "are made as needed" in complaint(name, tmp_path, "--data", tmp_path)
