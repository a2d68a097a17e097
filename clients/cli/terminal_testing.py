# SPDX-License-Identifier: Apache-2.0
"""A program on a terminal of its own, for tests of what a person sees."""
import fcntl
import os
import pty
import select
import struct
import termios
import time

PATIENCE_S = 60


class Terminal:
    """Wide enough for every list."""

    def __init__(self, words, environment):
        self.pid, self.file = pty.fork()
        if self.pid == 0:
            os.execvpe(words[0], words, environment)
        fcntl.ioctl(self.file, termios.TIOCSWINSZ, struct.pack("HHHH", 2000, 300, 0, 0))

    def type(self, keys):
        os.write(self.file, keys.encode())

    def read_until(self, mark):
        """What is shown up to the mark, and what came with it."""
        seen = ""
        end = time.monotonic() + PATIENCE_S
        while mark not in seen:
            if not select.select([self.file], [], [], max(0, end - time.monotonic()))[0]:
                raise AssertionError(f"no {mark!r} in {seen!r}")
            more = self._read()
            if not more:
                raise AssertionError(f"the program ended without {mark!r}: {seen!r}")
            seen += more
        return seen

    def read_all(self):
        """The rest, until the program ends."""
        seen = ""
        while more := self._read():
            seen += more
        return seen

    def _read(self):
        try:
            return os.read(self.file, 65536).decode(errors="replace")
        except OSError:  # EIO: nobody has the other side open any more
            return ""

    def end(self):
        """The exit status; a program that still runs gets SIGHUP."""
        os.close(self.file)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
