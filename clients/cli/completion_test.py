#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Completion as a person sees it: bash and zsh, interactive, on a terminal of their own.

Usage: completion_test.py TCPROCTOR
"""
import os
import shutil
import sys
import tempfile
import unittest

from terminal_testing import Terminal

TCPROCTOR = os.path.abspath(sys.argv.pop(1))
PROMPT = "ready> "


class Shell(Terminal):
    def __init__(self, words, setup):
        super().__init__(words, {"PATH": os.environ["PATH"], "TERM": "xterm", "LC_ALL": "C.UTF-8",
                                 "HOME": "/nonexistent"})
        self.marks = 0
        for line in setup:
            self.run(line)

    def run(self, keys):
        """Types and presses Enter; returns what the terminal shows up to the command's end."""
        self.marks += 1
        # The mark is not what is typed, so that its echo is not taken for it.
        self.type(f"{keys}\r echo end''mark{self.marks}.\r")
        mark = f"endmark{self.marks}."
        seen = self.read_until(mark)
        # Before its prompt is there the shell does not edit what is typed.
        if PROMPT not in seen[seen.rindex(mark):]:
            seen += self.read_until(PROMPT)
        return seen

    def listing(self, line):
        """What Tab shows behind the line, which is then wiped out."""
        return self.run(f"{line}\t\t\x15")

    def completed(self, line):
        """The words that the command gets when Tab was pressed behind the line."""
        shown = self.run(f"{line}\t")
        return shown[shown.rindex("<<") + 2:shown.rindex(">>")].split("|") if "<<" in shown else shown


class Completion:
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        os.makedirs(self.folder + "/bin")
        os.makedirs(self.folder + "/here/captures")
        open(self.folder + "/here/capture.json", "w").close()
        # What is typed is shown word by word; only completion is the real one.
        with open(self.folder + "/bin/tcproctor", "w") as stub:
            stub.write('#!/bin/sh\n[ "$1" = completion ] && exec ' + TCPROCTOR + ' "$@"\n'
                       "printf '<''<'; printf '%s|' \"$@\"; printf '>''>\\n'\n")
        os.chmod(self.folder + "/bin/tcproctor", 0o755)
        self.shell = Shell(self.WORDS, self.SETUP
                           + [f"PATH={self.folder}/bin:$PATH", f"cd {self.folder}/here"])

    def tearDown(self):
        self.shell.end()
        shutil.rmtree(self.folder)

    def test_verbs(self):
        shown = self.shell.listing("tcproctor se")
        for verb in ("session", "send", "serve"):
            self.assertIn(verb, shown)
        self.assertNotIn("receive", shown)
        shown = self.shell.listing("tcproctor session re")
        self.assertIn("renew", shown)
        self.assertIn("reset", shown)
        self.assertNotIn("delete", shown)
        self.assertEqual(self.shell.completed("tcproctor sess"), ["session", ""])
        self.assertEqual(self.shell.completed("tcproctor session cr"), ["session", "create", ""])
        self.assertEqual(self.shell.completed("tcproctor help inj"), ["help", "inject", ""])

    def test_flags(self):
        shown = self.shell.listing("tcproctor session create --l")
        for flag in ("--link", "--lease", "--label"):
            self.assertIn(flag, shown)
        self.assertNotIn("--mtu", shown)
        self.assertEqual(self.shell.completed("tcproctor capture s1 --fol"),
                         ["capture", "s1", "--follow", ""])
        self.assertEqual(self.shell.completed("tcproctor --addr"), ["--address", ""])
        # Of another verb.
        self.assertEqual(self.shell.completed("tcproctor close s1 --fol"),
                         ["close", "s1", "--fol", ""])

    def test_values(self):
        shown = self.shell.listing("tcproctor session create --a s")
        self.assertIn("stack", shown)
        self.assertIn("scripted", shown)
        self.assertNotIn("kernel", shown)
        self.assertEqual(self.shell.completed("tcproctor status s1 --output j"),
                         ["status", "s1", "--output", "json", ""])
        self.assertEqual(self.shell.completed("tcproctor status s1 --output=j"),
                         ["status", "s1", "--output=json", ""])
        self.assertEqual(self.shell.completed("tcproctor --output j"), ["--output", "json", ""])
        self.assertEqual(self.shell.completed("tcproctor status s1 1 --wait CLOSED,ESTAB"),
                         ["status", "s1", "1", "--wait", "CLOSED,ESTABLISHED", ""])
        self.assertEqual(self.shell.completed("tcproctor run --target kernel,stack-"),
                         ["run", "--target", "kernel,stack-virtual", ""])
        self.assertEqual(self.shell.completed("tcproctor run --level=m must"),
                         ["run", "--level=m", "must", ""])
        self.assertEqual(self.shell.completed("tcproctor serve s1 2 si"),
                         ["serve", "s1", "2", "sink", ""])
        # The name of an option is no end: its value follows at once.
        self.assertEqual(self.shell.completed("tcproctor options s1 2 no_de\ton"),
                         ["options", "s1", "2", "no_delay=on", ""])
        # A socket before it is one word.
        self.assertEqual(self.shell.completed("tcproctor open s1 --local :80 --en"),
                         ["open", "s1", "--local", ":80", "--end", ""])

    def test_cases(self):
        self.assertEqual(self.shell.completed("tcproctor explain S000-2.1-pai"),
                         ["explain", "S000-2.1-pair", ""])

    def test_files(self):
        self.assertEqual(self.shell.completed("tcproctor capture s1 -w captu\tx"),
                         ["capture", "s1", "-w", "capturex", ""])
        self.assertEqual(self.shell.completed("tcproctor capture s1 -w capture."),
                         ["capture", "s1", "-w", "capture.json", ""])
        self.assertEqual(self.shell.completed("tcproctor capture s1 --json=capture."),
                         ["capture", "s1", "--json=capture.json", ""])
        self.assertEqual(self.shell.completed("tcproctor run --pcap cap"),
                         ["run", "--pcap", "captures/", ""])
        self.assertEqual(self.shell.completed("tcproctor diff capture."),
                         ["diff", "capture.json", ""])


class Bash(Completion, unittest.TestCase):
    WORDS = ["bash", "--norc", "--noprofile", "-i"]
    SETUP = [f"PS1='{PROMPT}'", "bind 'set show-all-if-ambiguous on'", "bind 'set completion-query-items 0'",
             "bind 'set page-completions off'", "bind 'set enable-bracketed-paste off'",
             f"source <({TCPROCTOR} completion bash)"]


class Zsh(Completion, unittest.TestCase):
    WORDS = ["zsh", "-f", "-i"]
    SETUP = [f"unsetopt zle_bracketed_paste auto_remove_slash; PS1='{PROMPT}'; LISTMAX=0",
             "autoload -U compinit; compinit -u -D",
             f"source <({TCPROCTOR} completion zsh)"]

    def test_meanings(self):
        shown = self.shell.listing("tcproctor se")
        self.assertIn("-- SEND: hands data to a connection", shown)

    def test_autoloaded(self):
        """The file may lie in a folder of fpath instead."""
        folder = self.folder + "/fpath"
        os.makedirs(folder)
        self.shell.run(f"tcproctor completion zsh > {folder}/_tcproctor")
        other = Shell(self.WORDS, [self.SETUP[0],
                                   f"PATH={self.folder}/bin:$PATH; fpath=({folder} $fpath)",
                                   "autoload -U compinit; compinit -u -D"])
        try:
            self.assertEqual(other.completed("tcproctor sess"), ["session", ""])
        finally:
            other.end()


if __name__ == "__main__":
    unittest.main()
