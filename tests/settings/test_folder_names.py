"""What a run may be called, and where it may be written."""

from pathlib import Path

import pytest

from tradeoffs.errors import UserError
from tradeoffs.settings.command_line import quote_value
from tradeoffs.settings.compose import compose
from tradeoffs.settings.folder_names import LONGEST_PART
from tradeoffs.settings.rules import check
from tradeoffs.settings.run_name import LONGEST_NAME, run_name
from tradeoffs.sweeps.plan import in_own_folder


def settled(*words: str) -> tuple[str, str]:
    """Name and folder as a run has them."""
    config = compose("train", [quote_value(word) for word in words])
    check(config)
    return config.name, config.runs


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("name=${seed}", "1"),
        ("name=first-${seed}", "first-1"),
        ("name=2024", "2024"),
        ("name=1e-3", "1e-3"),
        ("name=true", "true"),
        ("name=a,b=1", "a,b=1"),
        ("name=猫", "猫"),
        ("name=a/b", "a/b"),
        ("name=(it's)", "(it's)"),
    ],
)
def test_a_name_is_a_word(word, name):
    assert settled(word) == (name, "runs")


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        *(("", "is empty"), (".", "is empty"), ("  ", "is empty"), ("null", "is empty")),
        *(("../a", "leads out"), ("/a", "leads out"), ("${oc.env:HOME}", "leads out"), ("${nothing}", "not found")),
        *(("a\tb", "cannot be printed"), ("a\nb", "cannot be printed"), ("\udcff", "cannot be printed")),
        *(("a ", "a blank"), (" a", "a blank"), ("b/a.", "a dot"), ("a/ b", "a blank")),
        *(("-x", "begins with -"), ("~/x", "begins with ~"), (".x", r"begins with \."), ("a/-x", "begins with -")),
        *(("a:b", "not every system"), ("a\\b", "not every system"), ("a*", "not every system")),
        *(("con", "device"), ("Lpt1.txt", "device")),
        *(("猫" * 100, f"longer than {LONGEST_PART} bytes"), ("abcdefgh/" * 600 + "x", "whole path is too long")),
    ],
)
def test_what_is_no_name(name, fault):
    with pytest.raises(UserError, match=fault) as caught:
        settled(f"name={name}")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("word", ["name=${seed}", "name=''", "name='a '", "name=.x", "runs=''", "runs=~/x"])
def test_what_is_no_name_of_a_sweep(word):
    with pytest.raises(UserError):
        in_own_folder("train", [word, "seed=1,2"])


@pytest.mark.parametrize(
    ("place", "fault"),
    [
        *(("", "is no folder"), ("null", "is no folder"), ("~/x", "~ is not read here"), ("a\nb", "cannot be printed")),
        *(
            ("file", "is a file"),
            ("file/x", "is a file"),
            ("x" * 300, "longer than"),
            ("x/" * 3000, "path is too long"),
        ),
    ],
)
def test_where_no_run_can_be_written(place, fault, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    with pytest.raises(UserError, match=fault):
        settled(f"runs={place}")


def test_a_folder_may_be_called_like_a_number(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert settled("runs=2024") == ("default", "2024")
    assert in_own_folder("train", ["runs=2024", "name=0"]) == ["runs=2024/0"]


def test_a_name_made_of_long_words_fits_into_a_file_system():
    name = run_name([f"data.source.val_name={'猫' * 90}"])
    assert len(name.encode()) <= LONGEST_NAME < LONGEST_PART and "猫" in name
