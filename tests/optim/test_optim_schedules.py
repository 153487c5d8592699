"""Learning rates over time: PyTorch's sequences, resuming, and bad input."""

import json
import math

import numpy as np
import pytest
from golden.optim_cases import LEARNING_RATES, SCHEDULE_STEPS, SCHEDULES
from golden.store import read

import tinygrad_seq as tg
from tinygrad_seq import optim


def two_groups():
    leaves = [tg.tensor([1.0], requires_grad=True) for _ in LEARNING_RATES]
    groups = [{"params": [p], "lr": lr} for p, lr in zip(leaves, LEARNING_RATES, strict=True)]
    return optim.SGD(groups)


def rates(optimizer):
    return [group["lr"] for group in optimizer.param_groups]


def advance(schedule, case, steps):
    """Return the rates in force at each of these steps."""
    found = []
    for step in steps:
        found.append(rates(schedule.optimizer))
        schedule.step(*(() if case.metrics is None else (case.metrics[step],)))
        assert schedule.get_last_lr() == rates(schedule.optimizer)
    return np.array(found)


def near(found, wanted):
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("case", SCHEDULES, ids=lambda case: case.name)
def test_rates_are_pytorchs(case):
    schedule = getattr(optim, case.schedule)(two_groups(), **case.options)
    wanted = read(case.file, case.name)["lr"]
    near(advance(schedule, case, range(SCHEDULE_STEPS)), wanted)


@pytest.mark.parametrize("case", SCHEDULES, ids=lambda case: case.name)
@pytest.mark.parametrize("order", ["optimizer first", "schedule first"])
def test_resumed_equals_uninterrupted(case, order, tmp_path):
    whole = getattr(optim, case.schedule)(two_groups(), **case.options)
    advance(whole, case, range(13))
    saved = {"optimizer": whole.optimizer.state_dict(), "schedule": whole.state_dict()}
    assert json.loads(json.dumps(saved["schedule"], allow_nan=False)) == saved["schedule"]
    tg.save_checkpoint(tmp_path / "c", saved)
    loaded = tg.load_checkpoint(tmp_path / "c")
    optimizer = two_groups()
    if order == "optimizer first":
        optimizer.load_state_dict(loaded["optimizer"])
    resumed = getattr(optim, case.schedule)(optimizer, **case.options)
    resumed.load_state_dict(loaded["schedule"])
    if order == "schedule first":
        optimizer.load_state_dict(loaded["optimizer"])
    left = range(13, SCHEDULE_STEPS)
    np.testing.assert_array_equal(advance(resumed, case, left), advance(whole, case, left))
    assert resumed.state_dict() == whole.state_dict()


@pytest.mark.parametrize("case", SCHEDULES, ids=lambda case: case.name)
def test_a_loaded_schedule_sets_its_rates(case):
    whole = getattr(optim, case.schedule)(two_groups(), **case.options)
    advance(whole, case, range(27))
    assert rates(whole.optimizer) != list(LEARNING_RATES)
    fresh = getattr(optim, case.schedule)(two_groups(), **case.options)
    fresh.load_state_dict(whole.state_dict())
    assert rates(fresh.optimizer) == rates(whole.optimizer)


def test_warmup_cosine_is_its_formula():
    wanted = read("optim", "LambdaLR-warmup-cosine")["lr"]
    schedule = optim.WarmupCosine(two_groups(), 6, 25, floor=0.1)
    near(advance(schedule, SCHEDULES[0], range(SCHEDULE_STEPS)), wanted)


def test_warmup_cosine_without_warmup_ends_at_zero():
    schedule = optim.WarmupCosine(two_groups(), 0, 4)
    found = advance(schedule, SCHEDULES[0], range(7))[:, 0]
    half = math.sqrt(0.5) / 2
    near(found, 0.1 * np.array([1, 0.5 + half, 0.5, 0.5 - half, 0, 0, 0]))


def test_lambda_of_each_group():
    schedule = optim.LambdaLR(two_groups(), [lambda t: 1 + t, lambda t: np.float32(0.5)])
    schedule.step()
    assert rates(schedule.optimizer) == [0.2, 0.01]
    assert {type(rate) for rate in schedule.get_last_lr()} == {float}


@pytest.mark.parametrize(
    "make",
    [
        lambda o: optim.StepLR(o, 1),
        lambda o: optim.MultiStepLR(o, [1]),
        lambda o: optim.ExponentialLR(o, 0.5),
        lambda o: optim.CosineAnnealingLR(o, 7, 0.001),
        lambda o: optim.ReduceLROnPlateau(o),
    ],
)
def test_making_a_schedule_leaves_the_rates(make):
    optimizer = two_groups()
    make(optimizer)
    assert rates(optimizer) == list(LEARNING_RATES)


def test_cosine_reaches_eta_min():
    schedule = optim.CosineAnnealingLR(two_groups(), 3, 0.001)
    for _ in range(3):
        schedule.step()
    assert schedule.get_last_lr() == [0.001, 0.001]


def test_infinite_metrics_are_never_better():
    schedule = optim.ReduceLROnPlateau(two_groups(), patience=1)
    for metric in (math.inf, -math.inf):
        schedule.step(metric)
    assert schedule.best is None
    near(rates(schedule.optimizer), [0.01, 0.002])
    schedule.step(tg.tensor(2.0))
    schedule.step(-math.inf)
    assert (schedule.best, schedule.num_bad_epochs) == (2.0, 1)


def test_nan_metric_raises_and_changes_nothing():
    schedule = optim.ReduceLROnPlateau(two_groups(), patience=0)
    schedule.step(1.0)
    before = schedule.state_dict()
    with pytest.raises(FloatingPointError, match="metrics is NaN"):
        schedule.step(math.nan)
    assert schedule.state_dict() == before


@pytest.mark.parametrize(
    ("make", "error", "named"),
    [
        (lambda o: optim.StepLR("sgd", 1), TypeError, "StepLR: optimizer is a str"),
        (lambda o: optim.StepLR(o, 0), ValueError, "step_size is 0, expected 1 or more"),
        (lambda o: optim.StepLR(o, 2.0), TypeError, "step_size is 2.0"),
        (lambda o: optim.StepLR(o, 1, -0.1), ValueError, "gamma is -0.1"),
        (lambda o: optim.MultiStepLR(o, [3, -1]), ValueError, r"milestones\[1\] is -1"),
        (lambda o: optim.ExponentialLR(o, math.nan), ValueError, "gamma is nan"),
        (lambda o: optim.ExponentialLR(o, "x"), TypeError, "gamma is 'x'"),
        (lambda o: optim.CosineAnnealingLR(o, 0), ValueError, "T_max is 0"),
        (lambda o: optim.CosineAnnealingLR(o, 5, -1), ValueError, "eta_min is -1"),
        (lambda o: optim.LambdaLR(o, 3), TypeError, r"lr_lambda\[0\] is 3"),
        (lambda o: optim.LambdaLR(o, [abs]), ValueError, "1 functions in lr_lambda for 2"),
        (lambda o: optim.LambdaLR(o, lambda t: -1.0), ValueError, "LambdaLR: lr at step 0 is -0.1"),
        (lambda o: optim.LambdaLR(o, lambda t: None), TypeError, "result is None"),
        (lambda o: optim.WarmupCosine(o, 5, 5), ValueError, "warmup is 5, expected less than"),
        (lambda o: optim.WarmupCosine(o, -1, 5), ValueError, "warmup is -1"),
        (lambda o: optim.WarmupCosine(o, 1, 5, 1.5), ValueError, "floor is 1.5"),
        (lambda o: optim.ReduceLROnPlateau(o, "least"), ValueError, "mode is 'least'"),
        (lambda o: optim.ReduceLROnPlateau(o, factor=1.0), ValueError, "factor is 1.0"),
        (lambda o: optim.ReduceLROnPlateau(o, patience=-1), ValueError, "patience is -1"),
        (lambda o: optim.ReduceLROnPlateau(o, threshold=-1), ValueError, "threshold is -1"),
        (lambda o: optim.ReduceLROnPlateau(o, threshold_mode=0), ValueError, "threshold_mode is 0"),
        (lambda o: optim.ReduceLROnPlateau(o, cooldown=0.5), TypeError, "cooldown is 0.5"),
        (lambda o: optim.ReduceLROnPlateau(o, min_lr=[0.1]), ValueError, "min_lr is .* 2 numbers"),
        (lambda o: optim.ReduceLROnPlateau(o, min_lr=[0, -1]), ValueError, r"min_lr\[1\] is -1"),
        (lambda o: optim.ReduceLROnPlateau(o).step([1]), TypeError, "metrics is"),
    ],
)
def test_bad_settings(make, error, named):
    optimizer = two_groups()
    with pytest.raises(error, match=named):
        make(optimizer)
    assert rates(optimizer) == list(LEARNING_RATES)


@pytest.mark.parametrize(
    ("make", "bad"),
    [
        (optim.ExponentialLR, {"last_epoch": -1}),
        (optim.ExponentialLR, {"last_epoch": 1.0}),
        (optim.ExponentialLR, {"base_lrs": [0.1]}),
        (optim.ExponentialLR, {"base_lrs": [0.1, math.nan]}),
        (optim.ExponentialLR, {"base_lrs": [0.1, "x"]}),
        (optim.ExponentialLR, {"more": 1}),
        (lambda o, _: optim.ReduceLROnPlateau(o), {"best": math.nan}),
        (lambda o, _: optim.ReduceLROnPlateau(o), {"best": "x"}),
        (lambda o, _: optim.ReduceLROnPlateau(o), {"cooldown_counter": True}),
        (lambda o, _: optim.ReduceLROnPlateau(o), {"lrs": [0.1, -0.1]}),
        (lambda o, _: optim.ReduceLROnPlateau(o), {"more": 1}),
    ],
)
def test_bad_state_changes_nothing(make, bad):
    schedule = make(two_groups(), 0.5)
    before = schedule.state_dict()
    with pytest.raises(ValueError, match=r"load_state_dict: .*" + next(iter(bad))):
        schedule.load_state_dict({**before, **bad})
    for no_state in (None, [], {}):
        with pytest.raises(ValueError, match="expected a mapping with"):
            schedule.load_state_dict(no_state)
    assert schedule.state_dict() == before
    assert rates(schedule.optimizer) == list(LEARNING_RATES)


def test_a_group_added_later_is_refused():
    schedules = [optim.StepLR(two_groups(), 1), optim.ReduceLROnPlateau(two_groups())]
    for schedule in schedules:
        schedule.optimizer.add_param_group({"params": tg.tensor([1.0], requires_grad=True)})
    with pytest.raises(ValueError, match="made for 2 parameter groups, the optimizer now has 3"):
        schedules[0].step()
    with pytest.raises(ValueError, match="made for 2 parameter groups, the optimizer now has 3"):
        schedules[1].step(1.0)
    assert [s.last_epoch for s in schedules] == [0, 0]
