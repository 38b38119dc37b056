ALTER TABLE ArtifactProperty ADD COLUMN proto_value BLOB;
ALTER TABLE ArtifactProperty ADD COLUMN bool_value BOOLEAN;

ALTER TABLE ExecutionProperty ADD COLUMN proto_value BLOB;
ALTER TABLE ExecutionProperty ADD COLUMN bool_value BOOLEAN;

ALTER TABLE ContextProperty ADD COLUMN proto_value BLOB;
ALTER TABLE ContextProperty ADD COLUMN bool_value BOOLEAN;

UPDATE MLMDEnv SET schema_version = 10;
