DROP TABLE Attribution;
DROP TABLE Association;

UPDATE MLMDEnv SET schema_version = 3;
