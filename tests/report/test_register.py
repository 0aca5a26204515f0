"""The published numbers and the deviation register agree with the paper's text and with the configuration."""

import types
from typing import Annotated, Any, Union, get_args, get_origin

import pytest
from pydantic import BaseModel, TypeAdapter, create_model

from taskshare import config
from taskshare.config.tasks import LANDMARK_POINTS, answers
from taskshare.demo.attributes import ATTRIBUTES, POSITIVE_RATES
from taskshare.errors import TaskshareError
from taskshare.evaluation.published import PublishedChanges, PublishedTable, load_deviations, load_published

from .conftest import REPORTS, load_params

DEVIATIONS = load_deviations(REPORTS / "deviations.yaml")
SWITCHES = [(entry.id, switch) for entry in DEVIATIONS for switch in entry.switches]
PUBLISHED = load_published(REPORTS / "published")
TABLES = {name: entry for name, entry in PUBLISHED.items() if isinstance(entry, PublishedTable)}
NETWORKS = create_model("Networks", subnet=(config.Network, ...), vgg=(config.VggNetwork, ...))
# Parts of a scale that params.yaml gives in part only, by the name of their field.
PARTIAL = {"training": config.Training, "network": NETWORKS, "runs": dict[str, config.RunSpec]}
NOT_RUN = {"Liu 2015 w/o pre-training", "FaceTracer", "PANDA-w", "PANDA-l", "LNets+ANet"}


def options(kind: Any) -> list[Any]:
    """The members of a union, and what annotations wrap."""
    if get_origin(kind) is Annotated:
        return options(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType):
        return [option for member in get_args(kind) for option in options(member)]
    return [kind]


def below(kind: Any, part: str) -> list[Any]:
    """Type of a key in a model or a mapping, or nothing if it has no such key."""
    if get_origin(kind) is dict:
        return [get_args(kind)[1]]
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)) or part not in kind.model_fields:
        return []
    field = kind.model_fields[part]
    if part in PARTIAL and field.annotation == dict[str, Any]:
        return [PARTIAL[part]]
    if part in PARTIAL and get_args(field.annotation)[1:] == (dict[str, Any],):
        return [dict[str, PARTIAL[part]] if part == "training" else PARTIAL[part]]
    return [Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation]


def resolve(key: str) -> Any:
    """Type, with its constraints, of a dotted key of params.yaml."""
    kinds: list[Any] = [config.Params]
    for part in key.split("."):
        kinds = [found for kind in kinds for option in options(kind) for found in below(option, part)]
        if not kinds:
            raise KeyError(f"{key}: no {part}")
    return Union[tuple(kinds)]  # noqa: UP007


@pytest.mark.parametrize(("entry", "switch"), SWITCHES, ids=[f"{entry}:{switch.key}" for entry, switch in SWITCHES])
def test_every_switch_is_a_field_that_allows_its_values(entry, switch):
    adapter = TypeAdapter(resolve(switch.key))
    for value in switch.values:
        adapter.validate_python(value)


@pytest.mark.parametrize(
    "key", ["runs.NAME.network.transfer.no_such_key", "runs.NAME.network.heads", "scales.mini.network.vgg.kernels"]
)
def test_a_switch_that_does_not_exist_is_noticed(key):
    with pytest.raises(KeyError):
        resolve(key)


def test_the_first_value_of_a_run_switch_is_what_runs_get_by_default():
    networks = [config.Network(scheme="dynamic"), config.VggNetwork(backbone="vgg", scheme="separation")]
    defaults = {
        "runs.NAME.network.transfer": [config.Transfer()],
        "runs.NAME.network": networks,
        "runs.NAME.training": [config.Training()],
        "runs.NAME.parent": [config.Parent(run="any", add=["any"])],
    }
    for _, switch in SWITCHES:
        model, _, field = switch.key.rpartition(".")
        if model in defaults:
            found = [getattr(default, field) for default in defaults[model] if hasattr(default, field)]
            assert found == [switch.values[0]], switch.key


def test_named_scales_and_data_sets_of_the_register_exist():
    params = load_params()
    for _, switch in SWITCHES:
        first, second = switch.key.split(".")[:2]
        if second != "NAME":
            assert second in getattr(params, first), switch.key


def test_switches_with_a_name_begin_with_what_params_yaml_has():
    named = [switch for _, switch in SWITCHES if not {"NAME", "DATASET"} & set(switch.key.split("."))]
    for switch in named:
        found: Any = load_params()
        for part in switch.key.split("."):
            found = found[part] if isinstance(found, dict) else getattr(found, part)
        assert found == switch.values[0], switch.key
    assert len(named) > 10


@pytest.mark.parametrize(("paper", "readings"), [("fang2017", 25), ("matsui2019", 12)])
def test_every_reading_of_a_paper_is_registered(paper, readings):
    wanted = [f"{paper}-{number}" for number in range(1, readings + 1)]
    assert wanted == [entry.id for entry in DEVIATIONS if entry.id.startswith(paper)]


def test_a_network_of_one_backbone_has_no_switch_of_the_other():
    assert resolve("runs.NAME.network.head") == config.VggNetwork.model_fields["head"].annotation
    assert resolve("runs.NAME.network.padding") == config.Network.model_fields["padding"].annotation


def test_readings_that_published_entries_name_are_registered():
    named = {reading for entry in PUBLISHED.values() for reading in entry.readings}
    assert named <= {entry.id for entry in DEVIATIONS}
    assert len(named) > 10


def values(name: str, row: str) -> list[float]:
    return list(TABLES[f"fang2017-{name}"].rows[row].values.values())


def test_tables_1_and_2_have_the_papers_numbers_on_both_samplings():
    for sampling in ("resampled", "original"):
        assert values("table1", f"ST, {sampling}") == [91.8, 91.7, 92.0, 89.1, 92.5, 91.8, 86.0]
        assert values("table1", f"MT, {sampling}") == [92.5, 92.6, 92.0, 89.4, 92.6, 91.9, 86.2]
        assert values("table2", f"ST, {sampling}") == [92.0, 91.8, 92.0, 92.5, 92.0, 81.1]
        assert values("table2", f"MT, {sampling}") == [91.6, 91.9, 92.2, 92.4, 91.4, 81.7]


def test_table_3_has_the_papers_numbers():
    assert values("table3", "ST, original") == [56.4, 82.2, 58.6, 73.3]
    assert values("table3", "MT, original") == [79.4, 89.1, 60.3, 78.7]
    assert values("table3", "DMT, original") == [80.1, 91.2, 62.0, 79.3]
    assert values("table3", "ST, resampled") == [95.5, 95.3, 90.9, 93.7]
    assert values("table3", "MT, resampled") == [96.2, 95.5, 91.2, 94.1]
    assert values("table3", "DMT, resampled") == [96.2, 96.0, 91.9, 94.1]
    assert list(TABLES["fang2017-table3"].minority.values()) == [0.02, 0.05, 0.04, 0.06]


def test_tables_4_and_5_have_the_papers_numbers():
    assert values("table4", "MT") == [93.9, 89.7, 86.0, 91.9, 93.1, 91.8, 92.7]
    assert values("table4", "DMT") == [94.9, 89.8, 86.5, 92.6, 93.9, 92.1, 93.2]
    assert values("table4", "DMT after removal") == [93.1, 89.1, 85.8, 91.2, 91.7]
    assert values("table4", "Liu 2015 w/o pre-training") == [92, 85, 84, 92, 91, 88, 90]
    assert not TABLES["fang2017-table4"].rows["Liu 2015 w/o pre-training"].comparable
    assert values("table5", "ST") == [73.8, 88.8, 89.2, 89.9, 88.4]
    assert values("table5", "MT") == [73.9, 89.1, 89.6, 90.4, 90.0]
    assert values("table5", "DMT") == [73.9, 89.4, 90.7, 91.2, 90.0]


def test_table_6_has_the_papers_numbers():
    entry = PUBLISHED["fang2017-table6"]
    assert isinstance(entry, PublishedChanges)
    order = ["Goatee", "Heavy_Makeup", "High_Cheekbones", "No_Beard", "Smiling"]
    assert list(entry.rows) == order
    assert all(list(row) == order for row in entry.rows.values())
    assert [list(row.values()) for row in entry.rows.values()] == [
        [6, 10, 4, 7, 3],
        [11, 15, 3, 3, 8],
        [3, 0, 9, 1, 1],
        [-2, 7, 3, 9, 3],
        [1, 2, -2, 0, -2],
    ]


@pytest.mark.parametrize("name", TABLES)
def test_published_columns_rows_and_differences_are_those_of_the_experiment(name):
    params, table = load_params(), TABLES[name]
    experiment = params.experiments[name]
    labels = params.datasets["celeba"].labels
    names = [answer for task in params.spec(experiment.run_names[0]).tasks for answer in answers(task, labels)]
    measured = [name for name in names if (name in LANDMARK_POINTS) == (experiment.metric == "detection_rate")]
    assert list(table.columns) == (experiment.columns or measured)
    assert set(table.rows) - set(experiment.rows) <= NOT_RUN
    assert not any(table.rows[label].comparable for label in NOT_RUN & set(table.rows))
    assert {label for pair in table.differences for label in pair} <= set(experiment.rows)


def test_table_6_has_the_tasks_that_the_removal_left():
    params = load_params()
    assert list(PUBLISHED["fang2017-table6"].rows) == params.spec(params.experiments["fang2017-table6"].after).tasks


def test_the_register_ranks_the_attributes_of_table_3_as_celeba_does():
    minority = {name: min(rate, 1 - rate) for name, rate in zip(ATTRIBUTES, POSITIVE_RATES, strict=True)}
    ranked = sorted(minority, key=minority.get)
    ranks = [ranked.index(name) + 1 for name in ("Bald", "Wearing_Hat", "Mustache", "Goatee")]
    entry = next(entry for entry in DEVIATIONS if entry.id == "fang2017-24")
    words = "rank {} (Bald), {} (Wear.Hat), {} (Mustache) and {} (Goatee)"
    assert words.format(*ranks) in entry.why
    assert ranked[2:5] == ["Gray_Hair", "Pale_Skin", "Double_Chin"]
    assert ranked[6:9] == ["Blurry", "Sideburns", "Chubby"]


def test_a_mistyped_column_is_named(tmp_path):
    row = "{title: t, source: s, metric: m, question: q, columns: {A: a}, "
    (tmp_path / "x.yaml").write_text(f"x: {row} rows: {{ST: {{comparable: true, values: {{B: 1}}}}}}}}\n")
    with pytest.raises(TaskshareError, match="row 'ST': no column 'B'; allowed: A"):
        load_published(tmp_path)
