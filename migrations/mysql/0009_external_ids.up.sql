ALTER TABLE Type
    ADD COLUMN /*M! IF NOT EXISTS */ external_id VARCHAR(255),
    ADD UNIQUE KEY /*M! IF NOT EXISTS */ UniqueTypeExternalId (external_id),
    ADD INDEX /*M! IF NOT EXISTS */ idx_type_external_id (external_id);

ALTER TABLE Artifact
    ADD COLUMN /*M! IF NOT EXISTS */ external_id VARCHAR(255),
    ADD UNIQUE KEY /*M! IF NOT EXISTS */ UniqueArtifactExternalId (external_id),
    ADD INDEX /*M! IF NOT EXISTS */ idx_artifact_external_id (external_id);

ALTER TABLE Execution
    ADD COLUMN /*M! IF NOT EXISTS */ external_id VARCHAR(255),
    ADD UNIQUE KEY /*M! IF NOT EXISTS */ UniqueExecutionExternalId (external_id),
    ADD INDEX /*M! IF NOT EXISTS */ idx_execution_external_id (external_id);

ALTER TABLE Context
    ADD COLUMN /*M! IF NOT EXISTS */ external_id VARCHAR(255),
    ADD UNIQUE KEY /*M! IF NOT EXISTS */ UniqueContextExternalId (external_id),
    ADD INDEX /*M! IF NOT EXISTS */ idx_context_external_id (external_id);

UPDATE MLMDEnv SET schema_version = 9;
