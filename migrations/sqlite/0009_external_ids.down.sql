-- SQLite cannot drop a unique column in place: the tables are copied, see ../README.md.
PRAGMA legacy_alter_table = ON;

CREATE TABLE NewType (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name VARCHAR(255) NOT NULL,
    version VARCHAR(255),
    type_kind TINYINT(1) NOT NULL,
    description TEXT,
    input_type TEXT,
    output_type TEXT
);
INSERT INTO sqlite_sequence (name, seq)
SELECT 'NewType', seq FROM sqlite_sequence WHERE name = 'Type';
INSERT INTO NewType (id, name, version, type_kind, description, input_type, output_type)
SELECT id, name, version, type_kind, description, input_type, output_type FROM Type;
DROP TABLE Type;
ALTER TABLE NewType RENAME TO Type;
CREATE INDEX idx_type_name ON Type (name);

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
INSERT INTO NewArtifact (id, type_id, uri, state, name, create_time_since_epoch, last_update_time_since_epoch)
SELECT id, type_id, uri, state, name, create_time_since_epoch, last_update_time_since_epoch FROM Artifact;
DROP TABLE Artifact;
ALTER TABLE NewArtifact RENAME TO Artifact;
CREATE INDEX idx_artifact_uri ON Artifact (uri);
CREATE INDEX idx_artifact_create_time_since_epoch ON Artifact (create_time_since_epoch);
CREATE INDEX idx_artifact_last_update_time_since_epoch ON Artifact (last_update_time_since_epoch);

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
INSERT INTO NewExecution (id, type_id, last_known_state, name, create_time_since_epoch, last_update_time_since_epoch)
SELECT id, type_id, last_known_state, name, create_time_since_epoch, last_update_time_since_epoch FROM Execution;
DROP TABLE Execution;
ALTER TABLE NewExecution RENAME TO Execution;
CREATE INDEX idx_execution_create_time_since_epoch ON Execution (create_time_since_epoch);
CREATE INDEX idx_execution_last_update_time_since_epoch ON Execution (last_update_time_since_epoch);

CREATE TABLE NewContext (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    type_id INT NOT NULL,
    name VARCHAR(255) NOT NULL,
    create_time_since_epoch INT NOT NULL DEFAULT 0,
    last_update_time_since_epoch INT NOT NULL DEFAULT 0,
    UNIQUE (type_id, name)
);
INSERT INTO sqlite_sequence (name, seq)
SELECT 'NewContext', seq FROM sqlite_sequence WHERE name = 'Context';
INSERT INTO NewContext (id, type_id, name, create_time_since_epoch, last_update_time_since_epoch)
SELECT id, type_id, name, create_time_since_epoch, last_update_time_since_epoch FROM Context;
DROP TABLE Context;
ALTER TABLE NewContext RENAME TO Context;
CREATE INDEX idx_context_create_time_since_epoch ON Context (create_time_since_epoch);
CREATE INDEX idx_context_last_update_time_since_epoch ON Context (last_update_time_since_epoch);

PRAGMA legacy_alter_table = OFF;

UPDATE MLMDEnv SET schema_version = 8;
