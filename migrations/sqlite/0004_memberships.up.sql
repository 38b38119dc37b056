CREATE TABLE Association (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    context_id INT NOT NULL,
    execution_id INT NOT NULL,
    UNIQUE (context_id, execution_id)
);

CREATE TABLE Attribution (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    context_id INT NOT NULL,
    artifact_id INT NOT NULL,
    UNIQUE (context_id, artifact_id)
);

UPDATE MLMDEnv SET schema_version = 4;
