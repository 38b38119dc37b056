"""Measures the web pages in Chromium, as a reader has them.

    python benches/pages.py --pedigree target/release/pedigree
    python benches/pages.py --pedigree target/release/pedigree --store target/bench/pedigree.db

It needs `chromedriver`. The server starts on a store of its own with a lineage of 5,000 nodes;
`--store` measures the first paint of home, a list and a node in another store of SQLite, too. Each
figure is a median, of `--rounds`, unless it is a percentile. CPU is that of the main thread of the
page.
"""

import argparse
import http.client
import json
import pathlib
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time

STEPS = 2500
FRAMES = 90

# So many hops are 145 figures. Another hop adds the outputs of one step to them.
EXPANDED_HOP = 5

# Arrow keys reach the picture as soon as its script has run.
READY = """
const begin = () => {
    const link = document.querySelector(".frame.moves svg.scene a[tabindex='0']");
    if (!link) return requestAnimationFrame(begin);
    link.focus();
    const press = (key) => document.activeElement.dispatchEvent(
        new KeyboardEvent("keydown", { key, bubbles: true }));
    for (const key of ["ArrowRight", "ArrowLeft", "ArrowDown", "ArrowUp"]) {
        press(key);
        if (document.activeElement !== link) break;
    }
    window.answeredAt = document.activeElement === link ? -1 : performance.now();
};
begin();
"""

PAINT = """
const paint = performance.getEntriesByName("first-contentful-paint")[0];
const all = performance.getEntriesByType("navigation").concat(
    performance.getEntriesByType("resource"));
return paint ? [paint.startTime, all.reduce((sum, it) => sum + it.transferSize, 0), all.length]
    : null;
"""

MOVE = """
const done = arguments[arguments.length - 1];
const frame = document.querySelector(".frame.moves");
const box = frame.getBoundingClientRect();
const at = { clientX: box.left + 300, clientY: box.top + 200, bubbles: true, cancelable: true };
frame.dispatchEvent(new WheelEvent("wheel", { ...at, ...arguments[0] }));
requestAnimationFrame(() => requestAnimationFrame(done));
"""

EXPAND = """
const done = arguments[arguments.length - 1];
const count = () => document.querySelectorAll(".scene .figure").length;
const sizes = [...document.querySelectorAll(".scene .more")].map((it) =>
    [Math.abs(Number(it.textContent.replace(/[^0-9]/g, "")) - 20), it.closest(".figure")]);
const [, figure] = sizes.sort((one, other) => one[0] - other[0])[0];
figure.querySelector("a").focus();
const before = count();
const begin = performance.now();
figure.querySelector("a").dispatchEvent(new KeyboardEvent("keydown", { key: "x", bubbles: true }));
const look = () => {
    if (count() === before || document.getAnimations().length > 0) requestAnimationFrame(look);
    else done([performance.now() - begin, before, count()]);
};
look();
"""


class Server:
    """A server on a store of SQLite."""

    def __init__(self, program: str, store: pathlib.Path, log: pathlib.Path):
        command = [program, "--grpc-port", "0", "--database-url", f"sqlite:{store}"]
        self.log = log
        self.process = subprocess.Popen(command, stderr=open(log, "wb"))
        found = wait(lambda: re.search(r"address=\S+:(\d+)", log.read_text()))
        self.port = int(found[1])
        wait(lambda: "opened the database" in log.read_text())

    def stop(self) -> None:
        """Ends the server."""
        self.process.terminate()
        self.process.wait()


class Browser:
    """A new Chromium, without a cache."""

    def __init__(self, driver: int):
        self.driver, self.session = driver, ""
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                     "--window-size=1440,900"]
        options = {"alwaysMatch": {"goog:chromeOptions": {"args": arguments}}}
        begun = self.ask("POST", "", {"capabilities": options})
        self.session = f"/{begun['sessionId']}"
        self.devtools("Performance.enable")

    def ask(self, method: str, command: str, body: dict | None = None):
        """The answer to a command of WebDriver."""
        connection = http.client.HTTPConnection("127.0.0.1", self.driver)
        text = None if body is None else json.dumps(body)
        connection.request(method, f"/session{self.session}{command}", text)
        value = json.loads(connection.getresponse().read())["value"]
        if isinstance(value, dict) and "error" in value:
            sys.exit(f"{command}: {value['message']}")
        return value

    def devtools(self, command: str, **parameters):
        """The answer to a command of the browser's tools for developers."""
        return self.ask("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def open(self, url: str) -> None:
        """Goes to a page, and waits until it has loaded."""
        self.ask("POST", "/url", {"url": url})

    def run(self, script: str, *arguments):
        """What a script returns."""
        return self.ask("POST", "/execute/sync", {"script": script, "args": arguments})

    def wait_for(self, script: str, *arguments):
        """What a script hands to its last argument."""
        return self.ask("POST", "/execute/async", {"script": script, "args": arguments})

    def cpu_milliseconds(self) -> float:
        """The time that the main thread of the page has worked."""
        metrics = self.devtools("Performance.getMetrics")["metrics"]
        return next(it["value"] for it in metrics if it["name"] == "ThreadTime") * 1000

    def close(self) -> None:
        """Ends the browser."""
        self.ask("DELETE", "")


def wait(condition):
    """What a condition gives as soon as it gives something."""
    for _ in range(600):
        if found := condition():
            return found
        time.sleep(0.1)
    sys.exit("it took too long")


def record(program: str, server: Server, folder: pathlib.Path) -> None:
    """
    Stores a lineage: most steps read one to three of the last forty artifacts, and write one. One
    step writes twenty more.
    """
    numbers = random.Random(1)
    lines, hops, is_crowded = [], [0], False
    for step in range(1, STEPS):
        reach = step if numbers.randrange(8) == 0 else min(step, 40)
        inputs = {step - 1 - numbers.randrange(reach) for _ in range(numbers.randrange(3) + 1)}
        name = numbers.choice(["ingest", "clean", "train", "evaluate", "score", "audit"])
        named = [{"type": "Dataset", "name": f"data {it}"} for it in sorted(inputs)]
        made = [{"type": "Dataset", "name": f"data {step}"}]
        nearest = min(hops[it] for it in inputs)
        hops.append(nearest + 2)
        if nearest + 1 == EXPANDED_HOP and not is_crowded:
            made += [{"type": "Dataset", "name": f"part {it}"} for it in range(20)]
            is_crowded = True
        run = {"eventType": "COMPLETE", "typePolicy": "CREATE", "type": name.title(),
               "name": f"{name} {step}", "inputs": named, "outputs": made}
        lines.append(json.dumps({"id": f"{step}", "run": run}))
    events = folder / "events.jsonl"
    events.write_text("\n".join(lines) + "\n")
    command = [program, "record", "--server", f"http://127.0.0.1:{server.port}", str(events)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def paints(driver: int, url: str, rounds: int) -> None:
    """Prints the first paint of a page in new browsers."""
    found = []
    for _ in range(rounds):
        browser = Browser(driver)
        browser.open(url)
        found.append(wait(lambda browser=browser: browser.run(PAINT)))
        browser.close()
    times, sizes, requests = zip(*found)
    path = "/" + url.split("/", 3)[3]
    print(f"first paint of {path}: {statistics.median(times):.0f} ms, "
          f"{statistics.median(sizes) / 1000:.1f} kB in {requests[0]} requests")


def interactive(driver: int, url: str, rounds: int) -> None:
    """Prints how soon a picture answers to keys, and what that takes."""
    answers, cpu = [], []
    for _ in range(rounds):
        browser = Browser(driver)
        browser.devtools("Page.addScriptToEvaluateOnNewDocument", source=READY)
        begin = browser.cpu_milliseconds()
        browser.open(url)
        answers.append(wait(lambda browser=browser: browser.run("return window.answeredAt")))
        cpu.append(browser.cpu_milliseconds() - begin)
        shown = browser.run("return document.querySelectorAll('.scene .figure').length")
        browser.close()
    print(f"{shown} figures answer to keys after {statistics.median(answers):.0f} ms, "
          f"CPU {statistics.median(cpu):.0f} ms")


def frames(driver: int, url: str) -> None:
    """Prints what a frame takes while a picture is moved and zoomed."""
    browser = Browser(driver)
    browser.open(url)
    wait(lambda: browser.run("return document.querySelector('.frame.moves') !== null"))
    for name, move in [
        ("pan", lambda number: {"deltaX": 40 if number % 60 < 30 else -40, "deltaY": 5}),
        ("zoom", lambda number: {"deltaY": 60 if number % 40 < 20 else -60, "ctrlKey": True}),
    ]:
        found = []
        for number in range(FRAMES):
            begin = browser.cpu_milliseconds()
            browser.wait_for(MOVE, move(number))
            found.append(browser.cpu_milliseconds() - begin)
        found.sort()
        print(f"{name}: CPU of a frame p50 {found[FRAMES // 2]:.1f} ms, "
              f"p95 {found[FRAMES * 95 // 100]:.1f} ms")
    browser.close()


def expands(driver: int, url: str, rounds: int) -> None:
    """Prints how long a picture grows."""
    found = []
    for _ in range(rounds):
        browser = Browser(driver)
        browser.open(url)
        wait(lambda browser=browser: browser.run(
            "return document.querySelector('.frame.moves') !== null"))
        found.append(browser.wait_for(EXPAND))
        browser.close()
    took = statistics.median(it[0] for it in found)
    print(f"{found[0][1]} figures become {found[0][2]} in {took:.0f} ms")


def main() -> None:
    """Measures everything."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--pedigree", required=True, help="the program")
    parser.add_argument("--store", type=pathlib.Path, help="a file of SQLite with a large store")
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    program = str(pathlib.Path(given.pedigree).absolute())
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        log = folder / "driver.log"
        chromedriver = subprocess.Popen(["chromedriver", "--port=0"], stdout=open(log, "wb"))
        found = wait(lambda: re.search(r"successfully on port (\d+)", log.read_text()))
        driver = int(found[1])
        server = Server(program, folder / "pages.db", folder / "server.log")
        try:
            record(program, server, folder)
            lineage = f"http://127.0.0.1:{server.port}/lineage/artifacts/1?direction=impact"
            paints(driver, f"http://127.0.0.1:{server.port}/", given.rounds)
            paints(driver, lineage, given.rounds)
            all_figures = f"{lineage}&group=nothing&hops=50"
            interactive(driver, all_figures, given.rounds)
            frames(driver, all_figures)
            expands(driver, f"{lineage}&group=nothing&hops={EXPANDED_HOP}", given.rounds)
            if given.store:
                server.stop()
                server = Server(program, given.store, folder / "large.log")
                for path in ["/", "/artifacts", "/artifacts/1000"]:
                    paints(driver, f"http://127.0.0.1:{server.port}{path}", given.rounds)
        finally:
            server.stop()
            chromedriver.terminate()


if __name__ == "__main__":
    main()
