#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What only a terminal shows: the shell while nobody types, Ctrl-C, colours, the time left.

Usage: terminal_test.py FOLDER-OF-PROGRAMS
"""
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from terminal_testing import Terminal

BIN = os.path.abspath(sys.argv.pop(1))
TCPROCTOR = BIN + "/tcproctor"


class Test(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.address = f"unix:{self.folder.name}/socket"
        self.daemon = subprocess.Popen(
            [BIN + "/tcproctord", "--listen", self.address], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        while b"listening on" not in self.daemon.stdout.readline():
            self.assertIsNone(self.daemon.poll())

    def tearDown(self):
        self.daemon.terminate()
        self.daemon.communicate()
        self.folder.cleanup()

    def terminal(self, *words, **environment):
        return Terminal([TCPROCTOR, "--address", self.address, *words],
                        {"TERM": "xterm", "PATH": os.environ["PATH"], **environment})

    def sessions(self):
        return subprocess.run([TCPROCTOR, "session", "list", "--address", self.address],
                              check=True, capture_output=True, text=True).stdout

    def expect_no_session(self):
        end = time.monotonic() + 10
        while self.sessions():
            self.assertLess(time.monotonic(), end, self.sessions())
            time.sleep(0.05)

    def shell(self, *flags):
        shell = self.terminal("shell", *flags)
        shell.read_until("tcproctor> ")
        self.assertIn("SCRIPTED", self.sessions())
        return shell

    def test_what_happens_meanwhile_is_shown(self):
        shell = self.shell("--target", "stack")
        shell.type("L = OPEN(passive)\r")
        shell.read_until("tcproctor> ")
        shell.type("< S 0:0(0) win 65535\r")
        shown = shell.read_until("<CTL=SYN,ACK>")
        # The retransmission after a second, without a key.
        shown = shell.read_until("<CTL=SYN,ACK>")
        self.assertNotIn("< S", shown)
        shell.type("quit\r")
        shell.read_all()
        self.assertEqual(shell.end(), 0)
        self.expect_no_session()

    def test_ctrl_c_and_the_end_of_the_input(self):
        for keys in ("\x03", "\x04", "half a line\x03", "> S. 0:0(0) ack 1\r\x03"):
            with self.subTest(keys=keys):
                shell = self.shell()
                line, _, interrupt = keys.rpartition("\r")
                if line:
                    shell.type(line + "\r")
                    time.sleep(1)  # the terminal forgets what was not read yet at Ctrl-C
                shell.type(interrupt)
                shell.read_all()
                self.assertEqual(shell.end(), 1 if line else 0)
                self.expect_no_session()

    def test_killed(self):
        shell = self.shell()
        os.kill(shell.pid, signal.SIGKILL)
        shell.read_all()
        self.assertEqual(shell.end(), -signal.SIGKILL)
        self.expect_no_session()

    def test_outlives_its_lease_while_nobody_types(self):
        shell = self.shell("--target", "stack-virtual")
        time.sleep(35)  # a session's lease is 30 s unless asked otherwise
        shell.type("L = OPEN(passive)\rSTATE(L) = LISTEN\rnote \"well\"\r")
        shell.read_until("-- well")
        shell.type("\x04")
        shell.read_all()
        self.assertEqual(shell.end(), 0)

    def test_colours(self):
        explain = ("explain", "S000-2.1", "--target", "stack-virtual")
        for environment, coloured in (({}, True), ({"NO_COLOR": ""}, True), ({"NO_COLOR": "1"}, False),
                                      ({"TERM": "dumb"}, False)):
            with self.subTest(environment=environment):
                terminal = self.terminal(*explain, **environment)
                shown = terminal.read_all()
                self.assertEqual(terminal.end(), 0)
                self.assertIn("PASS", shown)
                self.assertEqual("\x1b[" in shown, coloured)
        piped = subprocess.run([TCPROCTOR, *explain, "--address", self.address], check=True,
                               capture_output=True, text=True)
        self.assertIn("PASS", piped.stdout)
        self.assertNotIn("\x1b[", piped.stdout)

    def test_progress_with_the_time_left(self):
        run = ("run", "--target", "stack-virtual", "--filter", "S00*", "--jobs", "1")
        terminal = self.terminal(*run)
        shown = terminal.read_all()
        terminal.end()
        self.assertRegex(shown, r"\r\x1b\[K\d+ of \d+, \d+m?s, about \d+m?s left")
        # It is not left behind.
        self.assertNotIn("left\r\n", shown)
        piped = subprocess.run([TCPROCTOR, *run, "--address", self.address], capture_output=True,
                               text=True, check=False)
        self.assertNotIn("left", piped.stdout + piped.stderr)


if __name__ == "__main__":
    unittest.main()
