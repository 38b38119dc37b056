-- From here on a database says which version it has.
CREATE TABLE MLMDEnv (
    schema_version INT PRIMARY KEY
) ENGINE = InnoDB;
INSERT INTO MLMDEnv (schema_version) VALUES (1);
