DROP TABLE IF EXISTS Attribution;
DROP TABLE IF EXISTS Association;

UPDATE MLMDEnv SET schema_version = 3;
