ALTER TABLE ArtifactProperty
    ADD COLUMN /*M! IF NOT EXISTS */ proto_value MEDIUMBLOB,
    ADD COLUMN /*M! IF NOT EXISTS */ bool_value BOOLEAN;

ALTER TABLE ExecutionProperty
    ADD COLUMN /*M! IF NOT EXISTS */ proto_value MEDIUMBLOB,
    ADD COLUMN /*M! IF NOT EXISTS */ bool_value BOOLEAN;

ALTER TABLE ContextProperty
    ADD COLUMN /*M! IF NOT EXISTS */ proto_value MEDIUMBLOB,
    ADD COLUMN /*M! IF NOT EXISTS */ bool_value BOOLEAN;

UPDATE MLMDEnv SET schema_version = 10;
