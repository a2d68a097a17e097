# SPDX-License-Identifier: Apache-2.0
"""The pipeline examples do what they say: their scripts run as a runner would run them.

pipelines_test.py BIN     with the binaries in BIN and a `docker` that runs them on this machine
pipelines_test.py IMAGE   with Docker and an image that is there
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import yaml

HERE = pathlib.Path(__file__).parent
WHERE = sys.argv.pop()  # BIN or IMAGE

# Stands for docker where `docker run` would run the image: what follows its name is for tcproctor,
# and what the mounts name is here.
DOCKER = """#!/bin/bash
set -e
[ "$1" != build ] || exit 0
[ -n "$BIN" ] || exec "$DOCKER" "$@"
while [ "$1" != "$IMAGE" ]; do shift; done
shift
cd report
exec "$BIN/tcproctor" "${@//\\/baseline\\//../baseline/}"
"""

# Every TCP violates this: a SYN to a listener is answered with a SYN,ACK, not with a RST.
WRONG = """0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 1000 <mss 1000>
+0 > R. 0:0(0) ack 1
"""


class Runner(unittest.TestCase):
    """What both pipelines have to do; a subclass knows one format."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        docker = self.folder / "bin" / "docker"
        docker.parent.mkdir()
        docker.write_text(DOCKER)
        docker.chmod(0o755)
        self.wrong = self.folder / "wrong.pkt"
        self.wrong.write_text(WRONG)
        self.right = self.folder / "right.pkt"
        self.right.write_text(WRONG.replace("> R. 0:0(0) ack 1", "> S. 0:0(0) ack 1 <...>"))
        self.broken = self.folder / "broken.pkt"
        self.broken.write_text("0 < nothing that can be read\n")
        self.carried = self.folder / "carried"  # what the runner's cache has
        self.local = os.path.isdir(WHERE)

    def shell(self, script, checkout, **variables):
        """A step of a job: True if it succeeds."""
        environment = {
            **os.environ, **variables,
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
            "DOCKER": shutil.which("docker") or "",
            "BIN": os.path.abspath(WHERE) if self.local else "",
        }
        if not self.local:
            environment["IMAGE"] = WHERE
        done = subprocess.run(["bash", "-e", "-o", "pipefail", "-c", script], cwd=checkout, env=environment,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
        self.output += done.stdout
        return done.returncode == 0

    def pipeline(self, flags, accept=False):
        """One run of the pipeline: whether it was green. Its artefacts are in self.kept."""
        checkout = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        self.output = ""
        self.kept = None
        green = self.job(checkout, flags, accept)
        self.assertIsNotNone(self.kept, "no artefacts were kept\n" + self.output)
        for file in ("results.xml", "results.json", "index.html", "pcap"):
            self.assertTrue((self.kept / file).exists(), f"{file} is not kept\n{self.output}")
        return green

    def restore(self, checkout, path):
        if self.carried.exists():
            shutil.copytree(self.carried, checkout / path)

    def save(self, checkout, path):
        shutil.rmtree(self.carried, ignore_errors=True)
        shutil.copytree(checkout / path, self.carried)

    def examine(self):
        clean = "--target stack-virtual --filter S000-2.1"
        self.assertTrue(self.pipeline(clean), self.output)
        self.assertTrue(self.carried.exists(), "no baseline is carried on")
        self.assertTrue(self.pipeline(clean), self.output)  # with a baseline now
        if not self.local:
            return
        violating = f"--target stack-virtual {self.wrong}"
        self.assertFalse(self.pipeline(violating), "a new violation does not turn it red")
        self.assertFalse(self.pipeline(violating), "what failed has become the baseline")
        broken = f"--target stack-virtual {self.right} {self.broken}"
        self.assertFalse(self.pipeline(broken, accept=True), "a harness that broke is taken for good")
        self.pipeline(violating, accept=True)
        self.assertTrue(self.pipeline(violating), "a known violation turns it red\n" + self.output)


class GitHubActions(Runner):
    def test_pipeline(self):
        self.workflow = yaml.safe_load((HERE / "github-actions.yml").read_text())
        self.examine()

    def job(self, checkout, flags, accept):
        good = True
        for step in self.workflow["jobs"]["conformance"]["steps"]:
            condition = step.get("if", "success()")
            self.assertIn(condition, ("success()", "always()", "github.ref == 'refs/heads/main'"))
            if not (good or condition == "always()"):
                continue
            action = step.get("uses", "").split("@")[0]
            if action == "actions/cache/restore":
                self.restore(checkout, step["with"]["path"])
            elif action == "actions/cache/save":
                self.save(checkout, step["with"]["path"])
            elif action == "actions/upload-artifact":
                self.kept = checkout / step["with"]["path"]
            elif action:
                self.assertEqual(action, "actions/checkout")
            else:
                variables = {"FLAGS": flags, "ACCEPT": "true" if accept else ""}
                good = self.shell(step["run"], checkout, **{**self.workflow["env"], **variables}) and good
        return good


class GitLab(Runner):
    def test_pipeline(self):
        self.config = yaml.safe_load((HERE / "gitlab-ci.yml").read_text())
        self.examine()

    def job(self, checkout, flags, accept):
        job = self.config["conformance"]
        (cached,) = job["cache"]["paths"]
        self.restore(checkout, cached)
        variables = {**self.config["variables"], "FLAGS": flags, "ACCEPT": "yes" if accept else ""}
        good = self.shell("\n".join(job["script"]), checkout, **variables)
        if good:  # as the cache's `when` is by default
            self.save(checkout, cached)
        if good or job["artifacts"].get("when") == "always":
            (kept,) = job["artifacts"]["paths"]
            self.kept = checkout / kept
            self.assertTrue((checkout / job["artifacts"]["reports"]["junit"]).exists())
        return good


if __name__ == "__main__":
    unittest.main()
