DROP INDEX idx_eventpath_event_id;
ALTER TABLE ArtifactProperty DROP COLUMN byte_value;
ALTER TABLE ExecutionProperty DROP COLUMN byte_value;
ALTER TABLE ContextProperty DROP COLUMN byte_value;

UPDATE MLMDEnv SET schema_version = 6;
