ALTER TABLE ArtifactProperty
    ADD INDEX /*M! IF NOT EXISTS */ idx_artifact_property_int (name, is_custom_property, int_value),
    ADD INDEX /*M! IF NOT EXISTS */ idx_artifact_property_double (name, is_custom_property, double_value),
    ADD INDEX /*M! IF NOT EXISTS */ idx_artifact_property_string (name, is_custom_property, string_value(255));

ALTER TABLE ExecutionProperty
    ADD INDEX /*M! IF NOT EXISTS */ idx_execution_property_int (name, is_custom_property, int_value),
    ADD INDEX /*M! IF NOT EXISTS */ idx_execution_property_double (name, is_custom_property, double_value),
    ADD INDEX /*M! IF NOT EXISTS */ idx_execution_property_string (name, is_custom_property, string_value(255));

ALTER TABLE ContextProperty
    ADD INDEX /*M! IF NOT EXISTS */ idx_context_property_int (name, is_custom_property, int_value),
    ADD INDEX /*M! IF NOT EXISTS */ idx_context_property_double (name, is_custom_property, double_value),
    ADD INDEX /*M! IF NOT EXISTS */ idx_context_property_string (name, is_custom_property, string_value(255));

-- One event for each artifact, execution and type: of several the newest, which has the highest id, stays.
DELETE older FROM Event AS older JOIN Event AS newer USING (artifact_id, execution_id, type) WHERE older.id < newer.id;
-- The unique key serves searches by artifact.
ALTER TABLE Event
    ADD UNIQUE KEY /*M! IF NOT EXISTS */ UniqueEvent (artifact_id, execution_id, type),
    DROP INDEX /*M! IF EXISTS */ idx_event_artifact_id;

DELETE FROM EventPath WHERE event_id NOT IN (SELECT id FROM Event);

UPDATE MLMDEnv SET schema_version = 8;
