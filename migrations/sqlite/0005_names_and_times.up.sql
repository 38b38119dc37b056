-- Rows that are there already have no name, and time 0.
-- SQLite cannot add a unique key in place: the tables are copied, see ../README.md.
PRAGMA legacy_alter_table = ON;

CREATE TABLE NewArtifact (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    type_id INT NOT NULL,
    uri TEXT,
    state INT,
    name VARCHAR(255),
    create_time_since_epoch INT NOT NULL DEFAULT 0,
    last_update_time_since_epoch INT NOT NULL DEFAULT 0,
    UNIQUE (type_id, name)
);
INSERT INTO sqlite_sequence (name, seq)
SELECT 'NewArtifact', seq FROM sqlite_sequence WHERE name = 'Artifact';
INSERT INTO NewArtifact (id, type_id, uri)
SELECT id, type_id, uri FROM Artifact;
DROP TABLE Artifact;
ALTER TABLE NewArtifact RENAME TO Artifact;

CREATE TABLE NewExecution (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    type_id INT NOT NULL,
    last_known_state INT,
    name VARCHAR(255),
    create_time_since_epoch INT NOT NULL DEFAULT 0,
    last_update_time_since_epoch INT NOT NULL DEFAULT 0,
    UNIQUE (type_id, name)
);
INSERT INTO sqlite_sequence (name, seq)
SELECT 'NewExecution', seq FROM sqlite_sequence WHERE name = 'Execution';
INSERT INTO NewExecution (id, type_id)
SELECT id, type_id FROM Execution;
DROP TABLE Execution;
ALTER TABLE NewExecution RENAME TO Execution;

PRAGMA legacy_alter_table = OFF;

ALTER TABLE Context ADD COLUMN create_time_since_epoch INT NOT NULL DEFAULT 0;
ALTER TABLE Context ADD COLUMN last_update_time_since_epoch INT NOT NULL DEFAULT 0;

UPDATE MLMDEnv SET schema_version = 5;
