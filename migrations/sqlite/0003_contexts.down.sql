DROP TABLE ContextProperty;
DROP TABLE Context;

UPDATE MLMDEnv SET schema_version = 2;
