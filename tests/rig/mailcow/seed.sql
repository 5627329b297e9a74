CREATE DATABASE mailcow;
CREATE TABLE mailcow.mailbox (
	username VARCHAR(255) PRIMARY KEY,
	password VARCHAR(255) NOT NULL,
	maildir VARCHAR(255) NOT NULL,
	active TINYINT NOT NULL DEFAULT 1
);
INSERT INTO mailcow.mailbox (username, password, maildir) VALUES
	('bob@rig.test', 'secret', 'rig.test/bob/'),
	('alice@rig.test', 'secret', 'rig.test/alice/');
CREATE USER mailcow@'%' IDENTIFIED BY 'mailcow';
CREATE USER mailcow@localhost IDENTIFIED BY 'mailcow';
GRANT ALL ON mailcow.* TO mailcow@'%';
GRANT ALL ON mailcow.* TO mailcow@localhost;
CREATE USER hamon@'%' IDENTIFIED BY 'hamon-rig';
CREATE USER hamon@localhost IDENTIFIED BY 'hamon-rig';
