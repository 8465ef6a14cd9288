import json
import platform
import subprocess

import pytest
import torch

from tradeoffs.measure import environment
from tradeoffs.measure.environment import describe_environment, git_state


def test_environment_names_machine_and_versions(monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    found = describe_environment("cpu")
    assert found["device"] == found["cpu"] != ""
    assert found["threads"] == torch.get_num_threads()
    assert found["omp_wait_policy"] == "PASSIVE"
    assert found["torch"] == torch.__version__
    assert found["python"] == platform.python_version()
    assert found["gpu_state"] is None
    json.dumps(found)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A copy's worth of project layout: top/src/tradeoffs in a repository with one commit."""
    package = tmp_path / "top" / "src" / "tradeoffs"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    monkeypatch.setattr(environment.tradeoffs, "__file__", str(package / "__init__.py"))
    return tmp_path / "top"


def commit_all(folder) -> str:
    def git(*arguments):
        command = ["git", "-C", folder, "-c", "user.name=n", "-c", "user.email=e@example.org", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "--message", "first")
    return git("rev-parse", "HEAD")


def test_git_state_is_commit_and_whether_files_differ(repository):
    commit = commit_all(repository)
    assert git_state() == {"commit": commit, "dirty": False}
    (repository / "my_photos").mkdir()
    (repository / "my_photos" / "1.jpg").write_text("")
    assert git_state() == {"commit": commit, "dirty": False}
    (repository / "src" / "new.py").write_text("")
    assert git_state() == {"commit": commit, "dirty": True}


def test_without_a_repository_of_its_own_there_is_no_commit(repository):
    assert git_state() is None
    commit_all(repository.parent)  # somebody else's repository around it
    assert git_state() is None


def test_without_git_there_is_no_commit(repository, monkeypatch):
    commit_all(repository)
    monkeypatch.setenv("PATH", "")
    assert git_state() is None


def test_a_failing_nvidia_smi_is_recorded(monkeypatch):
    answer = subprocess.CompletedProcess([], returncode=9, stdout="", stderr="no devices were found\n")
    monkeypatch.setattr(environment, "run", lambda *_: answer)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: type("Properties", (), {"uuid": "0-1"}))
    assert environment.gpu_state(torch.device("cuda")) == {"error": "no devices were found"}


def test_clocks_are_read_from_nvidia_smi(monkeypatch):
    asked = []

    def answer(*command):
        asked.append(command)
        return subprocess.CompletedProcess([], returncode=0, stdout="1980, 2619, 1980, 34, 700.00, 570.1\n", stderr="")

    monkeypatch.setattr(environment, "run", answer)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: type("Properties", (), {"uuid": "0-1"}))
    state = environment.gpu_state(torch.device("cuda"))
    assert state["clocks.mem"] == "2619" and state["driver_version"] == "570.1"
    assert asked[0][:3] == ("nvidia-smi", "-i", "GPU-0-1")
