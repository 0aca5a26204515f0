"""Every failure names what the numbers were computed with: their last bits depend on it. Errors have remedies."""

from contextlib import contextmanager

import pytest
import torch

from taskshare import device
from taskshare.errors import TaskshareError


def computed_with() -> str:
    """The instruction set, with the limits that the environment sets, and the number of threads."""
    return f"{device.describe(torch.device('cpu'))['instructions']}, threads: {torch.get_num_threads()}"


def pytest_report_header() -> str:
    return f"computed with: {computed_with()}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    report = yield
    if report.failed:
        report.sections.append(("computed with", computed_with()))
    return report


@pytest.fixture
def refused(request):
    """A block that must end with the message of the test's mark `remedy`, as one line; the remedy comes after it."""
    (message,) = request.node.get_closest_marker("remedy").args
    met = []

    @contextmanager
    def block():
        with pytest.raises(TaskshareError) as caught:
            yield caught
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)
        met.append(message)

    yield block
    assert met
