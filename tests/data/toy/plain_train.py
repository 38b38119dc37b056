"""Trains without packages: the middle of the first half of the rows of each class."""

import pickle
import random
import sys


def main(shuffled, model, trees, seed):
    with open(shuffled) as file:
        rows = [tuple(map(float, line.split(","))) for line in file]
    rows = random.Random(int(seed)).sample(rows[: len(rows) // 2], int(trees))
    classes = {}
    for *features, label in rows:
        classes.setdefault(label, []).append(features)
    middles = {
        label: [sum(column) / len(column) for column in zip(*members)]
        for label, members in sorted(classes.items())
    }
    with open(model, "wb") as file:
        pickle.dump(middles, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
