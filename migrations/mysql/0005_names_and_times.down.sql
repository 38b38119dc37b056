-- A key goes with its columns: without the name it would forbid a second node of a type.
ALTER TABLE Artifact
    DROP KEY /*M! IF EXISTS */ UniqueArtifactTypeName,
    DROP COLUMN /*M! IF EXISTS */ state,
    DROP COLUMN /*M! IF EXISTS */ name,
    DROP COLUMN /*M! IF EXISTS */ create_time_since_epoch,
    DROP COLUMN /*M! IF EXISTS */ last_update_time_since_epoch;

ALTER TABLE Execution
    DROP KEY /*M! IF EXISTS */ UniqueExecutionTypeName,
    DROP COLUMN /*M! IF EXISTS */ last_known_state,
    DROP COLUMN /*M! IF EXISTS */ name,
    DROP COLUMN /*M! IF EXISTS */ create_time_since_epoch,
    DROP COLUMN /*M! IF EXISTS */ last_update_time_since_epoch;

ALTER TABLE Context
    DROP COLUMN /*M! IF EXISTS */ create_time_since_epoch,
    DROP COLUMN /*M! IF EXISTS */ last_update_time_since_epoch;

UPDATE MLMDEnv SET schema_version = 4;
