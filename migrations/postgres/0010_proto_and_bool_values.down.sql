-- The values in these columns are lost.
ALTER TABLE ArtifactProperty
    DROP COLUMN proto_value,
    DROP COLUMN bool_value;

ALTER TABLE ExecutionProperty
    DROP COLUMN proto_value,
    DROP COLUMN bool_value;

ALTER TABLE ContextProperty
    DROP COLUMN proto_value,
    DROP COLUMN bool_value;

UPDATE MLMDEnv SET schema_version = 9;
