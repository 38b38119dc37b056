-- Context types cannot be said any more.
DELETE FROM Type WHERE type_kind = 2;
ALTER TABLE Type RENAME COLUMN type_kind TO is_artifact_type;

UPDATE MLMDEnv SET schema_version = 1;
