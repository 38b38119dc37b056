-- The values in these columns are lost.
ALTER TABLE ArtifactProperty
    DROP COLUMN /*M! IF EXISTS */ proto_value,
    DROP COLUMN /*M! IF EXISTS */ bool_value;

ALTER TABLE ExecutionProperty
    DROP COLUMN /*M! IF EXISTS */ proto_value,
    DROP COLUMN /*M! IF EXISTS */ bool_value;

ALTER TABLE ContextProperty
    DROP COLUMN /*M! IF EXISTS */ proto_value,
    DROP COLUMN /*M! IF EXISTS */ bool_value;

UPDATE MLMDEnv SET schema_version = 9;
