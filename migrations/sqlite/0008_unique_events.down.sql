DROP INDEX idx_artifact_property_int;
DROP INDEX idx_artifact_property_double;
DROP INDEX idx_artifact_property_string;
DROP INDEX idx_execution_property_int;
DROP INDEX idx_execution_property_double;
DROP INDEX idx_execution_property_string;
DROP INDEX idx_context_property_int;
DROP INDEX idx_context_property_double;
DROP INDEX idx_context_property_string;

-- SQLite cannot drop a unique key in place: the table is copied, see ../README.md.
PRAGMA legacy_alter_table = ON;

CREATE TABLE NewEvent (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    artifact_id INT NOT NULL,
    execution_id INT NOT NULL,
    type INT NOT NULL,
    milliseconds_since_epoch INT
);
INSERT INTO sqlite_sequence (name, seq)
SELECT 'NewEvent', seq FROM sqlite_sequence WHERE name = 'Event';
INSERT INTO NewEvent (id, artifact_id, execution_id, type, milliseconds_since_epoch)
SELECT id, artifact_id, execution_id, type, milliseconds_since_epoch FROM Event;
DROP TABLE Event;
ALTER TABLE NewEvent RENAME TO Event;

PRAGMA legacy_alter_table = OFF;

CREATE INDEX idx_event_artifact_id ON Event (artifact_id);
CREATE INDEX idx_event_execution_id ON Event (execution_id);

UPDATE MLMDEnv SET schema_version = 7;
