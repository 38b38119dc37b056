-- An index goes before the column it is on.
DROP INDEX idx_artifact_uri;
DROP INDEX idx_artifact_create_time_since_epoch;
DROP INDEX idx_artifact_last_update_time_since_epoch;
DROP INDEX idx_event_artifact_id;
DROP INDEX idx_event_execution_id;
DROP INDEX idx_type_name;
DROP INDEX idx_execution_create_time_since_epoch;
DROP INDEX idx_execution_last_update_time_since_epoch;
DROP INDEX idx_context_create_time_since_epoch;
DROP INDEX idx_context_last_update_time_since_epoch;

ALTER TABLE Type DROP COLUMN version;
ALTER TABLE Type DROP COLUMN description;
DROP TABLE ParentContext;
DROP TABLE ParentType;

UPDATE MLMDEnv SET schema_version = 5;
