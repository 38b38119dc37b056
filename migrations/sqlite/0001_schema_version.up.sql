-- From here on a database says which version it has.
CREATE TABLE MLMDEnv (
    schema_version INTEGER PRIMARY KEY
);
INSERT INTO MLMDEnv (schema_version) VALUES (1);
