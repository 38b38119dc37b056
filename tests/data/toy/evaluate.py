"""Measures a model on the second half of the rows."""

import json
import pickle
import sys


def main(shuffled, model, metrics):
    with open(shuffled) as file:
        rows = [tuple(map(float, line.split(","))) for line in file]
    rows = rows[len(rows) // 2 :]
    with open(model, "rb") as file:
        forest = pickle.load(file)
    accuracy = forest.score([row[:-1] for row in rows], [row[-1] for row in rows])
    with open(metrics, "w") as file:
        json.dump({"accuracy": accuracy}, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
