CREATE TABLE ParentType (
    type_id INT NOT NULL,
    parent_type_id INT NOT NULL,
    PRIMARY KEY (type_id, parent_type_id)
);

CREATE TABLE ParentContext (
    context_id INT NOT NULL,
    parent_context_id INT NOT NULL,
    PRIMARY KEY (context_id, parent_context_id)
);

-- SQLite cannot add a column between others in place: the table is copied, see ../README.md.
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
INSERT INTO NewType (id, name, type_kind, input_type, output_type)
SELECT id, name, type_kind, input_type, output_type FROM Type;
DROP TABLE Type;
ALTER TABLE NewType RENAME TO Type;

PRAGMA legacy_alter_table = OFF;

CREATE INDEX idx_artifact_uri ON Artifact (uri);
CREATE INDEX idx_artifact_create_time_since_epoch ON Artifact (create_time_since_epoch);
CREATE INDEX idx_artifact_last_update_time_since_epoch ON Artifact (last_update_time_since_epoch);
CREATE INDEX idx_event_artifact_id ON Event (artifact_id);
CREATE INDEX idx_event_execution_id ON Event (execution_id);
CREATE INDEX idx_parentcontext_parent_context_id ON ParentContext (parent_context_id);
CREATE INDEX idx_type_name ON Type (name);
CREATE INDEX idx_execution_create_time_since_epoch ON Execution (create_time_since_epoch);
CREATE INDEX idx_execution_last_update_time_since_epoch ON Execution (last_update_time_since_epoch);
CREATE INDEX idx_context_create_time_since_epoch ON Context (create_time_since_epoch);
CREATE INDEX idx_context_last_update_time_since_epoch ON Context (last_update_time_since_epoch);

UPDATE MLMDEnv SET schema_version = 6;
