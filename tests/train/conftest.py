"""What the tests of the trainer share."""

import pytest

from tinygrad_seq.train import History


@pytest.fixture
def no_pictures(monkeypatch):
    """Trainings that draw no loss.png: where the picture is not the point, it takes most time."""
    monkeypatch.setattr(History, "save_picture", lambda self, path: None)
