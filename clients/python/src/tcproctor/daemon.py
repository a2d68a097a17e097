# SPDX-License-Identifier: Apache-2.0
"""A daemon of one's own, on a socket that nobody else has."""
from __future__ import annotations

import os
import secrets
import select
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Self

from tcproctor.errors import DaemonError


def find_program() -> str:
    """$TCPROCTORD, tcproctord in the PATH, or build/bin/tcproctord here or in a folder above."""
    named = os.environ.get("TCPROCTORD")
    if named:
        return named
    found = shutil.which("tcproctord")
    if found:
        return found
    for folder in (Path.cwd(), *Path.cwd().parents):
        if os.access(folder / "build/bin/tcproctord", os.X_OK):
            return str(folder / "build/bin/tcproctord")
    raise DaemonError("no tcproctord: set TCPROCTORD to its path, or put it into the PATH")


class PrivateDaemon:
    """Runs as long as the object (a context manager) and the process live."""

    def __init__(self, program: str | None = None, *, timeout: float = 20.0) -> None:
        program = program or find_program()
        # When this process is killed nobody is left to tidy up but the daemon, which removes its socket (of mode 0600):
        # so there is no folder around it, and the log has no name.
        self._socket = f"{tempfile.gettempdir()}/tcproctor-{secrets.token_hex(8)}.sock"
        self.address = f"unix:{self._socket}"
        self._log = tempfile.TemporaryFile()
        ready, tell = os.pipe()
        try:
            self._process = subprocess.Popen(
                [program, f"--listen={self.address}", "--exit_with_parent", f"--parent_pid={os.getpid()}",
                 f"--ready_fd={tell}"],
                stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, pass_fds=[tell], process_group=0)
        except OSError as error:
            os.close(ready)
            self._log.close()
            raise DaemonError(f"{program}: {error.strerror}") from None
        finally:
            os.close(tell)
        with open(ready, "rb") as pipe:
            listens = select.select([pipe], [], [], timeout)[0] and pipe.read()
        if not listens:
            said = self.said().strip()
            self.close()
            raise DaemonError(f"{program} did not listen within {timeout} s: {said or 'it said nothing'}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def exit_status(self, timeout: float = 0) -> int | None:
        """Negative: the signal that ended it. None: it still runs after that many seconds."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def said(self) -> str:
        """What it has logged."""
        # Not by read(): it and the daemon's writes would move the same offset.
        return os.pread(self._log.fileno(), os.fstat(self._log.fileno()).st_size, 0).decode(errors="replace")

    def close(self) -> None:
        """Ends it; harmless when it has ended."""
        if self.running:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._log.close()
        for left in (self._socket, f"{self._socket}.lock"):  # by a daemon that was killed
            Path(left).unlink(missing_ok=True)
