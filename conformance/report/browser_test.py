#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Clicks through an HTML report in headless Chromium.

usage: browser_test.py REPORT.html RESULTS.json [FOLDER FOR SCREENSHOTS]

Both files are of one run of at least two targets. Speaks the DevTools protocol over a pipe, so that
nothing but Python and Chromium is needed.
"""

import base64
import gzip
import json
import os
import pathlib
import select
import struct
import subprocess
import sys
import tempfile
import time

LAPTOP = (1280, 900, False)
PHONE = (390, 844, True)
ANSWER_WITHIN = 120  # seconds


class Browser:
    """One page of a Chromium of its own."""

    def __init__(self, folder):
        self.to_browser_read, self.to_browser = os.pipe()
        self.from_browser, self.from_browser_write = os.pipe()

        def wires():
            # 3 and 4 may be among the pipe's own descriptors.
            reading, writing = os.dup(self.to_browser_read), os.dup(self.from_browser_write)
            os.dup2(reading, 3)
            os.dup2(writing, 4)

        self.process = subprocess.Popen(
            ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             "--disable-background-networking", "--no-first-run",
             f"--user-data-dir={folder}/profile", "--remote-debugging-pipe", "about:blank"],
            close_fds=False, preexec_fn=wires, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        os.close(self.to_browser_read)
        os.close(self.from_browser_write)
        self.buffer = b""
        self.number = 0
        self.session = None
        self.requests = []
        self.exceptions = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target,
                                 flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network"):
            self.call(domain + ".enable")

    def close(self):
        self.process.terminate()
        self.process.wait(20)

    def read(self):
        while b"\0" not in self.buffer:
            if not select.select([self.from_browser], [], [], ANSWER_WITHIN)[0]:
                raise RuntimeError(f"the browser has not answered for {ANSWER_WITHIN} s")
            data = os.read(self.from_browser, 1 << 20)
            if not data:
                raise RuntimeError("the browser is gone")
            self.buffer += data
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to_browser, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("method") == "Network.requestWillBeSent":
                self.requests.append(answer["params"]["request"]["url"])
            elif answer.get("method") == "Runtime.exceptionThrown":
                self.exceptions.append(answer["params"]["exceptionDetails"])
            elif answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def ask(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait(self, expression, seconds=60):
        end = time.monotonic() + seconds
        while not self.ask(expression):
            if time.monotonic() > end:
                raise AssertionError(f"never true: {expression}")
            time.sleep(0.05)

    def screen(self, size, dark=False):
        width, height, phone = size
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=phone)
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def go(self, hash_):
        self.ask(f"location.hash = {json.dumps(hash_)}")
        time.sleep(0.2)

    def click(self, selector):
        """A click of the mouse in the middle of the element."""
        where = self.ask(f"""(() => {{
          const node = document.querySelector({json.dumps(selector)});
          if (!node) return null;
          node.scrollIntoView({{block: "center"}});
          const box = node.getBoundingClientRect();
          return [box.x + box.width / 2, box.y + box.height / 2];
        }})()""")
        check(where is not None, f"there is nothing like {selector}")
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=where[0], y=where[1], button="left",
                      clickCount=1)

    def count(self, selector):
        return self.ask(f"document.querySelectorAll({json.dumps(selector)}).length")


def check(condition, message):
    if not condition:
        raise AssertionError(message)


def same(got, want, what):
    check(got == want, f"{what}: {got!r}, want {want!r}")


def cases_of(run):
    """case -> target -> result"""
    cases = {}
    for result in run["results"]:
        cases.setdefault(result["case"], {})[result["target"]] = result
    return cases


def matrix_and_filters(browser, run):
    cases = cases_of(run)
    rows = "tbody tr[data-case]"
    browser.go("#cases")
    browser.wait(f"document.querySelectorAll('{rows}').length === {len(cases)}")
    passed = {case for case, results in cases.items()
              if any(result["verdict"] == "PASS" for result in results.values())}
    browser.click(".toggle.PASS")
    browser.wait(f"document.querySelectorAll('{rows}').length === {len(passed)}")
    check("v=PASS" in browser.ask("location.hash"), "the filter is not in the address")
    browser.click(".toggle.PASS")
    musts = {case for case, results in cases.items()
             if any(result["level"] == "must" for result in results.values())}
    browser.click(".toggle.must")
    browser.wait(f"document.querySelectorAll('{rows}').length === {len(musts)}")
    browser.click(".toggle.must")
    one = sorted(cases)[len(cases) // 2]
    browser.click("input[type=search]")
    browser.call("Input.insertText", text=one)
    browser.wait(f"document.querySelectorAll('{rows}').length < {max(len(cases), 2)}")
    check(browser.count(f"tr[data-case='{one}']") == 1, "the case that was searched is not there")
    browser.go("#cases?q=no-such-thing-anywhere")
    same(browser.count(rows), 0, "rows of a search for nothing")
    browser.go("#requirements")
    covered = {name for result in run["results"] for name in result["covers"]}
    browser.wait(f"document.querySelectorAll('tr[data-requirement]').length === {len(covered)}")


def diagram(browser, run):
    browser.go("#fsm")
    same(browser.count("g.edge"), len(run["fsm"]), "edges drawn")
    same(browser.count("table.edges tbody tr"), len(run["fsm"]), "edges in the table")
    edge = next(e for e in run["fsm"] if e["from"] == "SYN-RECEIVED" and e["to"] == "ESTABLISHED")
    drawn = browser.ask("document.querySelector(\"[data-edge='SYN-RECEIVED>ESTABLISHED'] .count\")"
                        ".textContent")
    for number in edge["results"].values():
        check(str(number) in drawn, f"{drawn} does not tell {edge['results']}")
    browser.ask("document.querySelector(\"[data-edge='SYN-RECEIVED>ESTABLISHED']\")"
                ".dispatchEvent(new MouseEvent('click'))")
    check(browser.count(".edge-detail a") > 0, "a clicked edge lists no cases")


def differences(browser):
    browser.go("#differences")
    browser.wait("document.querySelectorAll('details.cause').length > 0")
    same(browser.count("details.cause tbody tr"), 0, "places shown before they are asked for")
    browser.click("details.cause summary")
    browser.wait("document.querySelectorAll('details.cause tbody tr').length > 0")
    browser.click("details.cause tbody a")
    browser.wait("document.querySelector('article[data-case] .ladder') !== null")


def richest_case(run):
    """The case with the most segments on two targets."""
    best = (0, None)
    for case, results in cases_of(run).items():
        sizes = sorted(result["sessions"][0]["captured"] for result in results.values()
                       if len(result["sessions"]) == 1)
        if len(sizes) >= 2:
            best = max(best, (sizes[-2], case))
    check(best[1] is not None, "no case has segments on two targets")
    return best[1]


def case_and_download(browser, run, folder):
    case = richest_case(run)
    results = cases_of(run)[case]
    browser.go("#cases")
    browser.click(f"tr[data-case='{case}'] a")
    browser.wait(f"document.querySelector(\"article[data-case='{case}'] .ladder\") !== null")
    check(browser.count(".ladder.two .pair") > 0, "the two ladders are not side by side")
    check(browser.count(".ladder .line code") > 0, "no line of the script in the ladder")
    target = browser.ask("document.querySelector('.ladders select').value")
    numbers = [row["number"] for row in results[target]["sessions"][0]["rows"]
               if row["kind"] == "segment"]
    same(browser.count(".rung.left .segment.segment:not(.arrival)"), len(numbers),
         "segments in the left ladder")
    check(browser.ask("document.querySelector('.command code').textContent")
          .startswith("tcproctor run "), "the command that repeats it")
    first = next(iter(results))
    download(browser, results[first], 0, folder)


def download(browser, result, session, folder):
    """Of the case that is shown: the capture of one session of the first target."""
    browser.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    name = f"{result['case']}.{result['target']}{f'.{session + 1}' if session else ''}.pcap"
    browser.click(f"a.pcap[download='{name}']")
    file = folder / name
    end = time.monotonic() + 20
    while not file.exists() and time.monotonic() < end:
        browser.ask("0")
        time.sleep(0.1)
    check(file.exists(), f"no download; there is {os.listdir(folder)}")
    time.sleep(0.3)
    counts = [one["captured"] for one in result["sessions"]]
    whole = read_pcap(gzip.decompress(base64.b64decode(result["capture"])))
    same(len(whole), sum(counts), "packets of all sessions")
    before = sum(counts[:session])
    same(read_pcap(file.read_bytes()), whole[before:before + counts[session]],
         f"packets in the capture of session {session + 1}")


def long_case(browser, run, folder):
    """A case of several sessions, in which a long run of segments is left out."""
    for result in run["results"]:
        if len(result["sessions"]) > 1 and result["sessions"][0]["left_out"] > 0:
            break
    else:
        raise AssertionError("the run has no such case")
    browser.go(f"#case/{result['case']}/{result['target']}")
    browser.wait("document.querySelectorAll('.ladder .note.left_out').length > 0")
    check("segments left out" in browser.ask("document.querySelector('.note.left_out').textContent"),
          "the ladder does not say what it leaves out")
    count = sum(one["left_out"] for one in result["sessions"])
    cards = browser.ask("document.querySelector('.cards').textContent")
    check(f"{count} segments like others are left out" in cards,
          "the capture does not say what it leaves out")
    download(browser, result, len(result["sessions"]) - 1, folder)


def read_pcap(octets):
    magic, _, _, _, _, _, link = struct.unpack_from("<IHHiIII", octets)
    same((magic, link), (0xA1B23C4D, 101), "magic and link type")
    packets, at = [], 24
    while at < len(octets):
        _, _, length, _ = struct.unpack_from("<IIII", octets, at)
        packets.append(octets[at + 16:at + 16 + length])
        at += 16 + length
    return packets


def every_screen(browser, run, shots):
    case = richest_case(run)
    for name, size in (("laptop", LAPTOP), ("phone", PHONE)):
        for scheme in ("light", "dark"):
            browser.screen(size, scheme == "dark")
            for view, hash_ in (("cases", "#cases"), ("fsm", "#fsm"), ("run", "#run"),
                                ("differences", "#differences"),
                                ("requirements", "#requirements"), ("ladder", "#case/" + case)):
                browser.go(hash_)
                width = browser.ask("document.documentElement.scrollWidth")
                check(width <= size[0], f"{view} on a {name} is {width} wide")
                if view == "ladder":
                    browser.ask("document.querySelector('.ladders').scrollIntoView()")
                if shots:
                    picture = browser.call("Page.captureScreenshot")["data"]
                    (shots / f"{view}-{name}-{scheme}.png").write_bytes(base64.b64decode(picture))


def main():
    report, results = map(pathlib.Path, sys.argv[1:3])
    shots = pathlib.Path(sys.argv[3]) if len(sys.argv) > 3 else None
    if shots:
        shots.mkdir(parents=True, exist_ok=True)
    run = json.loads(results.read_text())
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = pathlib.Path(name)
        browser = Browser(folder)
        try:
            browser.screen(LAPTOP)
            began = time.monotonic()
            browser.call("Page.navigate", url=report.resolve().as_uri())
            browser.wait("document.body && document.body.dataset.ready === 'yes'")
            opened = time.monotonic() - began
            matrix_and_filters(browser, run)
            diagram(browser, run)
            differences(browser)
            case_and_download(browser, run, folder)
            long_case(browser, run, folder)
            every_screen(browser, run, shots)
            same(browser.exceptions, [], "exceptions in the page")
            foreign = [url for url in browser.requests
                       if not url.startswith(("file:", "data:", "about:", "blob:"))]
            same(foreign, [], "requests to the network")
        finally:
            browser.close()
    print(f"browser test: passed, {report.stat().st_size} octets, {len(run['results'])} results, "
          f"shown after {opened:.1f} s")


if __name__ == "__main__":
    main()
