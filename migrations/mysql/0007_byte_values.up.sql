ALTER TABLE ArtifactProperty
    MODIFY COLUMN string_value MEDIUMTEXT,
    ADD COLUMN /*M! IF NOT EXISTS */ byte_value MEDIUMBLOB;

ALTER TABLE ExecutionProperty
    MODIFY COLUMN string_value MEDIUMTEXT,
    ADD COLUMN /*M! IF NOT EXISTS */ byte_value MEDIUMBLOB;

ALTER TABLE ContextProperty
    MODIFY COLUMN string_value MEDIUMTEXT,
    ADD COLUMN /*M! IF NOT EXISTS */ byte_value MEDIUMBLOB;

ALTER TABLE EventPath ADD INDEX /*M! IF NOT EXISTS */ idx_eventpath_event_id (event_id);

UPDATE MLMDEnv SET schema_version = 7;
