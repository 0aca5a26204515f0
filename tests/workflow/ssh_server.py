"""A real OpenSSH server on loopback, for the user who runs the tests; it reads no configuration but its own."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SEARCHED = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
PRIVILEGE_SEPARATION = Path("/run/sshd")  # an empty folder that sshd of root insists on
CONFIGURATION = """\
Port {port}
ListenAddress 127.0.0.1
HostKey "{folder}/host_key"
AuthorizedKeysFile "{folder}/authorized_keys"
PidFile none
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
Subsystem sftp internal-sftp
"""


@dataclass(frozen=True)
class SshServer:
    """Where the server listens, and how its user gets in.

    Attributes:
        home: A home folder whose known_hosts has the server's key.
    """

    port: int
    user: str
    keyfile: Path
    home: Path
    log: Path

    def url(self, folder: Path) -> str:
        """Return the address of a folder of this machine through the server."""
        return f"ssh://{self.user}@127.0.0.1:{self.port}{folder}"


def missing_program() -> str | None:
    """Return the name of a program that the server needs and this machine lacks."""
    return next((name for name in ("sshd", "ssh-keygen") if shutil.which(name, path=SEARCHED) is None), None)


@contextmanager
def ssh_server(folder: Path) -> Iterator[SshServer]:
    """Start the server with keys of its own in `folder`; it has ended when the block ends.

    Raises:
        RuntimeError: if it does not answer; the message is its log.
    """
    for name in ("host_key", "user_key"):
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name))
    shutil.copy(folder / "user_key.pub", folder / "authorized_keys")
    server = SshServer(_free_port(), getpass.getuser(), folder / "user_key", folder / "home", folder / "sshd.log")
    known_hosts = server.home / ".ssh" / "known_hosts"
    known_hosts.parent.mkdir(parents=True)
    host_key = (folder / "host_key.pub").read_text()
    known_hosts.write_text(f"[127.0.0.1]:{server.port} {host_key}")
    configuration = folder / "sshd_config"
    configuration.write_text(CONFIGURATION.format(port=server.port, folder=folder))
    with _privilege_separation():
        # sshd calls itself anew for each connection, which takes an absolute path.
        program = str(shutil.which("sshd", path=SEARCHED))
        process = subprocess.Popen([program, "-D", "-E", str(server.log), "-f", str(configuration)])
        try:
            _wait(process, server)
            yield server
        finally:
            process.terminate()
            process.wait()


def _run(program: str, *arguments: str) -> None:
    subprocess.run([str(shutil.which(program, path=SEARCHED)), *arguments], check=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def _privilege_separation() -> Iterator[None]:
    """Make the folder where a system without a running sshd lacks it, and remove it again."""
    makes = os.getuid() == 0 and not PRIVILEGE_SEPARATION.exists()
    if makes:
        PRIVILEGE_SEPARATION.mkdir(mode=0o755)
    try:
        yield
    finally:
        if makes:
            PRIVILEGE_SEPARATION.rmdir()


def _wait(process: subprocess.Popen, server: SshServer, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end:
        try:
            with socket.create_connection(("127.0.0.1", server.port), timeout=1) as connection:
                if connection.recv(4) == b"SSH-":
                    return
        except OSError:
            time.sleep(0.05)
    log = server.log.read_text() if server.log.exists() else ""
    raise RuntimeError(f"sshd does not answer on port {server.port}: {log}")
