"""Every failure names what the numbers were computed with: their last bits depend on it."""

import pytest
import torch

from taskshare import device


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
