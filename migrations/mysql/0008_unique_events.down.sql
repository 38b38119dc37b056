ALTER TABLE Event
    ADD INDEX /*M! IF NOT EXISTS */ idx_event_artifact_id (artifact_id),
    DROP KEY /*M! IF EXISTS */ UniqueEvent;

ALTER TABLE ArtifactProperty
    DROP INDEX /*M! IF EXISTS */ idx_artifact_property_int,
    DROP INDEX /*M! IF EXISTS */ idx_artifact_property_double,
    DROP INDEX /*M! IF EXISTS */ idx_artifact_property_string;

ALTER TABLE ExecutionProperty
    DROP INDEX /*M! IF EXISTS */ idx_execution_property_int,
    DROP INDEX /*M! IF EXISTS */ idx_execution_property_double,
    DROP INDEX /*M! IF EXISTS */ idx_execution_property_string;

ALTER TABLE ContextProperty
    DROP INDEX /*M! IF EXISTS */ idx_context_property_int,
    DROP INDEX /*M! IF EXISTS */ idx_context_property_double,
    DROP INDEX /*M! IF EXISTS */ idx_context_property_string;

UPDATE MLMDEnv SET schema_version = 7;
