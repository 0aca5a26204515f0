"""The tutorials of docs/, followed word for word in a copy of the project."""

import pytest

from .conftest import PROJECT, Workspace
from .tutorials import follow


@pytest.mark.slow
@pytest.mark.parametrize("page", ["own-data", "own-scheme"])
def test_a_tutorial_works_word_for_word(page, tmp_path):
    project = Workspace(tmp_path / "taskshare").fill()
    environment = project.environment(PYTHONPATH=str(project.folder / "src"), CUDA_VISIBLE_DEVICES="")
    follow(PROJECT / "docs" / f"{page}.md", project.folder, environment)
