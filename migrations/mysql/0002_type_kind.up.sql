-- The values stay: 1 is an artifact type and 0 an execution type; 2, a context type, becomes possible.
ALTER TABLE Type RENAME COLUMN /*M! IF EXISTS */ is_artifact_type TO type_kind;

UPDATE MLMDEnv SET schema_version = 2;
