-- SQLite cannot drop a unique key in place: the tables are copied, see ../README.md.
PRAGMA legacy_alter_table = ON;

CREATE TABLE NewArtifact (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    type_id INT NOT NULL,
    uri TEXT
);
INSERT INTO sqlite_sequence (name, seq)
SELECT 'NewArtifact', seq FROM sqlite_sequence WHERE name = 'Artifact';
INSERT INTO NewArtifact (id, type_id, uri)
SELECT id, type_id, uri FROM Artifact;
DROP TABLE Artifact;
ALTER TABLE NewArtifact RENAME TO Artifact;

CREATE TABLE NewExecution (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    type_id INT NOT NULL
);
INSERT INTO sqlite_sequence (name, seq)
SELECT 'NewExecution', seq FROM sqlite_sequence WHERE name = 'Execution';
INSERT INTO NewExecution (id, type_id)
SELECT id, type_id FROM Execution;
DROP TABLE Execution;
ALTER TABLE NewExecution RENAME TO Execution;

PRAGMA legacy_alter_table = OFF;

ALTER TABLE Context DROP COLUMN create_time_since_epoch;
ALTER TABLE Context DROP COLUMN last_update_time_since_epoch;

UPDATE MLMDEnv SET schema_version = 4;
