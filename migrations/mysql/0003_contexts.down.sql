DROP TABLE IF EXISTS ContextProperty;
DROP TABLE IF EXISTS Context;

UPDATE MLMDEnv SET schema_version = 2;
