CREATE TABLE `Artifact` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `type_id` int(11) NOT NULL,
  `uri` text DEFAULT NULL,
  `state` int(11) DEFAULT NULL,
  `name` varchar(255) DEFAULT NULL,
  `create_time_since_epoch` bigint(20) NOT NULL DEFAULT 0,
  `last_update_time_since_epoch` bigint(20) NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`),
  UNIQUE KEY `UniqueArtifactTypeName` (`type_id`,`name`)
) ENGINE=InnoDB AUTO_INCREMENT=6 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `Artifact` VALUES (1,10,'file:///a',2,'first',1700000000001,1700000001001);
INSERT INTO `Artifact` VALUES (2,10,'file:///b',NULL,NULL,1700000000002,1700000001002);
INSERT INTO `Artifact` VALUES (3,11,'',NULL,'first',1700000000003,1700000001003);
INSERT INTO `Artifact` VALUES (4,10,NULL,4,'no uri',1700000000004,1700000001004);
CREATE TABLE `ArtifactProperty` (
  `artifact_id` int(11) NOT NULL,
  `name` varchar(255) NOT NULL,
  `is_custom_property` tinyint(1) NOT NULL,
  `int_value` int(11) DEFAULT NULL,
  `double_value` double DEFAULT NULL,
  `string_value` text DEFAULT NULL,
  PRIMARY KEY (`artifact_id`,`name`,`is_custom_property`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `ArtifactProperty` VALUES (1,'b',0,NULL,NULL,NULL);
INSERT INTO `ArtifactProperty` VALUES (1,'d',0,NULL,0.5,NULL);
INSERT INTO `ArtifactProperty` VALUES (1,'n',0,2147483647,NULL,NULL);
INSERT INTO `ArtifactProperty` VALUES (1,'p',0,NULL,NULL,NULL);
INSERT INTO `ArtifactProperty` VALUES (1,'s',0,NULL,NULL,'grÃ¶ÃŸe æ¼¢å­—');
INSERT INTO `ArtifactProperty` VALUES (1,'t',0,NULL,NULL,'mlmd-struct::ChkKBHJvd3MSETIPCgkRAAAAAAAA8D8KAggA');
INSERT INTO `ArtifactProperty` VALUES (2,'c',1,-3,NULL,NULL);
INSERT INTO `ArtifactProperty` VALUES (2,'n',1,NULL,NULL,'a custom property with the name of a typed one');
INSERT INTO `ArtifactProperty` VALUES (2,'p',1,NULL,NULL,NULL);
CREATE TABLE `Association` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `context_id` int(11) NOT NULL,
  `execution_id` int(11) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `context_id` (`context_id`,`execution_id`)
) ENGINE=InnoDB AUTO_INCREMENT=3 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `Association` VALUES (1,1,2);
INSERT INTO `Association` VALUES (2,2,1);
CREATE TABLE `Attribution` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `context_id` int(11) NOT NULL,
  `artifact_id` int(11) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `context_id` (`context_id`,`artifact_id`)
) ENGINE=InnoDB AUTO_INCREMENT=3 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `Attribution` VALUES (1,1,1);
INSERT INTO `Attribution` VALUES (2,3,1);
CREATE TABLE `Context` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `type_id` int(11) NOT NULL,
  `name` varchar(255) NOT NULL,
  `create_time_since_epoch` bigint(20) NOT NULL DEFAULT 0,
  `last_update_time_since_epoch` bigint(20) NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`),
  UNIQUE KEY `type_id` (`type_id`,`name`)
) ENGINE=InnoDB AUTO_INCREMENT=4 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `Context` VALUES (1,13,'one',1700000004001,1700000005001);
INSERT INTO `Context` VALUES (2,13,'two',1700000004002,1700000005002);
INSERT INTO `Context` VALUES (3,14,'one',1700000004003,1700000005003);
CREATE TABLE `ContextProperty` (
  `context_id` int(11) NOT NULL,
  `name` varchar(255) NOT NULL,
  `is_custom_property` tinyint(1) NOT NULL,
  `int_value` int(11) DEFAULT NULL,
  `double_value` double DEFAULT NULL,
  `string_value` text DEFAULT NULL,
  PRIMARY KEY (`context_id`,`name`,`is_custom_property`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `ContextProperty` VALUES (1,'b',0,NULL,NULL,NULL);
INSERT INTO `ContextProperty` VALUES (1,'d',0,NULL,0.5,NULL);
INSERT INTO `ContextProperty` VALUES (1,'n',0,2147483647,NULL,NULL);
INSERT INTO `ContextProperty` VALUES (1,'p',0,NULL,NULL,NULL);
INSERT INTO `ContextProperty` VALUES (1,'s',0,NULL,NULL,'grÃ¶ÃŸe æ¼¢å­—');
INSERT INTO `ContextProperty` VALUES (1,'t',0,NULL,NULL,'mlmd-struct::ChkKBHJvd3MSETIPCgkRAAAAAAAA8D8KAggA');
INSERT INTO `ContextProperty` VALUES (2,'c',1,-3,NULL,NULL);
INSERT INTO `ContextProperty` VALUES (2,'n',1,NULL,NULL,'a custom property with the name of a typed one');
INSERT INTO `ContextProperty` VALUES (2,'p',1,NULL,NULL,NULL);
CREATE TABLE `Event` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `artifact_id` int(11) NOT NULL,
  `execution_id` int(11) NOT NULL,
  `type` int(11) NOT NULL,
  `milliseconds_since_epoch` bigint(20) DEFAULT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=4 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `Event` VALUES (1,1,1,3,100);
INSERT INTO `Event` VALUES (2,2,1,4,200);
INSERT INTO `Event` VALUES (3,2,2,2,300);
CREATE TABLE `EventPath` (
  `event_id` int(11) NOT NULL,
  `is_index_step` tinyint(1) NOT NULL,
  `step_index` int(11) DEFAULT NULL,
  `step_key` text DEFAULT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `EventPath` VALUES (1,0,NULL,'in');
INSERT INTO `EventPath` VALUES (1,1,0,NULL);
INSERT INTO `EventPath` VALUES (2,0,NULL,'in');
INSERT INTO `EventPath` VALUES (2,1,0,NULL);
CREATE TABLE `Execution` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `type_id` int(11) NOT NULL,
  `last_known_state` int(11) DEFAULT NULL,
  `name` varchar(255) DEFAULT NULL,
  `create_time_since_epoch` bigint(20) NOT NULL DEFAULT 0,
  `last_update_time_since_epoch` bigint(20) NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`),
  UNIQUE KEY `UniqueExecutionTypeName` (`type_id`,`name`)
) ENGINE=InnoDB AUTO_INCREMENT=3 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `Execution` VALUES (1,12,3,'monday',1700000002001,1700000003001);
INSERT INTO `Execution` VALUES (2,12,NULL,NULL,1700000002002,1700000003002);
CREATE TABLE `ExecutionProperty` (
  `execution_id` int(11) NOT NULL,
  `name` varchar(255) NOT NULL,
  `is_custom_property` tinyint(1) NOT NULL,
  `int_value` int(11) DEFAULT NULL,
  `double_value` double DEFAULT NULL,
  `string_value` text DEFAULT NULL,
  PRIMARY KEY (`execution_id`,`name`,`is_custom_property`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `ExecutionProperty` VALUES (1,'b',0,NULL,NULL,NULL);
INSERT INTO `ExecutionProperty` VALUES (1,'d',0,NULL,0.5,NULL);
INSERT INTO `ExecutionProperty` VALUES (1,'n',0,2147483647,NULL,NULL);
INSERT INTO `ExecutionProperty` VALUES (1,'p',0,NULL,NULL,NULL);
INSERT INTO `ExecutionProperty` VALUES (1,'s',0,NULL,NULL,'grÃ¶ÃŸe æ¼¢å­—');
INSERT INTO `ExecutionProperty` VALUES (1,'t',0,NULL,NULL,'mlmd-struct::ChkKBHJvd3MSETIPCgkRAAAAAAAA8D8KAggA');
INSERT INTO `ExecutionProperty` VALUES (2,'c',1,-3,NULL,NULL);
INSERT INTO `ExecutionProperty` VALUES (2,'n',1,NULL,NULL,'a custom property with the name of a typed one');
INSERT INTO `ExecutionProperty` VALUES (2,'p',1,NULL,NULL,NULL);
CREATE TABLE `MLMDEnv` (
  `schema_version` int(11) NOT NULL,
  PRIMARY KEY (`schema_version`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `MLMDEnv` VALUES (5);
CREATE TABLE `Type` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `name` varchar(255) NOT NULL,
  `type_kind` tinyint(1) NOT NULL,
  `input_type` text DEFAULT NULL,
  `output_type` text DEFAULT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=16 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `Type` VALUES (1,'mlmd.Dataset',1,NULL,NULL);
INSERT INTO `Type` VALUES (2,'mlmd.Model',1,NULL,NULL);
INSERT INTO `Type` VALUES (3,'mlmd.Metrics',1,NULL,NULL);
INSERT INTO `Type` VALUES (4,'mlmd.Statistics',1,NULL,NULL);
INSERT INTO `Type` VALUES (5,'mlmd.Train',0,NULL,NULL);
INSERT INTO `Type` VALUES (6,'mlmd.Transform',0,NULL,NULL);
INSERT INTO `Type` VALUES (7,'mlmd.Process',0,NULL,NULL);
INSERT INTO `Type` VALUES (8,'mlmd.Evaluate',0,NULL,NULL);
INSERT INTO `Type` VALUES (9,'mlmd.Deploy',0,NULL,NULL);
INSERT INTO `Type` VALUES (10,'Data',1,NULL,NULL);
INSERT INTO `Type` VALUES (11,'Data',1,NULL,NULL);
INSERT INTO `Type` VALUES (12,'Train',0,'{\"dict\":{\"properties\":{\"in\":{\"simple\":{\"name\":\"Data\",\"version\":\"2\",\"baseType\":\"DATASET\"}}}}}','{\"any\":{}}');
INSERT INTO `Type` VALUES (13,'Run',2,NULL,NULL);
INSERT INTO `Type` VALUES (14,'Pipeline',2,NULL,NULL);
CREATE TABLE `TypeProperty` (
  `type_id` int(11) NOT NULL,
  `name` varchar(255) NOT NULL,
  `data_type` int(11) DEFAULT NULL,
  PRIMARY KEY (`type_id`,`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `TypeProperty` VALUES (10,'b',6);
INSERT INTO `TypeProperty` VALUES (10,'d',2);
INSERT INTO `TypeProperty` VALUES (10,'n',1);
INSERT INTO `TypeProperty` VALUES (10,'p',5);
INSERT INTO `TypeProperty` VALUES (10,'s',3);
INSERT INTO `TypeProperty` VALUES (10,'t',4);
INSERT INTO `TypeProperty` VALUES (12,'b',6);
INSERT INTO `TypeProperty` VALUES (12,'d',2);
INSERT INTO `TypeProperty` VALUES (12,'n',1);
INSERT INTO `TypeProperty` VALUES (12,'p',5);
INSERT INTO `TypeProperty` VALUES (12,'s',3);
INSERT INTO `TypeProperty` VALUES (12,'t',4);
INSERT INTO `TypeProperty` VALUES (13,'b',6);
INSERT INTO `TypeProperty` VALUES (13,'d',2);
INSERT INTO `TypeProperty` VALUES (13,'n',1);
INSERT INTO `TypeProperty` VALUES (13,'p',5);
INSERT INTO `TypeProperty` VALUES (13,'s',3);
INSERT INTO `TypeProperty` VALUES (13,'t',4);
