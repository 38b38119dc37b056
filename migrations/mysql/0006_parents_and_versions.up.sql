CREATE TABLE IF NOT EXISTS ParentType (
    type_id INT NOT NULL,
    parent_type_id INT NOT NULL,
    PRIMARY KEY (type_id, parent_type_id)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS ParentContext (
    context_id INT NOT NULL,
    parent_context_id INT NOT NULL,
    PRIMARY KEY (context_id, parent_context_id),
    INDEX idx_parentcontext_parent_context_id (parent_context_id)
) ENGINE = InnoDB;

ALTER TABLE Type
    ADD COLUMN /*M! IF NOT EXISTS */ version VARCHAR(255),
    ADD COLUMN /*M! IF NOT EXISTS */ description TEXT,
    ADD INDEX /*M! IF NOT EXISTS */ idx_type_name (name);

ALTER TABLE Artifact
    ADD INDEX /*M! IF NOT EXISTS */ idx_artifact_uri (uri(255)),
    ADD INDEX /*M! IF NOT EXISTS */ idx_artifact_create_time_since_epoch (create_time_since_epoch),
    ADD INDEX /*M! IF NOT EXISTS */ idx_artifact_last_update_time_since_epoch (last_update_time_since_epoch);

ALTER TABLE Event
    ADD INDEX /*M! IF NOT EXISTS */ idx_event_artifact_id (artifact_id),
    ADD INDEX /*M! IF NOT EXISTS */ idx_event_execution_id (execution_id);

ALTER TABLE Execution
    ADD INDEX /*M! IF NOT EXISTS */ idx_execution_create_time_since_epoch (create_time_since_epoch),
    ADD INDEX /*M! IF NOT EXISTS */ idx_execution_last_update_time_since_epoch (last_update_time_since_epoch);

ALTER TABLE Context
    ADD INDEX /*M! IF NOT EXISTS */ idx_context_create_time_since_epoch (create_time_since_epoch),
    ADD INDEX /*M! IF NOT EXISTS */ idx_context_last_update_time_since_epoch (last_update_time_since_epoch);

UPDATE MLMDEnv SET schema_version = 6;
