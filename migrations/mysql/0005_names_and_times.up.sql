-- Rows that are there already have no name, and time 0.
ALTER TABLE Artifact
    ADD COLUMN /*M! IF NOT EXISTS */ state INT,
    ADD COLUMN /*M! IF NOT EXISTS */ name VARCHAR(255),
    ADD COLUMN /*M! IF NOT EXISTS */ create_time_since_epoch BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN /*M! IF NOT EXISTS */ last_update_time_since_epoch BIGINT NOT NULL DEFAULT 0,
    ADD UNIQUE KEY /*M! IF NOT EXISTS */ UniqueArtifactTypeName (type_id, name);

ALTER TABLE Execution
    ADD COLUMN /*M! IF NOT EXISTS */ last_known_state INT,
    ADD COLUMN /*M! IF NOT EXISTS */ name VARCHAR(255),
    ADD COLUMN /*M! IF NOT EXISTS */ create_time_since_epoch BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN /*M! IF NOT EXISTS */ last_update_time_since_epoch BIGINT NOT NULL DEFAULT 0,
    ADD UNIQUE KEY /*M! IF NOT EXISTS */ UniqueExecutionTypeName (type_id, name);

ALTER TABLE Context
    ADD COLUMN /*M! IF NOT EXISTS */ create_time_since_epoch BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN /*M! IF NOT EXISTS */ last_update_time_since_epoch BIGINT NOT NULL DEFAULT 0;

UPDATE MLMDEnv SET schema_version = 5;
