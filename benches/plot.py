#!/usr/bin/env python3
"""Draws the figures of `benches/run` as SVG: p50 with the fewest clients, on a scale of powers of ten, a panel for each file.

    plot.py FILE.tsv... >plot.svg
"""
import csv
import math
import sys
from html import escape
from itertools import chain

COLOURS = {"pedigree": "#1a7f37", "wheel": "#bc4c00", "wheel-wal": "#e16f24", "limit": "#57606a", "small": "#0969da", "bare": "#8250df", "calls": "#bf3989"}
OTHERS = "#bf8700"
LEFT, WIDTH, RIGHT, ROW = 230, 640, 60, 22


def panel(path):
    """The name of the database, and each workload's p50 of each peer."""
    database, figures = path, {}
    with open(path, newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            database = row["database"]
            # The fewest clients come first.
            figures.setdefault(row["workload"], {}).setdefault(row["peer"], float(row["p50_us"]))
    return database, figures


def unit(microseconds):
    return next(f"{microseconds / size:g} {name}" for size, name in ((1e6, "s"), (1e3, "ms"), (1, "µs")) if microseconds >= size or size == 1)


def main(paths):
    panels = [panel(path) for path in paths]
    workloads = list(chain.from_iterable(figures.values() for _, figures in panels))
    every = [p50 for peers in workloads for p50 in peers.values() if p50 > 0] or [1]
    lowest, highest = math.floor(math.log10(min(every))), math.floor(math.log10(max(every))) + 1

    def x(microseconds):
        return LEFT + WIDTH * (math.log10(microseconds) - lowest) / (highest - lowest)

    names = list(dict.fromkeys(chain.from_iterable(workloads)))
    width, height = LEFT + WIDTH + RIGHT, ROW * (len(workloads) + 2 * len(panels) + 1)
    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="12">')
    print(f'<rect width="{width}" height="{height}" fill="white"/>')
    for place, name in enumerate(names):
        at, colour = 12 + 110 * place, COLOURS.get(name, OTHERS)
        print(f'<circle cx="{at}" cy="12" r="5" fill="{colour}"/><text x="{at + 9}" y="16" fill="{colour}">{escape(name)}</text>')
    y = ROW
    for database, figures in panels:
        y += ROW
        print(f'<text x="8" y="{y}" font-weight="bold">{escape(database)}</text>')
        for power in range(lowest, highest + 1):
            at = x(10**power)
            print(f'<line x1="{at:.1f}" y1="{y + 6}" x2="{at:.1f}" y2="{y + ROW * len(figures) + 6}" stroke="#d0d7de"/>')
            print(f'<text x="{at:.1f}" y="{y}" text-anchor="middle" fill="#57606a">{unit(10**power)}</text>')
        for workload, peers in figures.items():
            y += ROW
            print(f'<text x="{LEFT - 8}" y="{y}" text-anchor="end">{escape(workload)}</text>')
            for peer, p50 in peers.items():
                if p50 > 0:
                    hint = f"<title>{escape(peer)}: {p50:.0f} µs</title>"
                    print(f'<circle cx="{x(p50):.1f}" cy="{y - 4}" r="5" fill="{COLOURS.get(peer, OTHERS)}" fill-opacity="0.8">{hint}</circle>')
        y += ROW
    print("</svg>")


if __name__ == "__main__":
    main(sys.argv[1:])
