"""A Slurm cluster of two nodes on this machine, for the length of a test."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from filelock import FileLock, Timeout

# Slurm looks for its configuration here; SLURM_CONF does not do, for the plugin hides such variables from its jobs.
SETTINGS = Path("/etc/slurm")
MARK = "# Written by a test of taskshare, and removed when it ends.\n"
DAEMONS, COMMANDS = ("slurmctld", "slurmd"), ("munged", "sbatch", "scontrol", "sinfo", "squeue")
NODES = ("alpha", "beta")
PATIENCE_SECONDS = 30

# One GPU a node, on paper: Slurm gives it to one job at a time, but there is nothing behind it.
GRES = "Name=gpu File=/dev/null\n"
CONFIGURATION = """
ClusterName=taskshare
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
AuthInfo=socket={folder}/munge.socket,cred_expire=5
SlurmUser=root
StateSaveLocation={folder}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdSpoolDir={folder}/%n
SlurmdPidFile={folder}/%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobRequeue=0
MinJobAge=3600
SchedulerParameters=sched_interval=2,bf_interval=2
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName=alpha NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=2 RealMemory=100000 Gres=gpu:1
NodeName=beta NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=2 RealMemory=100000 Gres=gpu:1
PartitionName=all Nodes=ALL Default=YES
"""


def obstacle():
    """What keeps a test from starting Slurm here; None if nothing does."""
    absent = [program for program in (*DAEMONS, *COMMANDS) if shutil.which(program) is None]
    if absent:
        return f"{', '.join(absent)} not found; apt-get install slurm-wlm munge"
    if os.getuid() != 0:
        return "only root can start Slurm's daemons"
    for name in ("slurm.conf", "gres.conf"):
        path = SETTINGS / name
        if path.exists() and not path.read_text(encoding="utf-8").startswith(MARK):
            return f"{path} exists: this machine has a Slurm of its own"
    if any(process.info["name"] in DAEMONS for process in psutil.process_iter(["name"])):
        return "a Slurm is running on this machine"
    return None


@contextmanager
def cluster(folder):
    """Run a cluster whose state lies in `folder`, or skip the test where that cannot be."""
    reason = obstacle()
    if reason:
        pytest.skip(reason)
    lock = FileLock(Path(tempfile.gettempdir()) / "taskshare-slurm.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        pytest.skip("another test of this machine runs Slurm")
    with lock, ExitStack() as stack:
        host = socket.gethostname().partition(".")[0]
        configuration = CONFIGURATION.format(host=host, folder=folder, ports=_free_ports(3))
        for name, text in (("slurm.conf", configuration), ("gres.conf", GRES)):
            (SETTINGS / name).write_text(MARK + text, encoding="utf-8")
            stack.callback((SETTINGS / name).unlink)
        running = Cluster(folder)
        stack.callback(running.stop)
        try:
            running.start()
        except TimeoutError:
            pytest.fail("".join(path.read_text() for path in folder.glob("*.out")))
        yield running


class Cluster:
    """The daemons: a munged with a key of its own, a slurmctld and two slurmd."""

    def __init__(self, folder):
        self.folder = folder
        self.daemons = {}

    def start(self):
        key = self.folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(128))
        # --force: pytest closes its folders to other users, which munged takes for a mistake.
        own = [f"--{kind}-file={self.folder}/munge.{kind}" for kind in ("key", "pid", "seed", "log")]
        socket_path = self.folder / "munge.socket"
        self._start("munged", "munged", "--foreground", "--force", f"--socket={socket_path}", *own)
        wait_until(socket_path.exists)
        self._start("slurmctld", "slurmctld", "-D")
        for node in NODES:
            self.start_node(node)
            wait_until(lambda node=node: self.state(node) == "idle")

    def start_node(self, node):
        self._start(node, "slurmd", "-D", "-N", node)

    def kill_node(self, node):
        """End a node as a power cut does: its daemon and every process of its jobs."""
        daemon = self.daemons.pop(node)
        _kill([daemon, *self._processes("--nodelist", node)])
        daemon.wait()

    def call(self, *command):
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def state(self, node):
        try:
            return self.call("sinfo", "--noheader", f"--nodes={node}", "--format=%T").strip()
        except subprocess.CalledProcessError:  # slurmctld is not up yet
            return None

    def jobs(self, *options):
        """The jobs that squeue lists, as rows of id, node and comment: the plugin's comment is rule and wildcards."""
        rows = self.call("squeue", "--noheader", "--format=%i|%N|%k", *options).splitlines()
        return [row.split("|", 2) for row in rows]

    def stop(self):
        left = []
        with suppress(subprocess.CalledProcessError, TimeoutError):  # no slurmctld, or jobs that do not end
            left = self._processes()
            self.call("scancel", "--user=root")
            wait_until(lambda: not self.jobs())
        for daemon in reversed(self.daemons.values()):
            with suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
                daemon.terminate()
                daemon.wait(PATIENCE_SECONDS)
        _kill([*left, *self.daemons.values()])

    def _processes(self, *options):
        """All processes of the jobs that squeue lists."""
        jobs = [job for job, _, _ in self.jobs("--states=all", *options)]
        found = []
        for process in psutil.process_iter(["cmdline"]):
            # The keeper of a job's step is called `slurmstepd: [JOB.STEP]`.
            if any(f"slurmstepd: [{job}." in " ".join(process.info["cmdline"] or []) for job in jobs):
                found += [process, *process.children(recursive=True)]
        return found

    def _start(self, name, *command):
        with (self.folder / f"{name}.out").open("a") as output:
            self.daemons[name] = psutil.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)


def wait_until(condition, seconds=PATIENCE_SECONDS):
    """Return when `condition()` holds.

    Raises:
        TimeoutError: if it does not within `seconds`.
    """
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.1)


def _kill(processes):
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _free_ports(number):
    with ExitStack() as stack:
        holders = [stack.enter_context(socket.socket()) for _ in range(number)]
        for holder in holders:
            holder.bind(("127.0.0.1", 0))
        return [holder.getsockname()[1] for holder in holders]
