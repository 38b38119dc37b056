-- Context types cannot be said any more.
ALTER TABLE Type RENAME COLUMN /*M! IF EXISTS */ type_kind TO is_artifact_type;
DELETE FROM Type WHERE is_artifact_type = 2;

UPDATE MLMDEnv SET schema_version = 1;
