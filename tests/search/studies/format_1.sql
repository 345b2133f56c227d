BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('v3.2.0.a');
CREATE TABLE studies (
	study_id INTEGER NOT NULL, 
	study_name VARCHAR(512) NOT NULL, 
	PRIMARY KEY (study_id)
);
INSERT INTO "studies" VALUES(1,'old');
CREATE TABLE study_directions (
	study_direction_id INTEGER NOT NULL, 
	direction VARCHAR(8) NOT NULL, 
	study_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	PRIMARY KEY (study_direction_id), 
	UNIQUE (study_id, objective), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_directions" VALUES(1,'MAXIMIZE',1,0);
CREATE TABLE study_system_attributes (
	study_system_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_system_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
CREATE TABLE study_user_attributes (
	study_user_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_user_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_user_attributes" VALUES(1,1,'diffusionnag','"nasbench201 python:convolutions.py:count"');
CREATE TABLE trial_heartbeats (
	trial_heartbeat_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	heartbeat DATETIME NOT NULL, 
	PRIMARY KEY (trial_heartbeat_id), 
	UNIQUE (trial_id), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_heartbeats" VALUES(1,1,'2026-11-25 12:45:15');
INSERT INTO "trial_heartbeats" VALUES(2,2,'2026-11-25 12:45:16');
INSERT INTO "trial_heartbeats" VALUES(3,3,'2026-11-25 12:45:16');
INSERT INTO "trial_heartbeats" VALUES(4,4,'2026-11-25 12:45:17');
INSERT INTO "trial_heartbeats" VALUES(5,5,'2026-11-25 12:45:17');
INSERT INTO "trial_heartbeats" VALUES(6,6,'2026-11-25 12:45:18');
INSERT INTO "trial_heartbeats" VALUES(7,7,'2026-11-25 12:45:18');
INSERT INTO "trial_heartbeats" VALUES(8,8,'2026-11-25 12:45:19');
CREATE TABLE trial_intermediate_values (
	trial_intermediate_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	intermediate_value FLOAT, 
	intermediate_value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_intermediate_value_id), 
	UNIQUE (trial_id, step), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_params (
	param_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	param_name VARCHAR(512), 
	param_value FLOAT, 
	distribution_json TEXT, 
	PRIMARY KEY (param_id), 
	UNIQUE (trial_id, param_name), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_params" VALUES(1,1,'0>1',4.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(2,1,'0>2',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(3,1,'1>2',3.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(4,1,'0>3',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(5,1,'1>3',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(6,1,'2>3',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(7,2,'0>1',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(8,2,'0>2',4.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(9,2,'1>2',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(10,2,'0>3',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(11,2,'1>3',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(12,2,'2>3',3.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(13,3,'0>1',4.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(14,3,'0>2',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(15,3,'1>2',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(16,3,'0>3',3.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(17,3,'1>3',3.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(18,3,'2>3',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(19,4,'0>1',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(20,4,'0>2',4.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(21,4,'1>2',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(22,4,'0>3',3.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(23,4,'1>3',3.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(24,4,'2>3',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(25,5,'0>1',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(26,5,'0>2',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(27,5,'1>2',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(28,5,'0>3',4.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(29,5,'1>3',3.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(30,5,'2>3',4.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(31,6,'0>1',3.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(32,6,'0>2',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(33,6,'1>2',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(34,6,'0>3',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(35,6,'1>3',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(36,6,'2>3',3.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(37,7,'0>1',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(38,7,'0>2',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(39,7,'1>2',3.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(40,7,'0>3',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(41,7,'1>3',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(42,7,'2>3',3.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(43,8,'0>1',3.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(44,8,'0>2',4.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(45,8,'1>2',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(46,8,'0>3',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(47,8,'1>3',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
INSERT INTO "trial_params" VALUES(48,8,'2>3',4.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]}}');
CREATE TABLE trial_system_attributes (
	trial_system_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_system_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_system_attributes" VALUES(1,1,'process','"vm 10672 635908"');
INSERT INTO "trial_system_attributes" VALUES(2,2,'process','"vm 10672 635908"');
INSERT INTO "trial_system_attributes" VALUES(3,3,'process','"vm 10672 635908"');
INSERT INTO "trial_system_attributes" VALUES(4,4,'process','"vm 10672 635908"');
INSERT INTO "trial_system_attributes" VALUES(5,5,'process','"vm 10672 635908"');
INSERT INTO "trial_system_attributes" VALUES(6,6,'process','"vm 10672 635908"');
INSERT INTO "trial_system_attributes" VALUES(7,7,'process','"vm 10672 635908"');
INSERT INTO "trial_system_attributes" VALUES(8,8,'process','"vm 10672 635908"');
CREATE TABLE trial_user_attributes (
	trial_user_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_user_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_user_attributes" VALUES(1,1,'architecture','"|avg_pool_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"');
INSERT INTO "trial_user_attributes" VALUES(2,1,'metrics','{"count": 22.0}');
INSERT INTO "trial_user_attributes" VALUES(3,2,'architecture','"|nor_conv_1x1~0|+|avg_pool_3x3~0|none~1|+|none~0|nor_conv_1x1~1|nor_conv_3x3~2|"');
INSERT INTO "trial_user_attributes" VALUES(4,2,'metrics','{"count": 23.0}');
INSERT INTO "trial_user_attributes" VALUES(5,3,'architecture','"|avg_pool_3x3~0|+|nor_conv_1x1~0|none~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_1x1~2|"');
INSERT INTO "trial_user_attributes" VALUES(6,3,'metrics','{"count": 26.0}');
INSERT INTO "trial_user_attributes" VALUES(7,4,'architecture','"|nor_conv_1x1~0|+|avg_pool_3x3~0|skip_connect~1|+|nor_conv_3x3~0|nor_conv_3x3~1|none~2|"');
INSERT INTO "trial_user_attributes" VALUES(8,4,'metrics','{"count": 25.0}');
INSERT INTO "trial_user_attributes" VALUES(9,5,'architecture','"|nor_conv_1x1~0|+|none~0|nor_conv_1x1~1|+|avg_pool_3x3~0|nor_conv_3x3~1|avg_pool_3x3~2|"');
INSERT INTO "trial_user_attributes" VALUES(10,5,'metrics','{"count": 27.0}');
INSERT INTO "trial_user_attributes" VALUES(11,6,'architecture','"|nor_conv_3x3~0|+|skip_connect~0|skip_connect~1|+|none~0|none~1|nor_conv_3x3~2|"');
INSERT INTO "trial_user_attributes" VALUES(12,6,'metrics','{"count": 20.0}');
INSERT INTO "trial_user_attributes" VALUES(13,7,'architecture','"|nor_conv_1x1~0|+|nor_conv_1x1~0|nor_conv_3x3~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"');
INSERT INTO "trial_user_attributes" VALUES(14,7,'metrics','{"count": 23.0}');
INSERT INTO "trial_user_attributes" VALUES(15,8,'architecture','"|nor_conv_3x3~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+|skip_connect~0|nor_conv_1x1~1|avg_pool_3x3~2|"');
INSERT INTO "trial_user_attributes" VALUES(16,8,'metrics','{"count": 28.0}');
CREATE TABLE trial_values (
	trial_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	value FLOAT, 
	value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_value_id), 
	UNIQUE (trial_id, objective), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_values" VALUES(1,1,0,22.0,'FINITE');
INSERT INTO "trial_values" VALUES(2,2,0,23.0,'FINITE');
INSERT INTO "trial_values" VALUES(3,3,0,26.0,'FINITE');
INSERT INTO "trial_values" VALUES(4,4,0,25.0,'FINITE');
INSERT INTO "trial_values" VALUES(5,5,0,27.0,'FINITE');
INSERT INTO "trial_values" VALUES(6,6,0,20.0,'FINITE');
INSERT INTO "trial_values" VALUES(7,7,0,23.0,'FINITE');
INSERT INTO "trial_values" VALUES(8,8,0,28.0,'FINITE');
CREATE TABLE trials (
	trial_id INTEGER NOT NULL, 
	number INTEGER, 
	study_id INTEGER, 
	state VARCHAR(8) NOT NULL, 
	datetime_start DATETIME, 
	datetime_complete DATETIME, 
	PRIMARY KEY (trial_id), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "trials" VALUES(1,0,1,'COMPLETE','2026-11-25 12:45:15.439179','2026-11-25 12:45:15.937334');
INSERT INTO "trials" VALUES(2,1,1,'COMPLETE','2026-11-25 12:45:15.996025','2026-11-25 12:45:16.428191');
INSERT INTO "trials" VALUES(3,2,1,'COMPLETE','2026-11-25 12:45:16.495575','2026-11-25 12:45:16.892025');
INSERT INTO "trials" VALUES(4,3,1,'COMPLETE','2026-11-25 12:45:16.949748','2026-11-25 12:45:17.376013');
INSERT INTO "trials" VALUES(5,4,1,'COMPLETE','2026-11-25 12:45:17.441774','2026-11-25 12:45:17.899652');
INSERT INTO "trials" VALUES(6,5,1,'COMPLETE','2026-11-25 12:45:17.955546','2026-11-25 12:45:18.372269');
INSERT INTO "trials" VALUES(7,6,1,'COMPLETE','2026-11-25 12:45:18.436388','2026-11-25 12:45:18.896174');
INSERT INTO "trials" VALUES(8,7,1,'COMPLETE','2026-11-25 12:45:18.954873','2026-11-25 12:45:19.407944');
CREATE TABLE version_info (
	version_info_id INTEGER NOT NULL, 
	schema_version INTEGER, 
	library_version VARCHAR(256), 
	PRIMARY KEY (version_info_id), 
	CHECK (version_info_id=1)
);
INSERT INTO "version_info" VALUES(1,12,'5.0.0');
CREATE UNIQUE INDEX ix_studies_study_name ON studies (study_name);
CREATE INDEX ix_trials_study_id ON trials (study_id);
COMMIT;
