-- The keys on the column go with it.
ALTER TABLE Type DROP COLUMN /*M! IF EXISTS */ external_id;
ALTER TABLE Artifact DROP COLUMN /*M! IF EXISTS */ external_id;
ALTER TABLE Execution DROP COLUMN /*M! IF EXISTS */ external_id;
ALTER TABLE Context DROP COLUMN /*M! IF EXISTS */ external_id;

UPDATE MLMDEnv SET schema_version = 8;
