"""What programs keep: options of a training and settings of a model, neither believed blindly."""

import task_runs


def test_resuming_generated_batches_of_another_shape_is_refused(tmp_path):
    options = ("--hidden", 4, "--epochs", 1, "--length", 5, "--batch", 2, "--cell", "rnn")
    task_runs.run("long_memory", tmp_path, *options)
    for name, new, was in (("--length", 6, 5), ("--batch", 3, 2), ("--seed", 1, 0)):
        line = task_runs.complaint("long_memory", tmp_path, *options, "--resume", name, new)
        assert f"--resume: {name} is {new}, the checkpoint was trained with {was} (" in line
