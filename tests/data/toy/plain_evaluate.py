"""Measures the model of `plain_train.py` on the second half of the rows."""

import json
import math
import pickle
import sys


def main(shuffled, model, metrics):
    with open(shuffled) as file:
        rows = [tuple(map(float, line.split(","))) for line in file]
    rows = rows[len(rows) // 2 :]
    with open(model, "rb") as file:
        middles = pickle.load(file)
    hits = 0
    for *features, label in rows:
        hits += label == min(middles, key=lambda it: math.dist(middles[it], features))
    with open(metrics, "w") as file:
        json.dump({"accuracy": hits / len(rows)}, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
