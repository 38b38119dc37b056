ALTER TABLE Context
    DROP INDEX /*M! IF EXISTS */ idx_context_create_time_since_epoch,
    DROP INDEX /*M! IF EXISTS */ idx_context_last_update_time_since_epoch;

ALTER TABLE Execution
    DROP INDEX /*M! IF EXISTS */ idx_execution_create_time_since_epoch,
    DROP INDEX /*M! IF EXISTS */ idx_execution_last_update_time_since_epoch;

ALTER TABLE Event
    DROP INDEX /*M! IF EXISTS */ idx_event_artifact_id,
    DROP INDEX /*M! IF EXISTS */ idx_event_execution_id;

ALTER TABLE Artifact
    DROP INDEX /*M! IF EXISTS */ idx_artifact_uri,
    DROP INDEX /*M! IF EXISTS */ idx_artifact_create_time_since_epoch,
    DROP INDEX /*M! IF EXISTS */ idx_artifact_last_update_time_since_epoch;

ALTER TABLE Type
    DROP INDEX /*M! IF EXISTS */ idx_type_name,
    DROP COLUMN /*M! IF EXISTS */ version,
    DROP COLUMN /*M! IF EXISTS */ description;

DROP TABLE IF EXISTS ParentContext;
DROP TABLE IF EXISTS ParentType;

UPDATE MLMDEnv SET schema_version = 5;
