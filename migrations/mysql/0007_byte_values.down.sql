-- TEXT holds 65535 bytes. Longer text is cut: to as many characters where that fits, otherwise to what fits whatever they are.
UPDATE ArtifactProperty
SET string_value = LEFT(string_value, IF(LENGTH(LEFT(string_value, 65535)) > 65535, 16383, 65535))
WHERE LENGTH(string_value) > 65535;
ALTER TABLE ArtifactProperty
    MODIFY COLUMN string_value TEXT,
    DROP COLUMN /*M! IF EXISTS */ byte_value;

UPDATE ExecutionProperty
SET string_value = LEFT(string_value, IF(LENGTH(LEFT(string_value, 65535)) > 65535, 16383, 65535))
WHERE LENGTH(string_value) > 65535;
ALTER TABLE ExecutionProperty
    MODIFY COLUMN string_value TEXT,
    DROP COLUMN /*M! IF EXISTS */ byte_value;

UPDATE ContextProperty
SET string_value = LEFT(string_value, IF(LENGTH(LEFT(string_value, 65535)) > 65535, 16383, 65535))
WHERE LENGTH(string_value) > 65535;
ALTER TABLE ContextProperty
    MODIFY COLUMN string_value TEXT,
    DROP COLUMN /*M! IF EXISTS */ byte_value;

ALTER TABLE EventPath DROP INDEX /*M! IF EXISTS */ idx_eventpath_event_id;

UPDATE MLMDEnv SET schema_version = 6;
