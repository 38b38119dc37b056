CREATE TABLE IF NOT EXISTS Context (
    id INT AUTO_INCREMENT PRIMARY KEY,
    type_id INT NOT NULL,
    name VARCHAR(255) NOT NULL,
    UNIQUE (type_id, name)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS ContextProperty (
    context_id INT NOT NULL,
    name VARCHAR(255) NOT NULL,
    is_custom_property TINYINT(1) NOT NULL,
    int_value INT,
    double_value DOUBLE,
    string_value TEXT,
    PRIMARY KEY (context_id, name, is_custom_property)
) ENGINE = InnoDB;

UPDATE MLMDEnv SET schema_version = 3;
