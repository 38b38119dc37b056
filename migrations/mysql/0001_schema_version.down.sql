-- Version 0 is known by what it lacks.
DROP TABLE MLMDEnv;
