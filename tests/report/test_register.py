"""The published numbers and the deviation register agree with the paper's text and with the configuration."""

import types
from typing import Annotated, Any, Union, get_args, get_origin

import pytest
from pydantic import BaseModel, TypeAdapter

from taskshare import config
from taskshare.errors import TaskshareError
from taskshare.report.published import load_deviations, load_published

from .conftest import REPORTS, load_params

DEVIATIONS = load_deviations(REPORTS / "deviations.yaml")
SWITCHES = [(entry.id, switch) for entry in DEVIATIONS for switch in entry.switches]


def resolve(key: str) -> Any:
    """Type, with its constraints, of a dotted key of params.yaml; `training` and `network` of a scale are partial."""
    kind: Any = config.Params
    for part in key.split("."):
        if get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
        if get_origin(kind) in (Union, types.UnionType):
            kind = next(option for option in get_args(kind) if option is not type(None))
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            field = kind.model_fields[part]
            partial = {"training": config.Training, "network": config.Network}
            if field.annotation == dict[str, Any]:
                kind = partial[part]
            elif field.annotation == dict[str, dict[str, Any]] and part == "training":
                kind = dict[str, config.Training]
            else:
                kind = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
        else:
            assert get_origin(kind) is dict, f"{key}: {part} stands below a value"
            kind = get_args(kind)[1]
    return kind


@pytest.mark.parametrize(("entry", "switch"), SWITCHES, ids=[f"{entry}:{switch.key}" for entry, switch in SWITCHES])
def test_every_switch_is_a_field_that_allows_its_values(entry, switch):
    adapter = TypeAdapter(resolve(switch.key))
    for value in switch.values:
        adapter.validate_python(value)


def test_a_switch_that_does_not_exist_is_noticed():
    with pytest.raises(KeyError):
        resolve("runs.NAME.network.transfer.no_such_key")


def test_the_first_value_of_a_run_switch_is_what_runs_get_by_default():
    defaults = {
        "runs.NAME.network.transfer": config.Transfer(),
        "runs.NAME.network": config.Network(scheme="dynamic"),
        "runs.NAME.training": config.Training(),
    }
    for _, switch in SWITCHES:
        model, _, field = switch.key.rpartition(".")
        if model in defaults:
            assert getattr(defaults[model], field) == switch.values[0], switch.key


def test_named_scales_and_data_sets_of_the_register_exist():
    params = load_params()
    for _, switch in SWITCHES:
        first, second = switch.key.split(".")[:2]
        if second != "NAME":
            assert second in getattr(params, first), switch.key


def test_every_reading_of_tables_4_and_5_is_registered():
    wanted = {f"fang2017-{number}" for number in [*range(1, 17), 23, 24, 25]}
    assert wanted <= {entry.id for entry in DEVIATIONS}


def test_published_tables_have_the_papers_numbers():
    tables = load_published(REPORTS / "published")
    fourth, fifth = tables["fang2017-table4"].rows, tables["fang2017-table5"].rows
    assert list(fourth["MT"].values.values()) == [93.9, 89.7, 86.0, 91.9, 93.1, 91.8, 92.7]
    assert list(fourth["DMT"].values.values()) == [94.9, 89.8, 86.5, 92.6, 93.9, 92.1, 93.2]
    assert list(fourth["DMT after removal"].values.values()) == [93.1, 89.1, 85.8, 91.2, 91.7]
    assert list(fourth["Liu 2015 w/o pre-training"].values.values()) == [92, 85, 84, 92, 91, 88, 90]
    assert not fourth["Liu 2015 w/o pre-training"].comparable
    assert list(fifth["ST"].values.values()) == [73.8, 88.8, 89.2, 89.9, 88.4]
    assert list(fifth["MT"].values.values()) == [73.9, 89.1, 89.6, 90.4, 90.0]
    assert list(fifth["DMT"].values.values()) == [73.9, 89.4, 90.7, 91.2, 90.0]


def test_published_columns_are_the_tasks_of_the_runs():
    params = load_params()
    for name, table in load_published(REPORTS / "published").items():
        for run in params.experiments[name].rows.values():
            assert list(table.columns) == params.runs[run].tasks


def test_a_mistyped_column_is_named(tmp_path):
    row = "{title: t, source: s, unit: percent, metric: m, question: q, columns: {A: a}, "
    (tmp_path / "x.yaml").write_text(f"x: {row} rows: {{ST: {{comparable: true, values: {{B: 1}}}}}}}}\n")
    with pytest.raises(TaskshareError, match="row 'ST': no column 'B'; allowed: A"):
        load_published(tmp_path)
