-- Makes ids, step_index and int_value of an existing database as wide as in schema.sql, and gives it the same indexes on long text.
-- ML Metadata reads and writes it all the same.

-- The steps of an event have no order but that of their rows, and a rewrite that joins another scan begins where that one is.
SET LOCAL synchronize_seqscans = off;

ALTER TABLE Type
    ALTER COLUMN id TYPE BIGINT;

ALTER TABLE TypeProperty
    ALTER COLUMN type_id TYPE BIGINT;

ALTER TABLE ParentType
    ALTER COLUMN type_id TYPE BIGINT,
    ALTER COLUMN parent_type_id TYPE BIGINT;

ALTER TABLE Artifact
    ALTER COLUMN id TYPE BIGINT,
    ALTER COLUMN type_id TYPE BIGINT;

ALTER TABLE ArtifactProperty
    ALTER COLUMN artifact_id TYPE BIGINT,
    ALTER COLUMN int_value TYPE BIGINT;

ALTER TABLE Execution
    ALTER COLUMN id TYPE BIGINT,
    ALTER COLUMN type_id TYPE BIGINT;

ALTER TABLE ExecutionProperty
    ALTER COLUMN execution_id TYPE BIGINT,
    ALTER COLUMN int_value TYPE BIGINT;

ALTER TABLE Event
    ALTER COLUMN id TYPE BIGINT,
    ALTER COLUMN artifact_id TYPE BIGINT,
    ALTER COLUMN execution_id TYPE BIGINT;

ALTER TABLE EventPath
    ALTER COLUMN event_id TYPE BIGINT,
    ALTER COLUMN step_index TYPE BIGINT;

ALTER TABLE Context
    ALTER COLUMN id TYPE BIGINT,
    ALTER COLUMN type_id TYPE BIGINT;

ALTER TABLE ContextProperty
    ALTER COLUMN context_id TYPE BIGINT,
    ALTER COLUMN int_value TYPE BIGINT;

ALTER TABLE ParentContext
    ALTER COLUMN context_id TYPE BIGINT,
    ALTER COLUMN parent_context_id TYPE BIGINT;

ALTER TABLE Association
    ALTER COLUMN id TYPE BIGINT,
    ALTER COLUMN context_id TYPE BIGINT,
    ALTER COLUMN execution_id TYPE BIGINT;

ALTER TABLE Attribution
    ALTER COLUMN id TYPE BIGINT,
    ALTER COLUMN context_id TYPE BIGINT,
    ALTER COLUMN artifact_id TYPE BIGINT;

ALTER SEQUENCE Type_id_seq AS BIGINT;
ALTER SEQUENCE Artifact_id_seq AS BIGINT;
ALTER SEQUENCE Execution_id_seq AS BIGINT;
ALTER SEQUENCE Event_id_seq AS BIGINT;
ALTER SEQUENCE Context_id_seq AS BIGINT;
ALTER SEQUENCE Association_id_seq AS BIGINT;
ALTER SEQUENCE Attribution_id_seq AS BIGINT;

DROP INDEX IF EXISTS idx_artifact_uri;
CREATE INDEX idx_artifact_uri ON Artifact (left(uri, 255));
DROP INDEX IF EXISTS idx_artifact_property_string;
CREATE INDEX idx_artifact_property_string ON ArtifactProperty (name, is_custom_property, left(string_value, 255));
DROP INDEX IF EXISTS idx_execution_property_string;
CREATE INDEX idx_execution_property_string ON ExecutionProperty (name, is_custom_property, left(string_value, 255));
DROP INDEX IF EXISTS idx_context_property_string;
CREATE INDEX idx_context_property_string ON ContextProperty (name, is_custom_property, left(string_value, 255));
