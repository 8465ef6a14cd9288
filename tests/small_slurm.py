"""A SLURM of two nodes on one machine, as tests need it: Debian's slurm-wlm and munge, started by hand."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

# AuthInfo: a job that is requeued starts again only when its old credential has expired, which else takes two minutes.
CONF = """\
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmUser=root
SlurmctldPort={0}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
KillWait=1
ReturnToService=2
SchedulerParameters=sched_interval=1,batch_sched_delay=0,bf_interval=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName=node1 NodeHostname=localhost NodeAddr=127.0.0.1 Port={1} CPUs=2
NodeName=node2 NodeHostname=localhost NodeAddr=127.0.0.1 Port={2} CPUs=2
PartitionName=sweeps Nodes=ALL Default=YES MaxTime=INFINITE PriorityTier=1
PartitionName=urgent Nodes=ALL MaxTime=INFINITE PriorityTier=2 PreemptMode=OFF
"""


def skip_without_slurm() -> None:
    if missing := [program for program in ("munged", "slurmctld", "slurmd", "sbatch") if not shutil.which(program)]:
        pytest.skip(f"no SLURM here ({missing[0]} is missing); on Debian: apt-get install slurm-wlm munge")
    if os.geteuid():
        pytest.skip("only root can start a SLURM")


@contextmanager
def running_slurm(folder: Path) -> Iterator[dict[str, str]]:
    """A SLURM of two nodes with two cores each while the context lasts; gives the environment that its commands need.

    Jobs of the partition `sweeps`, the default, are preempted by those of `urgent`.
    """
    (folder / "state").mkdir(parents=True)
    conf, munge = folder / "slurm.conf", folder / "munge"
    conf.write_text(CONF.format(*free_ports(3), folder=folder))
    environment = {**os.environ, "SLURM_CONF": str(conf), "MASTER_ADDR": "127.0.0.1"}  # the nodes' names lead nowhere
    subprocess.run(["mungekey", "--create", f"--keyfile={munge}.key"], check=True)
    files = [f"--{kind}-file={munge}.{kind}" for kind in ("key", "log", "pid", "seed")]
    with ExitStack() as stack:
        for command in (
            ["munged", "--foreground", "--force", f"--socket={munge}.socket", *files],
            ["slurmctld", "-D"],
            ["slurmd", "-D", "-N", "node1"],
            ["slurmd", "-D", "-N", "node2"],
        ):
            stack.enter_context(running(command, environment, folder / f"{command[0]}.txt"))
        wait_until_idle(environment)
        try:
            yield environment
        finally:  # else what the jobs have started would run on
            for signal in (["--signal=KILL", "--full"], []):
                subprocess.run(["scancel", "--user=root", *signal], env=environment, check=True)
            wait_until_idle(environment)


@contextmanager
def running(command: list[str], environment: dict[str, str], log: Path) -> Iterator[None]:
    """A program as a process of its own that ends with the context."""
    with log.open("a") as file:
        process = subprocess.Popen(command, env=environment, stdout=file, stderr=subprocess.STDOUT)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def wait_until_idle(environment: dict[str, str]) -> None:
    until = time.monotonic() + 100
    command = ["sinfo", "--noheader", "--partition=sweeps", "--format=%T"]
    while (said := subprocess.run(command, env=environment, capture_output=True, text=True)).stdout.strip() != "idle":
        assert time.monotonic() < until, f"SLURM is not ready: {said.stdout}{said.stderr}"
        time.sleep(0.2)


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
