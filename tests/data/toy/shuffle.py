"""Shuffles the rows of a file."""

import random
import sys


def main(raw, shuffled, seed):
    with open(raw) as file:
        rows = file.readlines()
    random.Random(int(seed)).shuffle(rows)
    with open(shuffled, "w") as file:
        file.writelines(rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
