"""Trains a forest on the first half of the rows."""

import pickle
import sys

from sklearn.ensemble import RandomForestClassifier


def main(shuffled, model, trees, seed):
    with open(shuffled) as file:
        rows = [tuple(map(float, line.split(","))) for line in file]
    rows = rows[: len(rows) // 2]
    forest = RandomForestClassifier(n_estimators=int(trees), random_state=int(seed))
    forest.fit([row[:-1] for row in rows], [row[-1] for row in rows])
    with open(model, "wb") as file:
        pickle.dump(forest, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
