PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE notification (
    seq INTEGER PRIMARY KEY,             -- order of import
    id TEXT NOT NULL UNIQUE,             -- the spool file's name
    received INTEGER NOT NULL,           -- Unix ms
    object TEXT NOT NULL,
    twin TEXT NOT NULL,                  -- equal for the runs for several contacts
    contact TEXT NOT NULL,
    body TEXT NOT NULL                   -- JSON
) STRICT;
INSERT INTO notification VALUES(1,'01795708584648716087.3820.9bec61dbb4b4ae58',1795000000000,'ended','endedPROBLEMDOWN0','','{"kind":"PROBLEM","host":{"name":"ended","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}}');
INSERT INTO notification VALUES(2,'01795708584653558249.3820.34a510568e98a3a6',1795000000010,'open','openPROBLEMDOWN0','','{"kind":"PROBLEM","host":{"name":"open","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}}');
INSERT INTO notification VALUES(3,'01795708584657837682.3820.6b5cb2226abc3fd6',1795000060000,'ended','endedRECOVERYUP0','','{"kind":"RECOVERY","host":{"name":"ended","state":"UP"},"time":0,"contact":{},"ids":{},"progress":{}}');
INSERT INTO notification VALUES(4,'01795708584659015399.3820.f05c1a23a7c3b1b2',1795000061000,'open','openACKNOWLEDGEMENTDOWN0aliceon it','','{"kind":"ACKNOWLEDGEMENT","host":{"name":"open","state":"DOWN"},"time":0,"author":"alice","comment":"on it","contact":{},"ids":{},"progress":{}}');
INSERT INTO notification VALUES(5,'01795708584663868146.3820.d0290e4a4179c6f8',1795000000000,'ended','endedPROBLEMDOWN0','','{"kind":"PROBLEM","host":{"name":"ended","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}}');
INSERT INTO notification VALUES(6,'01795708584665993216.3820.93189b7999d32eaa',1795000060000,'ended','endedRECOVERYUP0','','{"kind":"RECOVERY","host":{"name":"ended","state":"UP"},"time":0,"contact":{},"ids":{},"progress":{}}');
INSERT INTO notification VALUES(7,'01795708584667142490.3820.de60ae6506d561d4',1795000060000,'hooked','hookedPROBLEMDOWN0','','{"kind":"PROBLEM","host":{"name":"hooked","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}}');
INSERT INTO notification VALUES(8,'01795708584669821576.3820.8b8d8fe879dfcc29',1795000100000,'p0','p0PROBLEMDOWN0','','{"kind":"PROBLEM","host":{"name":"p0","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}}');
INSERT INTO notification VALUES(9,'01795708584670964210.3820.495f4e22eb43d57e',1795000100000,'p1','p1PROBLEMDOWN0','','{"kind":"PROBLEM","host":{"name":"p1","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}}');
INSERT INTO notification VALUES(10,'01795708584673522465.3820.4b252e28ee9f83e6',1795000100000,'p2','p2PROBLEMDOWN0','','{"kind":"PROBLEM","host":{"name":"p2","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}}');
INSERT INTO notification VALUES(11,'01795708584675558963.3820.fc6b2e2ff2891325',1795000100000,'p3','p3PROBLEMDOWN0','','{"kind":"PROBLEM","host":{"name":"p3","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}}');
INSERT INTO notification VALUES(12,'01795708584676991259.3820.e37cd970675d6882',1795000100000,'p4','p4PROBLEMDOWN0','','{"kind":"PROBLEM","host":{"name":"p4","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}}');
INSERT INTO notification VALUES(13,'01795708584678017430.3820.cb1040d9d132fe2e',1795000100000,'p5','p5PROBLEMDOWN0','','{"kind":"PROBLEM","host":{"name":"p5","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}}');
INSERT INTO notification VALUES(14,'01795708584681712711.3820.adc1693dd7413e13',1795000200000,'p0','p0RECOVERYUP0','','{"kind":"RECOVERY","host":{"name":"p0","state":"UP"},"time":0,"contact":{},"ids":{},"progress":{}}');
INSERT INTO notification VALUES(15,'01795708584682756288.3820.ee715c219930c766',1795000200000,'p1','p1RECOVERYUP0','','{"kind":"RECOVERY","host":{"name":"p1","state":"UP"},"time":0,"contact":{},"ids":{},"progress":{}}');
INSERT INTO notification VALUES(16,'01795708584683719605.3820.8f07c277ebc68a0e',1795000200000,'p2','p2RECOVERYUP0','','{"kind":"RECOVERY","host":{"name":"p2","state":"UP"},"time":0,"contact":{},"ids":{},"progress":{}}');
INSERT INTO notification VALUES(17,'01795708584684817382.3820.180fdee4b80612e2',1795000200000,'p3','p3RECOVERYUP0','','{"kind":"RECOVERY","host":{"name":"p3","state":"UP"},"time":0,"contact":{},"ids":{},"progress":{}}');
INSERT INTO notification VALUES(18,'01795708584685766267.3820.dc1455cf2090d7de',1795000200000,'p4','p4RECOVERYUP0','','{"kind":"RECOVERY","host":{"name":"p4","state":"UP"},"time":0,"contact":{},"ids":{},"progress":{}}');
INSERT INTO notification VALUES(19,'01795708584686855732.3820.7a80d12deac0a11c',1795000200000,'p5','p5RECOVERYUP0','','{"kind":"RECOVERY","host":{"name":"p5","state":"UP"},"time":0,"contact":{},"ids":{},"progress":{}}');
INSERT INTO notification VALUES(20,'01795708584689984118.3820.667818671eadf346',1795000400000,'s0','s0PROBLEMDOWN0','','{"kind":"PROBLEM","host":{"name":"s0","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}}');
INSERT INTO notification VALUES(21,'01795708584691009497.3820.02a8d6a8d12f45dc',1795000400000,'s1','s1PROBLEMDOWN0','','{"kind":"PROBLEM","host":{"name":"s1","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}}');
INSERT INTO notification VALUES(22,'01795708584692315645.3820.4e60c19d41c36951',1795000400000,'s2','s2PROBLEMDOWN0','','{"kind":"PROBLEM","host":{"name":"s2","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}}');
INSERT INTO notification VALUES(23,'01795708584693238111.3820.0a313d6ceb68038a',1795000400000,'s3','s3PROBLEMDOWN0','','{"kind":"PROBLEM","host":{"name":"s3","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}}');
INSERT INTO notification VALUES(24,'01795708584694199705.3820.816674180e4ee23e',1795000400000,'s4','s4PROBLEMDOWN0','','{"kind":"PROBLEM","host":{"name":"s4","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}}');
INSERT INTO notification VALUES(25,'01795708584695193858.3820.99748c9140f3dbfb',1795000400000,'s5','s5PROBLEMDOWN0','','{"kind":"PROBLEM","host":{"name":"s5","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}}');
INSERT INTO notification VALUES(26,'01795708584698056257.3820.9290caba5f1a660a',1795000400000,'s6','s6PROBLEMDOWN0','','{"kind":"PROBLEM","host":{"name":"s6","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}}');
INSERT INTO notification VALUES(27,'01795708584704748479.3820.dac7ab15bdb1e68a',1795000410000,'late','latePROBLEMDOWN0','','{"kind":"PROBLEM","host":{"name":"late","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}}');
INSERT INTO notification VALUES(28,'01795708584705910011.3820.bf78676fb7e9eb6e',1795000411000,'s0','s0RECOVERYUP0','','{"kind":"RECOVERY","host":{"name":"s0","state":"UP"},"time":0,"contact":{},"ids":{},"progress":{}}');
INSERT INTO notification VALUES(29,'01795708584706970753.3820.74b9fd1e0d5c89ee',1795000411000,'s1','s1ACKNOWLEDGEMENTDOWN0','','{"kind":"ACKNOWLEDGEMENT","host":{"name":"s1","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}}');
INSERT INTO notification VALUES(30,'01795708584707957125.3820.d04d0c611d5d8623',1795000500000,'tried','triedPROBLEMDOWN0','','{"kind":"PROBLEM","host":{"name":"tried","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}}');
INSERT INTO notification VALUES(31,'01795708584719305240.3820.f9c9915822a5a8fb',1795000501000,'untried','untriedPROBLEMDOWN0','','{"kind":"PROBLEM","host":{"name":"untried","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}}');
INSERT INTO notification VALUES(32,'01795708584720381906.3820.24e8e9a17165c755',1795000501000,'mailed','mailedPROBLEMDOWN0','','{"kind":"PROBLEM","host":{"name":"mailed","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}}');
INSERT INTO notification VALUES(33,'01795708584722227218.3820.570c9de5bcd1e8b2',1795000501000,'refused','refusedPROBLEMDOWN0','','{"kind":"PROBLEM","host":{"name":"refused","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}}');
INSERT INTO notification VALUES(34,'01795708584724021905.3820.8ecfdda9ceb348e6',1795000501000,'fast','fastPROBLEMDOWN0','','{"kind":"PROBLEM","host":{"name":"fast","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}}');
INSERT INTO notification VALUES(35,'01795708584725624075.3820.eb6840ef3fc2bfce',1795000501000,'back','backPROBLEMDOWN0','','{"kind":"PROBLEM","host":{"name":"back","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}}');
INSERT INTO notification VALUES(36,'01795708584728001841.3820.659ef91914372141',1795000505000,'web01','web01PROBLEMDOWN77','a','{"kind":"PROBLEM","host":{"name":"web01","state":"DOWN"},"time":0,"contact":{"name":"a"},"ids":{"notification":"77"},"progress":{}}');
INSERT INTO notification VALUES(37,'01795708584729038417.3820.8c2c5eb818a9d74d',1795000505000,'web01','web01PROBLEMDOWN77','b','{"kind":"PROBLEM","host":{"name":"web01","state":"DOWN"},"time":0,"contact":{"name":"b"},"ids":{"notification":"77"},"progress":{}}');
INSERT INTO notification VALUES(38,'01795708584729825241.3820.e7ab9d824ea072cc',1795000501000,'dead','deadPROBLEMDOWN0','','{"kind":"PROBLEM","host":{"name":"dead","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}}');
INSERT INTO notification VALUES(39,'01795708584731419268.3820.c7e0a07b13aa3f68',1795000501000,'moved','movedPROBLEMDOWN0','','{"kind":"PROBLEM","host":{"name":"moved","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}}');
INSERT INTO notification VALUES(40,'01795708584733369887.3820.c6453545d63f86e5',1795000501000,'unplaced','unplacedPROBLEMDOWN0','','{"kind":"PROBLEM","host":{"name":"unplaced","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}}');
INSERT INTO notification VALUES(41,'01795708584734299173.3820.44615e746af7978f',1795000505000,'letter k1','letter k1CUSTOMk1','','{"kind":"CUSTOM","host":{"name":"letter k1","display_name":"Title first"},"time":1795000000,"contact":{"email":"bob@example.com"},"ids":{"notification":"k1"},"progress":{},"to":["@bob@example.com"],"letter":{"title":"Title first","body":"first","links_left_out":0}}');
INSERT INTO notification VALUES(42,'01795708584736346367.3820.0059c726290bbae7',1795000505000,'letter k2','letter k2CUSTOMk2','','{"kind":"CUSTOM","host":{"name":"letter k2","display_name":"Title second"},"time":1795000000,"contact":{"email":"bob@example.com"},"ids":{"notification":"k2"},"progress":{},"to":["@bob@example.com"],"letter":{"title":"Title second","body":"second","links_left_out":0}}');
INSERT INTO notification VALUES(43,'act-5',1795000610000,'hooked','act-5','','{"kind":"ACKNOWLEDGEMENT","host":{"name":"hooked","state":"DOWN"},"time":1795000610,"author":"bob","comment":"mine","contact":{},"ids":{},"progress":{}}');
CREATE TABLE delivery (
    id INTEGER PRIMARY KEY,
    notification INTEGER NOT NULL REFERENCES notification (seq) ON DELETE CASCADE,
    integration TEXT NOT NULL,
    target TEXT NOT NULL,                -- #name, an id, @e-mail; empty: the webhook's own channel
    object TEXT NOT NULL,
    mentions TEXT NOT NULL,              -- JSON
    since INTEGER NOT NULL,              -- Unix ms; its age counts from here
    state TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'merged', 'dead')),
    attempts INTEGER NOT NULL DEFAULT 0,
    note TEXT,                           -- shown with the message
    reason TEXT,                         -- why it waits, or is dead
    channel TEXT,
    ts TEXT,
    settled INTEGER                      -- Unix ms
, post INTEGER REFERENCES post (id), digest INTEGER, line INTEGER NOT NULL DEFAULT 1, urgency INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO delivery VALUES(1,1,'default','#ops','ended','["@here"]',1795000000000,'delivered',1,NULL,NULL,'C04','1795000001.000001',1795000001000,1,NULL,1,3);
INSERT INTO delivery VALUES(2,2,'default','#ops','open','[]',1795000000010,'delivered',1,NULL,NULL,'C04','1795000001.000002',1795000001000,2,NULL,1,3);
INSERT INTO delivery VALUES(3,3,'default','#ops','ended','[]',1795000060000,'delivered',1,NULL,NULL,'C04','1795000070.000004',1795000070000,1,NULL,1,0);
INSERT INTO delivery VALUES(4,4,'default','#ops','open','[]',1795000061000,'delivered',1,NULL,NULL,'C04','1795000070.000006',1795000070000,2,NULL,1,0);
INSERT INTO delivery VALUES(5,5,'hook','','ended','[]',1795000000000,'delivered',1,NULL,NULL,NULL,NULL,1795000001000,3,NULL,1,3);
INSERT INTO delivery VALUES(6,6,'hook','','ended','[]',1795000060000,'delivered',1,NULL,NULL,NULL,NULL,1795000061000,3,NULL,1,0);
INSERT INTO delivery VALUES(7,7,'hook','','hooked','[]',1795000060000,'delivered',1,NULL,NULL,NULL,NULL,1795000061000,4,NULL,1,3);
INSERT INTO delivery VALUES(8,8,'default','#past','p0','["@oncall"]',1795000100000,'merged',1,NULL,'shown in a digest','C05','1795000101.000011',1795000101000,5,11,1,3);
INSERT INTO delivery VALUES(9,9,'default','#past','p1','["@oncall"]',1795000100000,'merged',1,NULL,'shown in a digest','C05','1795000101.000011',1795000101000,6,11,1,3);
INSERT INTO delivery VALUES(10,10,'default','#past','p2','["@oncall"]',1795000100000,'merged',1,NULL,'shown in a digest','C05','1795000101.000011',1795000101000,7,11,1,3);
INSERT INTO delivery VALUES(11,11,'default','#past','p3','["@oncall"]',1795000100000,'merged',1,NULL,'shown in a digest','C05','1795000101.000011',1795000101000,8,11,1,3);
INSERT INTO delivery VALUES(12,12,'default','#past','p4','["@oncall"]',1795000100000,'merged',1,NULL,'shown in a digest','C05','1795000101.000011',1795000101000,9,11,1,3);
INSERT INTO delivery VALUES(13,13,'default','#past','p5','["@oncall"]',1795000100000,'merged',1,NULL,'shown in a digest','C05','1795000101.000011',1795000101000,10,11,1,3);
INSERT INTO delivery VALUES(14,14,'default','#past','p0','[]',1795000200000,'merged',1,NULL,'shown in a digest',NULL,NULL,1795000300000,5,11,0,0);
INSERT INTO delivery VALUES(15,15,'default','#past','p1','[]',1795000200000,'merged',1,NULL,'shown in a digest',NULL,NULL,1795000300000,6,11,0,0);
INSERT INTO delivery VALUES(16,16,'default','#past','p2','[]',1795000200000,'merged',1,NULL,'shown in a digest',NULL,NULL,1795000300000,7,11,0,0);
INSERT INTO delivery VALUES(17,17,'default','#past','p3','[]',1795000200000,'merged',1,NULL,'shown in a digest',NULL,NULL,1795000300000,8,11,0,0);
INSERT INTO delivery VALUES(18,18,'default','#past','p4','[]',1795000200000,'merged',1,NULL,'shown in a digest',NULL,NULL,1795000300000,9,11,0,0);
INSERT INTO delivery VALUES(19,19,'default','#past','p5','[]',1795000200000,'merged',1,NULL,'shown in a digest',NULL,NULL,1795000300000,10,11,0,0);
INSERT INTO delivery VALUES(20,20,'default','#storm','s0','[]',1795000400000,'merged',1,NULL,'shown in a digest','C06','1795000401.000015',1795000401000,12,19,1,3);
INSERT INTO delivery VALUES(21,21,'default','#storm','s1','[]',1795000400000,'merged',1,NULL,'shown in a digest','C06','1795000401.000015',1795000401000,13,19,1,3);
INSERT INTO delivery VALUES(22,22,'default','#storm','s2','[]',1795000400000,'merged',1,NULL,'shown in a digest','C06','1795000401.000015',1795000401000,14,19,1,3);
INSERT INTO delivery VALUES(23,23,'default','#storm','s3','[]',1795000400000,'merged',1,NULL,'shown in a digest','C06','1795000401.000015',1795000401000,15,19,1,3);
INSERT INTO delivery VALUES(24,24,'default','#storm','s4','[]',1795000400000,'merged',1,NULL,'shown in a digest','C06','1795000401.000015',1795000401000,16,19,1,3);
INSERT INTO delivery VALUES(25,25,'default','#storm','s5','[]',1795000400000,'merged',1,NULL,'shown in a digest','C06','1795000401.000015',1795000401000,17,19,1,3);
INSERT INTO delivery VALUES(26,26,'default','#storm','s6','[]',1795000400000,'merged',1,NULL,'shown in a digest','C06','1795000401.000015',1795000401000,18,19,1,3);
INSERT INTO delivery VALUES(27,27,'default','#storm','late','["U0123ABCDEF"]',1795000410000,'waiting',0,NULL,NULL,NULL,NULL,NULL,20,19,1,3);
INSERT INTO delivery VALUES(28,28,'default','#storm','s0','[]',1795000411000,'waiting',0,NULL,NULL,NULL,NULL,NULL,12,19,0,0);
INSERT INTO delivery VALUES(29,29,'default','#storm','s1','[]',1795000411000,'waiting',0,NULL,NULL,NULL,NULL,NULL,13,19,0,0);
INSERT INTO delivery VALUES(30,30,'down','#down','tried','["@here"]',1795000500000,'waiting',0,'meant for #x',NULL,NULL,NULL,NULL,21,NULL,1,3);
INSERT INTO delivery VALUES(31,31,'down','#down','untried','[]',1795000501000,'waiting',0,NULL,NULL,NULL,NULL,NULL,22,NULL,1,3);
INSERT INTO delivery VALUES(32,32,'default','@alice@example.com','mailed','[]',1795000501000,'waiting',0,NULL,NULL,NULL,NULL,NULL,23,NULL,1,3);
INSERT INTO delivery VALUES(33,33,'broken','#ops','refused','[]',1795000501000,'waiting',0,NULL,NULL,NULL,NULL,NULL,24,NULL,1,3);
INSERT INTO delivery VALUES(34,34,'default','#ops','fast','[]',1795000501000,'waiting',0,NULL,NULL,NULL,NULL,NULL,25,NULL,1,3);
INSERT INTO delivery VALUES(35,35,'back','#ops','back','[]',1795000501000,'delivered',2,NULL,NULL,'C04','1795000504.000016',1795000504000,26,NULL,1,3);
INSERT INTO delivery VALUES(36,36,'back','#ops','web01','[]',1795000505000,'waiting',0,NULL,NULL,NULL,NULL,NULL,27,NULL,1,3);
INSERT INTO delivery VALUES(37,37,'back','#ops','web01','[]',1795000505000,'merged',0,NULL,'shown once for all contacts',NULL,NULL,1795000505000,NULL,NULL,1,0);
INSERT INTO delivery VALUES(38,38,'default','#nowhere','dead','[]',1795000501000,'dead',1,NULL,'not_in_channel',NULL,NULL,1795000502000,28,NULL,1,3);
INSERT INTO delivery VALUES(39,39,'default','#nowhere','moved','[]',1795000501000,'merged',1,NULL,'sent elsewhere: channel_not_found',NULL,NULL,1795000502000,29,NULL,1,3);
INSERT INTO delivery VALUES(40,39,'default','#default','moved','[]',1795000501000,'waiting',0,'meant for #nowhere',NULL,NULL,NULL,NULL,30,NULL,1,3);
INSERT INTO delivery VALUES(41,40,'','','unplaced','[]',1795000501000,'dead',0,NULL,'no route takes it and no integration has a channel',NULL,NULL,1795000501000,NULL,NULL,1,0);
INSERT INTO delivery VALUES(42,41,'default','@bob@example.com','letter k1','[]',1795000505000,'delivered',1,NULL,NULL,'C016','1795000506.000017',1795000506000,31,NULL,1,-1);
INSERT INTO delivery VALUES(43,42,'default','@bob@example.com','letter k2','[]',1795000505000,'waiting',0,NULL,NULL,NULL,NULL,NULL,32,NULL,1,-1);
INSERT INTO delivery VALUES(44,43,'hook','','hooked','[]',1795000610000,'merged',0,NULL,'shown by the click',NULL,NULL,1795000610000,4,NULL,1,0);
CREATE TABLE hold (                      -- Slack's Retry-After, our pace, outages, refused tokens
    integration TEXT NOT NULL,
    lane TEXT NOT NULL,                  -- channel id or target; '*': the whole integration
    until INTEGER NOT NULL,
    since INTEGER NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT '', past TEXT NOT NULL DEFAULT '', past_until INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (integration, lane)
) STRICT, WITHOUT ROWID;
INSERT INTO hold VALUES('back','#ops',1795000503000,1795000502000,0,'','',0);
INSERT INTO hold VALUES('back','*',0,1795000502000,0,'','timed out',1795000502000);
INSERT INTO hold VALUES('back','C04',1795000505000,1795000504000,0,'','',0);
INSERT INTO hold VALUES('broken','#ops',1795000503000,1795000502000,0,'','',0);
INSERT INTO hold VALUES('broken','*',1795000562000,1795000502000,0,'invalid_auth','',0);
INSERT INTO hold VALUES('default','#nowhere',1795000503000,1795000502000,0,'','',0);
INSERT INTO hold VALUES('default','C016',1795000507000,1795000506000,0,'','',0);
INSERT INTO hold VALUES('default','C04',1795000532000,1795000502000,0,'Slack says: too fast','',0);
INSERT INTO hold VALUES('default','C05',1795000301000,1795000300000,0,'','',0);
INSERT INTO hold VALUES('default','C06',1795000402000,1795000401000,0,'','',0);
INSERT INTO hold VALUES('default','~edits',1795000301000,1795000300000,0,'','',0);
INSERT INTO hold VALUES('down','#down',1795000501003,1795000500003,0,'','',0);
INSERT INTO hold VALUES('down','*',1795000505000,1795000500003,4,'HTTP 503','',0);
INSERT INTO hold VALUES('gone','*',1795000600000,1795000502000,0,'Slack says that it was uninstalled (app_uninstalled)','',0);
INSERT INTO hold VALUES('hook','',1795000062000,1795000061000,0,'','',0);
CREATE TABLE channel (                   -- under which id Slack knows a target
    integration TEXT NOT NULL,
    target TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (integration, target)
) STRICT, WITHOUT ROWID;
INSERT INTO channel VALUES('back','#ops','C04');
INSERT INTO channel VALUES('default','#ops','C04');
INSERT INTO channel VALUES('default','#past','C05');
INSERT INTO channel VALUES('default','#storm','C06');
INSERT INTO channel VALUES('default','@bob@example.com','C016');
CREATE TABLE lookup (                    -- what Slack said about an e-mail or a group's handle
    integration TEXT NOT NULL,
    name TEXT NOT NULL,
    id TEXT,                             -- NULL: nobody
    until INTEGER NOT NULL,
    PRIMARY KEY (integration, name)
) STRICT, WITHOUT ROWID;
INSERT INTO lookup VALUES('default','alice@example.com','U0123ABCDEF',1795900000000);
INSERT INTO lookup VALUES('default','nobody@example.com',NULL,1795000600000);
CREATE TABLE post (                      -- a message of ours, and the problem it stands for
    id INTEGER PRIMARY KEY,
    integration TEXT NOT NULL,
    target TEXT NOT NULL,
    object TEXT NOT NULL,                -- empty: a digest
    open INTEGER NOT NULL DEFAULT 1,     -- more is to be expected of it
    digest INTEGER REFERENCES post (id), -- it has a line there and no message of its own
    problem TEXT NOT NULL DEFAULT '',    -- JSON; empty: a digest
    host TEXT NOT NULL DEFAULT '',
    is_host INTEGER NOT NULL DEFAULT 0,
    rank INTEGER NOT NULL DEFAULT 0,     -- how bad its state is; 0: well
    acknowledged INTEGER NOT NULL DEFAULT 0,
    version INTEGER NOT NULL DEFAULT 1,  -- grows with what is known
    shown INTEGER NOT NULL DEFAULT 0,    -- the version that people see
    edited INTEGER NOT NULL DEFAULT 0,   -- when they got it; Unix ms
    joined INTEGER NOT NULL DEFAULT 0,   -- a digest: when it last took a problem; Unix ms
    channel TEXT,
    ts TEXT,
    plain INTEGER NOT NULL DEFAULT 0,    -- 1: Slack refused the blocks
    attempts INTEGER NOT NULL DEFAULT 0, -- since the last success
    due INTEGER NOT NULL DEFAULT 0,      -- Unix ms; not before
    due_set INTEGER NOT NULL DEFAULT 0,  -- when that was decided
    leased INTEGER,                      -- being sent since
    reason TEXT,                         -- why it waits
    updated INTEGER NOT NULL             -- Unix ms
) STRICT;
INSERT INTO post VALUES(1,'default','#ops','ended',0,NULL,'{"latest":{"kind":"RECOVERY","host":{"name":"ended","state":"UP"},"time":0,"contact":{},"ids":{},"progress":{}},"began":0,"worst":"DOWN","states":[{"state":"DOWN","at":0},{"state":"UP","at":0}],"acknowledged":null,"downtime":null,"silenced":null,"is_flapping":false,"is_bad":false,"recovered":0,"is_superseded":false}','ended',1,0,0,2,2,1795000070000,0,'C04','1795000001.000001',0,0,0,0,NULL,NULL,1795000060000);
INSERT INTO post VALUES(2,'default','#ops','open',1,NULL,'{"latest":{"kind":"ACKNOWLEDGEMENT","host":{"name":"open","state":"DOWN"},"time":0,"author":"alice","comment":"on it","contact":{},"ids":{},"progress":{}},"began":0,"worst":"DOWN","states":[{"state":"DOWN","at":0}],"acknowledged":{"author":"alice","comment":"on it","at":0},"downtime":null,"silenced":null,"is_flapping":false,"is_bad":true,"recovered":null,"is_superseded":false}','open',1,3,1,2,2,1795000070000,0,'C04','1795000001.000002',0,0,0,0,NULL,NULL,1795000061000);
INSERT INTO post VALUES(3,'hook','','ended',0,NULL,'{"latest":{"kind":"RECOVERY","host":{"name":"ended","state":"UP"},"time":0,"contact":{},"ids":{},"progress":{}},"began":0,"worst":"DOWN","states":[{"state":"DOWN","at":0},{"state":"UP","at":0}],"acknowledged":null,"downtime":null,"silenced":null,"is_flapping":false,"is_bad":false,"recovered":0,"is_superseded":false}','ended',1,0,0,2,2,1795000061000,0,NULL,NULL,0,0,0,0,NULL,NULL,1795000060000);
INSERT INTO post VALUES(4,'hook','','hooked',1,NULL,'{"latest":{"kind":"ACKNOWLEDGEMENT","host":{"name":"hooked","state":"DOWN"},"time":1795000610,"author":"bob","comment":"mine","contact":{},"ids":{},"progress":{}},"began":0,"worst":"DOWN","states":[{"state":"DOWN","at":0}],"acknowledged":{"author":"bob","comment":"mine","at":1795000610},"downtime":null,"silenced":null,"is_flapping":false,"is_bad":true,"recovered":null,"is_superseded":false}','hooked',1,3,1,2,1,1795000061000,0,NULL,NULL,0,0,0,0,NULL,NULL,1795000610000);
INSERT INTO post VALUES(5,'default','#past','p0',0,11,'{"latest":{"kind":"RECOVERY","host":{"name":"p0","state":"UP"},"time":0,"contact":{},"ids":{},"progress":{}},"began":0,"worst":"DOWN","states":[{"state":"DOWN","at":0},{"state":"UP","at":0}],"acknowledged":null,"downtime":null,"silenced":null,"is_flapping":false,"is_bad":false,"recovered":0,"is_superseded":false}','p0',1,0,0,2,0,0,0,NULL,NULL,0,0,0,0,NULL,NULL,1795000200000);
INSERT INTO post VALUES(6,'default','#past','p1',0,11,'{"latest":{"kind":"RECOVERY","host":{"name":"p1","state":"UP"},"time":0,"contact":{},"ids":{},"progress":{}},"began":0,"worst":"DOWN","states":[{"state":"DOWN","at":0},{"state":"UP","at":0}],"acknowledged":null,"downtime":null,"silenced":null,"is_flapping":false,"is_bad":false,"recovered":0,"is_superseded":false}','p1',1,0,0,2,0,0,0,NULL,NULL,0,0,0,0,NULL,NULL,1795000200000);
INSERT INTO post VALUES(7,'default','#past','p2',0,11,'{"latest":{"kind":"RECOVERY","host":{"name":"p2","state":"UP"},"time":0,"contact":{},"ids":{},"progress":{}},"began":0,"worst":"DOWN","states":[{"state":"DOWN","at":0},{"state":"UP","at":0}],"acknowledged":null,"downtime":null,"silenced":null,"is_flapping":false,"is_bad":false,"recovered":0,"is_superseded":false}','p2',1,0,0,2,0,0,0,NULL,NULL,0,0,0,0,NULL,NULL,1795000200000);
INSERT INTO post VALUES(8,'default','#past','p3',0,11,'{"latest":{"kind":"RECOVERY","host":{"name":"p3","state":"UP"},"time":0,"contact":{},"ids":{},"progress":{}},"began":0,"worst":"DOWN","states":[{"state":"DOWN","at":0},{"state":"UP","at":0}],"acknowledged":null,"downtime":null,"silenced":null,"is_flapping":false,"is_bad":false,"recovered":0,"is_superseded":false}','p3',1,0,0,2,0,0,0,NULL,NULL,0,0,0,0,NULL,NULL,1795000200000);
INSERT INTO post VALUES(9,'default','#past','p4',0,11,'{"latest":{"kind":"RECOVERY","host":{"name":"p4","state":"UP"},"time":0,"contact":{},"ids":{},"progress":{}},"began":0,"worst":"DOWN","states":[{"state":"DOWN","at":0},{"state":"UP","at":0}],"acknowledged":null,"downtime":null,"silenced":null,"is_flapping":false,"is_bad":false,"recovered":0,"is_superseded":false}','p4',1,0,0,2,0,0,0,NULL,NULL,0,0,0,0,NULL,NULL,1795000200000);
INSERT INTO post VALUES(10,'default','#past','p5',0,11,'{"latest":{"kind":"RECOVERY","host":{"name":"p5","state":"UP"},"time":0,"contact":{},"ids":{},"progress":{}},"began":0,"worst":"DOWN","states":[{"state":"DOWN","at":0},{"state":"UP","at":0}],"acknowledged":null,"downtime":null,"silenced":null,"is_flapping":false,"is_bad":false,"recovered":0,"is_superseded":false}','p5',1,0,0,2,0,0,0,NULL,NULL,0,0,0,0,NULL,NULL,1795000200000);
INSERT INTO post VALUES(11,'default','#past','',0,NULL,'["@oncall"]','',0,0,0,7,7,1795000300000,1795000100000,'C05','1795000101.000010',0,0,0,0,NULL,NULL,1795000100000);
INSERT INTO post VALUES(12,'default','#storm','s0',0,19,'{"latest":{"kind":"RECOVERY","host":{"name":"s0","state":"UP"},"time":0,"contact":{},"ids":{},"progress":{}},"began":0,"worst":"DOWN","states":[{"state":"DOWN","at":0},{"state":"UP","at":0}],"acknowledged":null,"downtime":null,"silenced":null,"is_flapping":false,"is_bad":false,"recovered":0,"is_superseded":false}','s0',1,0,0,2,0,0,0,NULL,NULL,0,0,0,0,NULL,NULL,1795000411000);
INSERT INTO post VALUES(13,'default','#storm','s1',1,19,'{"latest":{"kind":"ACKNOWLEDGEMENT","host":{"name":"s1","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}},"began":0,"worst":"DOWN","states":[{"state":"DOWN","at":0}],"acknowledged":{"author":null,"comment":null,"at":0},"downtime":null,"silenced":null,"is_flapping":false,"is_bad":true,"recovered":null,"is_superseded":false}','s1',1,3,1,2,0,0,0,NULL,NULL,0,0,0,0,NULL,NULL,1795000411000);
INSERT INTO post VALUES(14,'default','#storm','s2',1,19,'{"latest":{"kind":"PROBLEM","host":{"name":"s2","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}},"began":0,"worst":"DOWN","states":[{"state":"DOWN","at":0}],"acknowledged":null,"downtime":null,"silenced":null,"is_flapping":false,"is_bad":true,"recovered":null,"is_superseded":false}','s2',1,3,0,1,0,0,0,NULL,NULL,0,0,0,0,NULL,NULL,1795000400000);
INSERT INTO post VALUES(15,'default','#storm','s3',1,19,'{"latest":{"kind":"PROBLEM","host":{"name":"s3","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}},"began":0,"worst":"DOWN","states":[{"state":"DOWN","at":0}],"acknowledged":null,"downtime":null,"silenced":null,"is_flapping":false,"is_bad":true,"recovered":null,"is_superseded":false}','s3',1,3,0,1,0,0,0,NULL,NULL,0,0,0,0,NULL,NULL,1795000400000);
INSERT INTO post VALUES(16,'default','#storm','s4',1,19,'{"latest":{"kind":"PROBLEM","host":{"name":"s4","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}},"began":0,"worst":"DOWN","states":[{"state":"DOWN","at":0}],"acknowledged":null,"downtime":null,"silenced":null,"is_flapping":false,"is_bad":true,"recovered":null,"is_superseded":false}','s4',1,3,0,1,0,0,0,NULL,NULL,0,0,0,0,NULL,NULL,1795000400000);
INSERT INTO post VALUES(17,'default','#storm','s5',1,19,'{"latest":{"kind":"PROBLEM","host":{"name":"s5","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}},"began":0,"worst":"DOWN","states":[{"state":"DOWN","at":0}],"acknowledged":null,"downtime":null,"silenced":null,"is_flapping":false,"is_bad":true,"recovered":null,"is_superseded":false}','s5',1,3,0,1,0,0,0,NULL,NULL,0,0,0,0,NULL,NULL,1795000400000);
INSERT INTO post VALUES(18,'default','#storm','s6',1,19,'{"latest":{"kind":"PROBLEM","host":{"name":"s6","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}},"began":0,"worst":"DOWN","states":[{"state":"DOWN","at":0}],"acknowledged":null,"downtime":null,"silenced":null,"is_flapping":false,"is_bad":true,"recovered":null,"is_superseded":false}','s6',1,3,0,1,0,0,0,NULL,NULL,0,0,0,0,NULL,NULL,1795000400000);
INSERT INTO post VALUES(19,'default','#storm','',1,NULL,'[]','',0,0,0,4,1,1795000401000,1795000410000,'C06','1795000401.000014',0,0,0,0,NULL,NULL,1795000410000);
INSERT INTO post VALUES(20,'default','#storm','late',1,19,'{"latest":{"kind":"PROBLEM","host":{"name":"late","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}},"began":0,"worst":"DOWN","states":[{"state":"DOWN","at":0}],"acknowledged":null,"downtime":null,"silenced":null,"is_flapping":false,"is_bad":true,"recovered":null,"is_superseded":false}','late',1,3,0,1,0,0,0,NULL,NULL,0,0,0,0,NULL,NULL,1795000410000);
INSERT INTO post VALUES(21,'down','#down','tried',1,NULL,'{"latest":{"kind":"PROBLEM","host":{"name":"tried","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}},"began":0,"worst":"DOWN","states":[{"state":"DOWN","at":0}],"acknowledged":null,"downtime":null,"silenced":null,"is_flapping":false,"is_bad":true,"recovered":null,"is_superseded":false}','tried',1,3,0,1,0,0,0,NULL,NULL,0,4,1795000510003,1795000500003,NULL,'HTTP 503',1795000500000);
INSERT INTO post VALUES(22,'down','#down','untried',1,NULL,'{"latest":{"kind":"PROBLEM","host":{"name":"untried","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}},"began":0,"worst":"DOWN","states":[{"state":"DOWN","at":0}],"acknowledged":null,"downtime":null,"silenced":null,"is_flapping":false,"is_bad":true,"recovered":null,"is_superseded":false}','untried',1,3,0,1,0,0,0,NULL,NULL,0,0,0,0,NULL,NULL,1795000501000);
INSERT INTO post VALUES(23,'default','@alice@example.com','mailed',1,NULL,'{"latest":{"kind":"PROBLEM","host":{"name":"mailed","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}},"began":0,"worst":"DOWN","states":[{"state":"DOWN","at":0}],"acknowledged":null,"downtime":null,"silenced":null,"is_flapping":false,"is_bad":true,"recovered":null,"is_superseded":false}','mailed',1,3,0,1,0,0,0,NULL,NULL,0,1,0,0,1795000502000,NULL,1795000501000);
INSERT INTO post VALUES(24,'broken','#ops','refused',1,NULL,'{"latest":{"kind":"PROBLEM","host":{"name":"refused","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}},"began":0,"worst":"DOWN","states":[{"state":"DOWN","at":0}],"acknowledged":null,"downtime":null,"silenced":null,"is_flapping":false,"is_bad":true,"recovered":null,"is_superseded":false}','refused',1,3,0,1,0,0,0,NULL,NULL,0,0,0,0,NULL,'invalid_auth',1795000501000);
INSERT INTO post VALUES(25,'default','#ops','fast',1,NULL,'{"latest":{"kind":"PROBLEM","host":{"name":"fast","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}},"began":0,"worst":"DOWN","states":[{"state":"DOWN","at":0}],"acknowledged":null,"downtime":null,"silenced":null,"is_flapping":false,"is_bad":true,"recovered":null,"is_superseded":false}','fast',1,3,0,1,0,0,0,NULL,NULL,0,0,0,0,NULL,'Slack says: too fast',1795000501000);
INSERT INTO post VALUES(26,'back','#ops','back',1,NULL,'{"latest":{"kind":"PROBLEM","host":{"name":"back","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}},"began":0,"worst":"DOWN","states":[{"state":"DOWN","at":0}],"acknowledged":null,"downtime":null,"silenced":null,"is_flapping":false,"is_bad":true,"recovered":null,"is_superseded":false}','back',1,3,0,1,1,1795000504000,0,'C04','1795000504.000016',0,0,0,1795000502000,NULL,NULL,1795000501000);
INSERT INTO post VALUES(27,'back','#ops','web01',1,NULL,'{"latest":{"kind":"PROBLEM","host":{"name":"web01","state":"DOWN"},"time":0,"contact":{"name":"a"},"ids":{"notification":"77"},"progress":{}},"began":0,"worst":"DOWN","states":[{"state":"DOWN","at":0}],"acknowledged":null,"downtime":null,"silenced":null,"is_flapping":false,"is_bad":true,"recovered":null,"is_superseded":false}','web01',1,3,0,1,0,0,0,NULL,NULL,0,0,0,0,NULL,NULL,1795000505000);
INSERT INTO post VALUES(28,'default','#nowhere','dead',1,NULL,'{"latest":{"kind":"PROBLEM","host":{"name":"dead","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}},"began":0,"worst":"DOWN","states":[{"state":"DOWN","at":0}],"acknowledged":null,"downtime":null,"silenced":null,"is_flapping":false,"is_bad":true,"recovered":null,"is_superseded":false}','dead',1,3,0,1,0,0,0,NULL,NULL,0,1,0,0,NULL,'not_in_channel',1795000501000);
INSERT INTO post VALUES(29,'default','#nowhere','moved',0,NULL,'{"latest":{"kind":"PROBLEM","host":{"name":"moved","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}},"began":0,"worst":"DOWN","states":[{"state":"DOWN","at":0}],"acknowledged":null,"downtime":null,"silenced":null,"is_flapping":false,"is_bad":true,"recovered":null,"is_superseded":false}','moved',1,3,0,1,0,0,0,NULL,NULL,0,1,0,0,1795000502000,NULL,1795000501000);
INSERT INTO post VALUES(30,'default','#default','moved',1,NULL,'{"latest":{"kind":"PROBLEM","host":{"name":"moved","state":"DOWN"},"time":0,"contact":{},"ids":{},"progress":{}},"began":0,"worst":"DOWN","states":[{"state":"DOWN","at":0}],"acknowledged":null,"downtime":null,"silenced":null,"is_flapping":false,"is_bad":true,"recovered":null,"is_superseded":false}','moved',1,3,0,1,0,0,0,NULL,NULL,0,0,0,0,NULL,NULL,1795000502000);
INSERT INTO post VALUES(31,'default','@bob@example.com','letter k1',0,NULL,'{"latest":{"kind":"CUSTOM","host":{"name":"letter k1","display_name":"Title first"},"time":1795000000,"contact":{"email":"bob@example.com"},"ids":{"notification":"k1"},"progress":{},"to":["@bob@example.com"],"letter":{"title":"Title first","body":"first","links_left_out":0}},"began":null,"worst":null,"states":[],"acknowledged":null,"downtime":null,"silenced":null,"is_flapping":false,"is_bad":false,"recovered":null,"is_superseded":false}','letter k1',1,0,0,1,1,1795000506000,0,'C016','1795000506.000017',0,0,0,0,NULL,NULL,1795000505000);
INSERT INTO post VALUES(32,'default','@bob@example.com','letter k2',0,NULL,'{"latest":{"kind":"CUSTOM","host":{"name":"letter k2","display_name":"Title second"},"time":1795000000,"contact":{"email":"bob@example.com"},"ids":{"notification":"k2"},"progress":{},"to":["@bob@example.com"],"letter":{"title":"Title second","body":"second","links_left_out":0}},"began":null,"worst":null,"states":[],"acknowledged":null,"downtime":null,"silenced":null,"is_flapping":false,"is_bad":false,"recovered":null,"is_superseded":false}','letter k2',1,0,0,1,0,0,0,NULL,NULL,0,0,0,0,NULL,NULL,1795000505000);
CREATE TABLE act (                       -- what somebody asked for in Slack
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,            -- the click's own: one that comes twice is one act
    parent INTEGER,                      -- of one of many: the act that asked for all of them
    at INTEGER NOT NULL,                 -- Unix ms
    state TEXT NOT NULL CHECK (state IN ('new', 'sending', 'sent', 'parent', 'done')),
    object TEXT NOT NULL DEFAULT '',
    request TEXT NOT NULL,               -- JSON
    expectation TEXT NOT NULL DEFAULT '',-- JSON, of what was sent to the core
    due INTEGER NOT NULL DEFAULT 0,      -- Unix ms; new: not before; sent: the core is looked at until then
    reply TEXT,                          -- words for the person that were not said yet
    outcome TEXT                         -- of one that is done
) STRICT;
INSERT INTO act VALUES(1,'new',NULL,1795000600000,'new','open','{"name":"acknowledge","asker":{"integration":"default","team":null,"user":"U1","user_team":null,"user_name":null,"channel":null,"message":null,"response_url":null},"wish":{"One":{"post":2,"object":{"core":"","host":"open","service":null},"action":"RemoveAcknowledgement"}}}','',1795000700000,NULL,NULL);
INSERT INTO act VALUES(2,'sending',NULL,1795000600000,'sending','open','{"name":"acknowledge","asker":{"integration":"default","team":null,"user":"U1","user_team":null,"user_name":null,"channel":null,"message":null,"response_url":null},"wish":{"One":{"post":2,"object":{"core":"","host":"open","service":null},"action":"RemoveAcknowledgement"}}}','{"a":1}',1795000615000,NULL,NULL);
INSERT INTO act VALUES(3,'sent',NULL,1795000600000,'sent','open','{"name":"recheck","asker":{"integration":"default","team":null,"user":"U1","user_team":null,"user_name":null,"channel":null,"message":null,"response_url":null},"wish":{"One":{"post":2,"object":{"core":"","host":"open","service":null},"action":"RemoveAcknowledgement"}}}','{"a":2}',1795000615000,NULL,NULL);
INSERT INTO act VALUES(4,'parent',NULL,1795000600000,'parent','','{"name":"acknowledge","asker":{"integration":"default","team":null,"user":"U1","user_team":null,"user_name":null,"channel":null,"message":null,"response_url":null},"wish":{"One":{"post":2,"object":{"core":"","host":"open","service":null},"action":"RemoveAcknowledgement"}}}','',0,NULL,NULL);
INSERT INTO act VALUES(5,'confirmed',NULL,1795000600000,'done','open','{"name":"acknowledge","asker":{"integration":"default","team":null,"user":"U1","user_team":null,"user_name":null,"channel":null,"message":null,"response_url":null},"wish":{"One":{"post":2,"object":{"core":"","host":"open","service":null},"action":"RemoveAcknowledgement"}}}','',0,NULL,'confirmed');
INSERT INTO act VALUES(6,'failed',NULL,1795000600000,'done','open','{"name":"downtime","asker":{"integration":"default","team":null,"user":"U1","user_team":null,"user_name":null,"channel":null,"message":null,"response_url":null},"wish":{"One":{"post":2,"object":{"core":"","host":"open","service":null},"action":"RemoveAcknowledgement"}}}','',0,'the core isn''t running','the core isn''t running');
INSERT INTO act VALUES(7,'refused',NULL,1795000600000,'done','open','{"name":"acknowledge","asker":{"integration":"default","team":null,"user":"U1","user_team":null,"user_name":null,"channel":null,"message":null,"response_url":null},"wish":{"One":{"post":2,"object":{"core":"","host":"open","service":null},"action":"RemoveAcknowledgement"}}}','',-1,'you may not','you may not');
INSERT INTO act VALUES(8,'child 1',4,1795000600001,'done','open','{"name":"acknowledge","asker":{"integration":"default","team":null,"user":"U1","user_team":null,"user_name":null,"channel":null,"message":null,"response_url":null},"wish":{"One":{"post":2,"object":{"core":"","host":"open","service":null},"action":"RemoveAcknowledgement"}}}','',0,NULL,'confirmed');
INSERT INTO act VALUES(9,'child 2',4,1795000600001,'done','open','{"name":"acknowledge","asker":{"integration":"default","team":null,"user":"U1","user_team":null,"user_name":null,"channel":null,"message":null,"response_url":null},"wish":{"One":{"post":2,"object":{"core":"","host":"open","service":null},"action":"RemoveAcknowledgement"}}}','',0,NULL,'it is well again');
INSERT INTO act VALUES(10,'order 1',NULL,1795000000000,'done','','','',0,NULL,'done');
CREATE TABLE audit (                     -- grows only; each row's hash covers the one before
    seq INTEGER PRIMARY KEY,
    entry TEXT NOT NULL,                 -- JSON
    hash TEXT NOT NULL
) STRICT;
INSERT INTO audit VALUES(3,'{"at":1795000002,"step":"sending","user":"U1"}','75dc07acb4a22338d624cf14e9b4223245f4049456b280fcd7bb64f71cd6a7b0');
INSERT INTO audit VALUES(4,'{"at":1795000003,"step":"sending","user":"U1"}','ce37f4e4db73ad7ba26dab553f30f5487dba2570c13480d54e6b84b837099214');
INSERT INTO audit VALUES(5,'{"at":1795000004,"step":"sending","user":"U1"}','0d26378c92d3e938c8d8f16d375ba1595667d82932a4e7f89fe2b3bdd3d3b3da');
INSERT INTO audit VALUES(6,'{"at":1795000600,"step":"confirmed"}','965ac7430bec555cb48aa2f2f5fbc0098297bbeae85bbae127c15eb7b0fd1c88');
INSERT INTO audit VALUES(7,'{"at":1795000601,"step":"refused","detail":"no 0"}','a95c190114e8ff1d68068590152981e9dce720f47c197aa2e7c159a342d42e3f');
INSERT INTO audit VALUES(8,'{"action":"audit","at":1795000700,"commands":[],"detail":"the rows up to 2, as [audit] keep says; the last one''s hash is 2bb7d41b5f4df1201920c11025be89839c090f63a4ba9e39dd39ae45f1347068","let_go":{"hash":"2bb7d41b5f4df1201920c11025be89839c090f63a4ba9e39dd39ae45f1347068","seq":2},"step":"let go"}','a974f61a871b085dc087290f7111a13f9384e18971870323b7bdaae8ebd03362');
INSERT INTO audit VALUES(9,'{"at":1795000700,"step":"subscribed"}','26c2a49dcf055f5e6231e75008c4b5140234be75a4e94f6e63bddb333fffb532');
CREATE TABLE subscription (              -- a route that a channel gave itself
    id INTEGER PRIMARY KEY,
    integration TEXT NOT NULL,
    channel TEXT NOT NULL,               -- Slack's id
    filter TEXT NOT NULL,                -- as it was written
    user TEXT NOT NULL,                  -- whoever subscribed it: Slack's id
    name TEXT NOT NULL DEFAULT '',
    at INTEGER NOT NULL,                 -- Unix ms
    UNIQUE (integration, channel, filter)
) STRICT;
INSERT INTO subscription VALUES(1,'default','C1','db*','U1','Alice',1795000000000);
CREATE TABLE home (                      -- who has App Home open
    integration TEXT NOT NULL,
    user TEXT NOT NULL,
    team TEXT,
    opened INTEGER NOT NULL,             -- Unix ms
    PRIMARY KEY (integration, user)
) STRICT, WITHOUT ROWID;
INSERT INTO home VALUES('default','U1','T1',1795000000000);
INSERT INTO home VALUES('default','U2',NULL,1795000000005);
CREATE TABLE refusal (                   -- who was refused lately: a row of the audit an hour, however often they ask
    person TEXT PRIMARY KEY,             -- integration and user
    until INTEGER NOT NULL,              -- the hour's end; Unix ms
    more INTEGER NOT NULL DEFAULT 0,     -- refused since its row
    last TEXT NOT NULL                   -- the last one's entry; JSON
) STRICT, WITHOUT ROWID;
INSERT INTO refusal VALUES('default U2',1795004201000,2,'{"at":1795000601,"step":"refused","detail":"no 2"}');
CREATE TABLE audit_start (               -- the last row of the audit that was let go of
    id INTEGER PRIMARY KEY CHECK (id = 1),
    seq INTEGER NOT NULL,
    hash TEXT NOT NULL
) STRICT;
INSERT INTO audit_start VALUES(1,2,'2bb7d41b5f4df1201920c11025be89839c090f63a4ba9e39dd39ae45f1347068');
CREATE INDEX notification_twin ON notification (twin, seq);
CREATE INDEX notification_object ON notification (object, seq);
CREATE INDEX delivery_notification ON delivery (notification);
CREATE INDEX delivery_dead ON delivery (id) WHERE state = 'dead';
CREATE INDEX post_object ON post (integration, target, object, open, id);
CREATE INDEX post_member ON post (digest, open, acknowledged, rank) WHERE digest IS NOT NULL;
CREATE INDEX post_member_host ON post (digest, host, is_host, open) WHERE digest IS NOT NULL;
CREATE INDEX post_leased ON post (id) WHERE leased IS NOT NULL;
CREATE INDEX post_updated ON post (updated);
CREATE INDEX delivery_lane ON delivery (integration, target, digest, object, id) WHERE state = 'waiting';
CREATE INDEX delivery_post ON delivery (post, id);
CREATE INDEX delivery_digest ON delivery (digest, line, urgency, id) WHERE state = 'waiting' AND digest IS NOT NULL;
CREATE INDEX act_open ON act (state, due) WHERE state <> 'done';
CREATE INDEX act_reply ON act (id) WHERE reply IS NOT NULL;
CREATE INDEX act_parent ON act (parent) WHERE parent IS NOT NULL;
CREATE INDEX act_object ON act (object) WHERE state <> 'done';
CREATE TRIGGER audit_holds BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit only grows'); END;
CREATE INDEX post_shown ON post (object, open, id);
CREATE INDEX notification_received ON notification (received);
CREATE INDEX act_done ON act (at) WHERE state = 'done';
CREATE INDEX act_refused ON act (at) WHERE state = 'done' AND due = -1;
CREATE TRIGGER audit_stays BEFORE DELETE ON audit
    WHEN OLD.seq > COALESCE((SELECT seq FROM audit_start), 0)
    BEGIN SELECT RAISE(ABORT, 'the audit only grows'); END;
COMMIT;
PRAGMA user_version = 7;
