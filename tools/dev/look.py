#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
look.py CHROMIUM PAGE PICTURE_PREFIX - a page of `uiommu show --html' as a person meets it

In a headless Chromium, with a pointer that moves and clicks: hovering over a line or a device
shows how its StreamID is made, and nothing else's; clicking unfolds each table, also from the
picture; the page asks for nothing but itself, has no errors, and fits. Exit: 0, or 1 with what
was not so. PICTURE_PREFIX-*.png are what was seen.
"""
import base64
import json
import os
import subprocess
import sys
import tempfile
import time

WIDTH, HEIGHT = 1300, 900
failed = []
checks = 0


def check(good, what):
    global checks
    checks += 1
    if not good:
        failed.append(what)
        print("  FAIL  " + what, flush=True)
    return good


class Browser:
    """Speaks the DevTools protocol over two pipes: messages that end with a NUL."""

    def __init__(self, program, profile):
        to_r, self.to = os.pipe()
        self.back, back_w = os.pipe()

        def plumb():
            # the browser wants exactly 3 and 4
            a, b = os.dup(to_r), os.dup(back_w)
            os.dup2(a, 3)
            os.dup2(b, 4)

        self.proc = subprocess.Popen(
            [program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
             "--no-first-run", "--disable-background-networking", "--disable-component-update",
             "--disable-sync", "--user-data-dir=" + profile, "--remote-debugging-pipe",
             "--window-size=%d,%d" % (WIDTH, HEIGHT)],
            preexec_fn=plumb, close_fds=False, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        os.close(to_r)
        os.close(back_w)
        self.buffer = b""
        self.number = 0
        self.events = []
        self.session = None

    def receive(self):
        while b"\0" not in self.buffer:
            some = os.read(self.back, 1 << 16)
            if not some:
                raise RuntimeError("the browser has gone")
            self.buffer += some
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError("%s: %s" % (method, answer["error"]["message"]))
                return answer["result"]
            self.events.append(answer)

    def open(self, page):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target,
                                 flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")
        self.call("Emulation.setDeviceMetricsOverride", width=WIDTH, height=HEIGHT,
                  deviceScaleFactor=1, mobile=False)
        self.call("Page.navigate", url="file://" + os.path.abspath(page))
        for _ in range(100):
            if self.js("document.readyState") == "complete":
                return
            time.sleep(0.05)

    def js(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"]["text"] + ": " + expression)
        return result["result"].get("value")

    def mouse(self, kind, at):
        self.call("Input.dispatchMouseEvent", type=kind, x=at[0], y=at[1], button="left",
                  buttons=1 if kind == "mousePressed" else 0, clickCount=1)

    def move(self, at):
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=at[0], y=at[1])
        self.js("new Promise(r => requestAnimationFrame(() => r(0)))")

    def click(self, at):
        self.move(at)
        self.mouse("mousePressed", at)
        self.mouse("mouseReleased", at)
        self.js("new Promise(r => setTimeout(() => r(0), 50))")

    def picture(self, name):
        data = self.call("Page.captureScreenshot", captureBeyondViewport=False)["data"]
        with open(name, "wb") as f:
            f.write(base64.b64decode(data))

    def close(self):
        self.session = None
        try:
            self.call("Browser.close")
            self.proc.wait(10)
        except (RuntimeError, OSError, subprocess.TimeoutExpired):
            self.proc.kill()
            self.proc.wait()


def centre(b, selector, n=0):
    """The middle of an element, scrolled to where it can be pointed at."""
    return b.js("""(() => {
        const e = document.querySelectorAll(%s)[%d];
        e.scrollIntoView({block: 'center'});
        const r = e.getBoundingClientRect();
        return [r.x + r.width / 2, r.y + r.height / 2];
    })()""" % (json.dumps(selector), n))


SHOWN = """[...document.querySelectorAll('foreignObject')]
    .filter(e => getComputedStyle(e).visibility == 'visible')
    .map(e => { const r = e.firstElementChild.getBoundingClientRect();
                return [e.id, e.textContent, r.left >= 0 && r.top >= 0 &&
                        r.right <= innerWidth && r.bottom <= innerHeight && r.width > 0]; })"""


def hover_all(b, prefix):
    ids = b.js("[...document.querySelectorAll('foreignObject')].map(e => e.id.slice(4))")
    check(ids, "there is something to hover over")
    b.move((1, 1))
    check(b.js(SHOWN) == [], "nothing is shown before the pointer is anywhere")
    for i in ids:
        b.move(centre(b, "#%s text" % i))
        shown = b.js(SHOWN)
        if not check([s[0] for s in shown] == ["tip-" + i], "hovering over %s shows its own "
                     "words, not %s" % (i, shown)):
            continue
        if i.startswith(("map", "dev")):
            check("StreamID" in shown[0][1] or "no entry maps" in shown[0][1],
                  "%s: the words are the arithmetic: %s" % (i, shown[0][1]))
        check(shown[0][2], "%s: its words are inside the window" % i)
        if i in (ids[0], ids[-1]):
            b.picture("%s-hover-%s.png" % (prefix, i))
    return len(ids)


def unfold_all(b, prefix):
    n = b.js("document.querySelectorAll('details').length")
    check(n > 0, "there are tables to unfold")
    for i in range(n):
        height = "document.querySelectorAll('details table')[%d].getBoundingClientRect().height" % i
        folded = "!document.querySelectorAll('details')[%d].open" % i
        check(b.js(folded), "table %d is folded at first" % i)
        b.click(centre(b, "summary", i))
        check(not b.js(folded) and b.js(height) > 20, "a click unfolds table %d" % i)
    b.js("scrollTo(0, 0)")
    b.move((1, 1))
    b.picture(prefix + "-unfolded.png")
    for i in range(n):
        b.click(centre(b, "summary", i))
        check(b.js("!document.querySelectorAll('details')[%d].open" % i), "another folds it")
    return n


def links(b):
    """A box of the picture unfolds its table."""
    for href in sorted(set(b.js("[...document.querySelectorAll('svg a')]"
                                ".map(a => a.getAttribute('href'))"))):
        b.js("document.querySelectorAll('details').forEach(d => d.open = false)")
        b.click(centre(b, "svg a[href='%s'] text" % href))
        check(b.js("document.querySelector('%s').closest('details').open" % href),
              "a click in the picture unfolds %s" % href)


def quiet(b):
    b.js("0")
    asked = {e["params"]["request"]["url"].split("#")[0] for e in b.events
             if e.get("method") == "Network.requestWillBeSent"}
    check(len(asked) == 1 and all(u.startswith("file:") for u in asked),
          "the page asks for nothing but itself: %s" % sorted(asked))
    wrong = [e for e in b.events if e.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded")]
    check(not wrong, "no errors: %s" % wrong)
    check(b.js("document.documentElement.scrollWidth <= innerWidth"), "it fits the window's width")


def main():
    program, page, prefix = sys.argv[1:4]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        b = Browser(program, profile)
        try:
            b.open(page)
            hovered = hover_all(b, prefix)
            tables = unfold_all(b, prefix)
            links(b)
            quiet(b)
        finally:
            b.close()
    print("  %s: %d things hovered over, %d tables unfolded" % (
        os.path.basename(page), hovered, tables), flush=True)


main()
print("  %d checks, %d failed" % (checks, len(failed)))
sys.exit(1 if failed else 0)
