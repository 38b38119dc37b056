#!/usr/bin/env python3
"""Draws the figures of `benches/run` as SVG: p50 of Pedigree with one client against that of the peers, on a scale of powers of ten.

    plot.py FILE.tsv... >plot.svg
"""
import csv
import math
import sys
from html import escape

COLOURS = {"pedigree": "#1a7f37", "wheel": "#bc4c00", "limit": "#57606a"}
LEFT, WIDTH, ROW = 260, 640, 22


def rows(paths):
    for path in paths:
        with open(path, newline="") as file:
            yield from (row for row in csv.DictReader(file, delimiter="\t") if row["clients"] == "1")


def main(paths):
    figures = {}
    for row in rows(paths):
        figures.setdefault((row["database"], row["workload"]), {})[row["peer"]] = float(row["p50_us"])
    lowest = math.floor(math.log10(min(min(peers.values()) for peers in figures.values())))
    highest = math.ceil(math.log10(max(max(peers.values()) for peers in figures.values())))

    def x(microseconds):
        return LEFT + WIDTH * (math.log10(microseconds) - lowest) / (highest - lowest)

    height = ROW * (len(figures) + 2)
    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 40}" height="{height}" font-family="sans-serif" font-size="12">')
    for power in range(lowest, highest + 1):
        at = x(10**power)
        print(f'<line x1="{at}" y1="{ROW}" x2="{at}" y2="{height}" stroke="#d0d7de"/><text x="{at}" y="14">{10**power:g} µs</text>')
    for place, ((database, workload), peers) in enumerate(figures.items()):
        y = ROW * (place + 2)
        print(f'<text x="{LEFT - 8}" y="{y}" text-anchor="end">{escape(f"{database}: {workload}")}</text>')
        for peer, p50 in peers.items():
            print(f'<circle cx="{x(p50):.1f}" cy="{y - 4}" r="5" fill="{COLOURS[peer]}"><title>{peer} {p50:.0f} µs</title></circle>')
    for place, (peer, colour) in enumerate(COLOURS.items()):
        print(f'<text x="{8 + 80 * place}" y="14" fill="{colour}">● {peer}</text>')
    print("</svg>")


if __name__ == "__main__":
    main(sys.argv[1:])
