"""What all tests share: the backends that one test body is run on, and Hypothesis' settings."""

import os

import engine.strict_backend  # noqa: F401 (registers the backend "strict")
import pytest
from hypothesis import settings

import tinygrad_seq as tg
from tinygrad_seq.engine.backend import get_backend

CHOSEN = os.environ.get("TINYGRAD_SEQ_TEST_BACKEND")
"""A backend that tests run on alone, and that must then be there (`make test-gpu`)."""

BACKENDS = [CHOSEN] if CHOSEN else ["numpy", "strict", "cupy"]

settings.register_profile("tinygrad_seq", deadline=None)
settings.load_profile("tinygrad_seq")


def pytest_configure(config):
    if CHOSEN:
        try:
            get_backend(CHOSEN)
        except (RuntimeError, ValueError) as error:
            raise pytest.UsageError(f"TINYGRAD_SEQ_TEST_BACKEND={CHOSEN}: {error}") from error


@pytest.fixture(params=BACKENDS)
def backend_name(request):
    """The name of a backend that is the default one while the test runs."""
    name = request.param
    try:
        get_backend(name)
    except RuntimeError as error:
        pytest.skip(str(error))
    with tg.backend(name):
        yield name
