"""The numbers of Matsui 2019 are those of its tables, and what it says against itself follows from them."""

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import jinja2
import pytest

from taskshare import config
from taskshare.config.tasks import LANDMARK_POINTS, answers
from taskshare.errors import TaskshareError
from taskshare.evaluation.published import (
    MEAN,
    PublishedArchitecture,
    PublishedTable,
    load_contradictions,
    load_deviations,
    load_published,
)
from taskshare.networks.shapes import KERNEL, layer_plan

from .conftest import REPORTS, load_params

PUBLISHED = {name: entry for name, entry in load_published(REPORTS / "published").items() if name.startswith("matsui")}
CONTRADICTIONS = load_contradictions(REPORTS / "contradictions.yaml")
PLAIN, CHANNELWISE, TUNED = "Separation", "Separation, 1×1", "Separation, 1×1, fine-tuned"

# Both halves of Table 3 as they are printed, 21 and 19 attributes and the average.
TABLE_3 = {
    PLAIN: """93 81 80 83 98 95 69 82 85 94 95 84 91 95 96 99 97 97 89 85 97
        92 96 86 95 71 96 74 92 94 97 91 79 78 87 98 93 84 95 86 89""",
    CHANNELWISE: """93 80 79 82 98 95 69 81 85 94 95 85 91 95 95 99 96 97 89 85 97
        92 96 86 95 70 96 74 91 94 97 91 79 78 87 98 92 84 95 85 89""",
    TUNED: """93 81 80 83 98 95 70 83 85 94 95 86 91 95 96 99 97 98 90 85 97
        93 96 86 95 72 96 75 92 94 97 91 80 79 88 98 93 85 95 86 90""",
    "Baseline": """93 81 80 83 98 95 69 82 85 94 95 85 91 95 96 99 97 97 89 86 97
        93 96 86 95 71 96 74 92 94 97 91 80 79 88 98 93 85 95 86 89""",
    "FaceTracer": """85 76 78 76 89 88 64 74 70 80 81 60 80 86 88 98 93 90 85 84 91
        87 91 82 90 64 83 68 76 84 94 89 63 73 73 89 89 68 86 80 81""",
    "PANDA-w": """82 73 77 71 92 89 61 70 74 81 77 69 76 82 85 94 86 88 84 80 93
        82 83 79 87 62 84 65 82 81 90 89 67 76 72 91 88 67 88 77 79""",
    "PANDA-l": """88 78 81 79 96 92 67 75 85 93 86 77 86 86 88 98 93 94 90 86 97
        93 93 84 93 65 91 71 85 87 93 92 69 77 78 96 93 67 91 84 85""",
    "LNets+ANet": """91 79 81 79 98 95 68 78 88 95 84 80 90 91 92 99 95 97 90 87 98
        92 95 81 95 66 91 72 89 90 96 92 73 80 82 99 93 71 93 87 87""",
}


def rows(name: str) -> dict[str, dict[str, float]]:
    entry = PUBLISHED[f"matsui2019-{name}"]
    assert isinstance(entry, PublishedTable)
    return {label: dict(row.values) for label, row in entry.rows.items()}


def columns_of(row: dict[str, float]) -> dict[str, float]:
    return {column: value for column, value in row.items() if column != MEAN}


def mean(row: dict[str, float]) -> Fraction:
    values = [Fraction(str(value)) for value in columns_of(row).values()]
    return sum(values) / len(values)


def rounded(value: Fraction, step: str) -> float:
    return float((Decimal(value.numerator) / Decimal(value.denominator)).quantize(Decimal(step), ROUND_HALF_UP))


def words(number: int) -> str:
    entry = next(entry for entry in CONTRADICTIONS if entry.id == f"matsui2019-contradiction-{number}")
    return f"{entry.says} {entry.but} {entry.so}"


def test_table_2_has_the_papers_numbers_and_its_means_follow_from_them():
    assert {label: list(row.values()) for label, row in rows("table2").items()} == {
        PLAIN: [97.7, 98.0, 87.5, 94.9, 94.7, 94.6],
        CHANNELWISE: [96.9, 97.0, 82.2, 93.1, 93.0, 92.4],
        TUNED: [96.1, 96.0, 50.6, 85.4, 85.1, 82.6],
        "Baseline": [96.3, 96.5, 54.0, 92.0, 91.9, 86.1],
    }
    for row in rows("table2").values():
        assert list(row) == [*LANDMARK_POINTS, MEAN]
        assert row[MEAN] == rounded(mean(row), "0.1")


def test_table_3_has_the_papers_numbers():
    labels = load_params().datasets["celeba"].labels
    printed = {
        label: dict(zip([*labels, MEAN], map(int, text.split()), strict=True)) for label, text in TABLE_3.items()
    }
    assert rows("table3") == printed
    assert list(rows("table3")) == list(TABLE_3)


def test_the_means_of_table_3_are_those_that_the_report_gives():
    means = {label: rounded(mean(row), "0.01") for label, row in rows("table3").items()}
    assert means == {
        PLAIN: 89.23, CHANNELWISE: 89.00, TUNED: 89.55, "Baseline": 89.40,
        "FaceTracer": 81.13, "PANDA-w": 79.85, "PANDA-l": 85.43, "LNets+ANet": 87.30,
    }  # fmt: skip
    note = PUBLISHED["matsui2019-table3"].note
    for label in (PLAIN, CHANNELWISE, TUNED, "Baseline"):
        assert f"{means[label]:.2f}" in note
        assert f"{means[label]:.2f}" in words(1)


def test_the_printed_means_of_table_3_are_rounded_but_for_one_that_is_named():
    wrong = {label for label, row in rows("table3").items() if row[MEAN] != rounded(mean(row), "1")}
    assert wrong == {"PANDA-w"}
    table = PUBLISHED["matsui2019-table3"]
    assert isinstance(table, PublishedTable)
    assert "79; its columns give 79.85" in table.rows["PANDA-w"].note
    assert "79.85, which rounds to 80" in words(9)


def test_table_4_has_the_papers_means_and_nothing_else():
    printed = {"landmarks": [92.9, 80.4, 95.5, 79.5, 95.2, 78.8], "attributes": [89.9, 88.8, 89.8, 88.8, 89.9, 88.8]}
    for task, means in printed.items():
        assert list(rows(f"table4-{task}").values()) == [{MEAN: value} for value in means]
        assert list(rows(f"table4-{task}")) == [
            f"{net}, {point}" for point in ("Conv1-2", "Conv2-2", "Conv3-3") for net in ("Baseline", "Changed Ours")
        ]


def test_table_1_is_what_a_net_is_built_from_by_default():
    printed = PUBLISHED["matsui2019-table1"]
    assert isinstance(printed, PublishedArchitecture)
    network = config.VggNetwork(backbone="vgg", scheme="separation")
    plan = layer_plan(network, printed.input.size)
    assert [(row.name, row.channels, row.pool) for row in printed.rows] == [
        (layer.name, layer.channels, layer.pool) for layer in plan
    ]
    assert {row.kernel for row in printed.rows} == {KERNEL}
    assert printed.fully_connected == network.fully_connected
    labels = load_params().datasets["celeba"].labels
    assert printed.outputs == [2 * len(answers(task, labels)) for task in ("landmarks", "attributes")]
    assert printed.input.channels == 3


def compare(first: str, second: str) -> tuple[int, int]:
    """At how many attributes one row of Table 3 is higher, and lower, than another."""
    pairs = [(rows("table3")[first][name], rows("table3")[second][name]) for name in columns_of(rows("table3")[first])]
    return sum(a > b for a, b in pairs), sum(a < b for a, b in pairs)


def test_what_the_contradictions_count_follows_from_table_3():
    assert compare(PLAIN, "Baseline") == (0, 7)
    assert "below its baseline at 7 attributes and above it at none" in words(1)
    assert compare(CHANNELWISE, PLAIN) == (1, 10)
    assert "lower at 10 attributes and higher at one" in words(4)
    table = rows("table3")
    highest = {
        label: [
            name for name in columns_of(row) if all(row[name] > table[other][name] for other in table if other != label)
        ]
        for label, row in table.items()
    }
    assert highest[PLAIN] == []
    assert highest[TUNED] == ["Big_Lips", "Big_Nose", "Brown_Hair", "Gray_Hair", "Oval_Face", "Pointy_Nose"]
    assert "at six - Big Lips, Big Nose, Brown Hair, Gray Hair, Oval Face and Pointy Nose" in words(3)
    named = [[row[name] for name in ("Bald", "Eyeglasses", "Pale_Skin")] for row in table.values()]
    assert named[0] == named[3] == [98, 99, 96]
    assert named[-1] == [98, 99, 91]


def test_what_the_contradictions_say_across_tables_is_printed():
    landmarks, attributes = rows("table2"), rows("table3")
    better = [
        label
        for label in (PLAIN, CHANNELWISE, TUNED)
        if landmarks[label][MEAN] > landmarks["Baseline"][MEAN]
        and mean(attributes[label]) > mean(attributes["Baseline"])
    ]
    assert better == []
    for label in landmarks:
        assert f"{landmarks[label][MEAN]}" in words(2)
    branches = [row[MEAN] for label, row in rows("table4-landmarks").items() if label.startswith("Baseline")]
    assert min(branches) > landmarks["Baseline"][MEAN]
    assert sorted(branches)[1] > max(row[MEAN] for row in landmarks.values())
    of_attributes = [row[MEAN] for label, row in rows("table4-attributes").items() if label.startswith("Baseline")]
    assert min(of_attributes) > max(mean(attributes[label]) for label in (PLAIN, CHANNELWISE, TUNED, "Baseline"))


def test_separation_takes_more_operations_than_one_net_per_task():
    printed = PUBLISHED["matsui2019-table1"]
    assert isinstance(printed, PublishedArchitecture)

    def column(size: int, joined: int) -> float:
        """Operations of the convolutions, which see the maps of `joined` columns from the second on."""
        operations, entering = 0, printed.input.channels
        for row in printed.rows:
            operations += 2 * row.kernel**2 * entering * row.channels * size**2
            entering = joined * row.channels
            size //= 2 if row.pool else 1
        return operations + 2 * entering * size**2 * printed.fully_connected

    single = column(printed.input.size, 1)
    fully_connected = 2 * 512 * 8**2 * 2048
    outputs = 2 * printed.fully_connected * sum(printed.outputs)
    hard = single + fully_connected + outputs
    alone = 2 * single + outputs
    separation = (single - fully_connected) + 2 * column(printed.input.size, 2) + outputs
    said = [f"{operations / 1e9:.1f}" for operations in (hard, alone, separation)]
    assert f"{said[0]} billion" in words(7)
    assert f"{said[1]} with one net per task, and {said[2]} with plain separation" in words(7)


def test_contradictions_have_ids_of_their_own():
    ids = [entry.id for entry in CONTRADICTIONS]
    assert ids == [f"matsui2019-contradiction-{number}" for number in range(1, len(ids) + 1)]
    assert not set(ids) & {entry.id for entry in load_deviations(REPORTS / "deviations.yaml")}


def test_contradictions_are_shown_as_they_are_written():
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(REPORTS / "templates"), autoescape=False, undefined=jinja2.StrictUndefined
    )
    text = environment.get_template("contradictions.html.j2").render(contradictions=CONTRADICTIONS)
    for entry in CONTRADICTIONS:
        assert f'<tr id="{entry.id}">' in text
        assert all(part in text for part in (entry.says, entry.but, entry.so, entry.paper))


def test_an_id_that_occurs_twice_is_named(tmp_path):
    entry = "- {id: a-1, paper: p, says: s, but: b, so: s}\n"
    (tmp_path / "x.yaml").write_text(2 * entry)
    with pytest.raises(TaskshareError, match="the id a-1 occurs twice; give each entry its own"):
        load_contradictions(tmp_path / "x.yaml")


WORDS = "title: t, source: s, question: q"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("metric: m, columns: {mean: Mean}, rows: {}", "'mean' is the key of a row's printed mean"),
        (
            "metric: m, rows: {R: {comparable: true, values: {mean: 101}}}",
            "row 'R', column 'mean': 101.0 is no percentage",
        ),
        ("metric: m, rows: {R: {comparable: true, values: {median: 90}}}", "row 'R': no column 'median'"),
        ("metric: m, columns: {A: a}, minority: {mean: 0.1}, rows: {}", "minority: no column 'mean'"),
        ("kind: architecture, input: {size: 128, channels: 3}, rows: [], fully_connected: 9, outputs: [1]", "rows"),
        (
            "kind: architecture, input: {size: 128, channels: 3}, rows: [{name: a, channels: 1, kernel: 0}], "
            "fully_connected: 9, outputs: [1]",
            "kernel",
        ),
    ],
)
def test_a_published_entry_that_cannot_be_is_refused(tmp_path, entry, message):
    (tmp_path / "x.yaml").write_text(f"x: {{{WORDS}, {entry}}}\n")
    with pytest.raises(TaskshareError, match=message):
        load_published(tmp_path)


def test_a_table_may_print_means_alone(tmp_path):
    row = "{comparable: true, values: {mean: 90.5}}"
    (tmp_path / "x.yaml").write_text(f"x: {{{WORDS}, metric: m, rows: {{R: {row}}}}}\n")
    entry = load_published(tmp_path)["x"]
    assert isinstance(entry, PublishedTable)
    assert entry.rows["R"].values == {MEAN: 90.5}
    assert not entry.tall
