import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tradeoffs.errors import UserError
from tradeoffs.results.record import SCHEMA_VERSION, Identity, Record, config_hash, read_record, write_record


@pytest.fixture
def record() -> Record:
    who = Identity("first", "detection", "ssd", "mobilenet", "shapes", 300, 1, "0123456789abcdef", "abc")
    return Record(who, accuracy={"AP": 0.25, "per_class": {"disc": 0.5}}, where={"device": "a CPU"})


def test_round_trip(record, tmp_path):
    write_record(tmp_path / "result.json", record)
    assert read_record(tmp_path / "result.json") == record
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def test_values_become_plain_json(record, tmp_path):
    record.accuracy = {"AP": math.nan, "AR": [np.float32(0.5), math.inf], 3: np.arange(2), "path": Path("a/b")}
    write_record(tmp_path / "result.json", record)
    content = json.loads((tmp_path / "result.json").read_text(), parse_constant=pytest.fail)
    assert content["accuracy"] == {"AP": None, "AR": [0.5, None], "3": [0, 1], "path": "a/b"}
    assert content["schema_version"] == SCHEMA_VERSION
    assert content["who"]["backbone"] == "mobilenet"


def test_a_full_disk_leaves_the_earlier_record(record, tmp_path, monkeypatch):
    path = tmp_path / "result.json"
    write_record(path, record)

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_record(path, Record(record.who, status="failed", error="later"))
    assert read_record(path) == record
    assert [each.name for each in tmp_path.iterdir()] == ["result.json"]


def test_a_value_that_json_cannot_hold_leaves_the_earlier_record(record, tmp_path):
    path = tmp_path / "result.json"
    write_record(path, record)
    with pytest.raises(TypeError, match="not JSON serializable"):
        write_record(path, Record(record.who, training={"bad": object()}))
    assert read_record(path) == record


def damaged(record: Record, **changes) -> str:
    content = {"who": vars(record.who), "schema_version": SCHEMA_VERSION, **changes}
    return json.dumps({key: value for key, value in content.items() if value is not None})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda _: '{"who": {"na', r"result\.json is damaged: Unterminated .*run the job again"),
        (lambda _: "[1, 2]", "no record of a run: it has no schema_version"),
        (lambda r: damaged(r, schema_version=SCHEMA_VERSION + 1), f"reads up to {SCHEMA_VERSION}; update tradeoffs"),
        (lambda r: damaged(r, who=None), "damaged: no who in Record"),
        (lambda r: damaged(r, who={"name": "x"}), r"damaged: no task, model, backbone, .* in Identity"),
        (lambda r: damaged(r, who=3), "damaged: Identity is no group of fields"),
        (lambda r: damaged(r, colour="red"), "damaged: unknown colour in Record"),
    ],
)
def test_damage_is_one_clear_line(content, message, record, tmp_path):
    (tmp_path / "result.json").write_text(content(record))
    with pytest.raises(UserError, match=message) as raised:
        read_record(tmp_path / "result.json")
    assert "\n" not in str(raised.value)


def test_a_missing_record_is_named(tmp_path):
    with pytest.raises(UserError, match=r"result\.json does not exist"):
        read_record(tmp_path / "result.json")


def test_config_hash_depends_on_content_alone():
    config = {"model": {"name": "ssd", "sizes": (1, 2)}, "seed": 1}
    assert config_hash(config) == config_hash({"seed": 1, "model": {"sizes": [1, 2], "name": "ssd"}})
    assert config_hash(config) != config_hash({**config, "seed": 2})
    assert config_hash({"a": 1}) == "015abd7f5cc57a2d"  # sha256 of {"a":1}


def test_reading_records_imports_no_torch():
    code = "import sys, tradeoffs.results.record; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
