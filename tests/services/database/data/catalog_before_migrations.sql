BEGIN TRANSACTION;
CREATE TABLE assets (
	asset_id VARCHAR(64) NOT NULL, 
	version VARCHAR(32) NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	name VARCHAR NOT NULL, 
	duration_s DOUBLE, 
	pages INTEGER, 
	width INTEGER, 
	height INTEGER, 
	file_time DOUBLE, 
	segments INTEGER NOT NULL, 
	looked_at INTEGER NOT NULL, 
	warnings JSON NOT NULL, 
	indexed_at DOUBLE NOT NULL, 
	PRIMARY KEY (asset_id)
);
INSERT INTO "assets" VALUES('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','v1','video','film.mp4',12.5,NULL,640,360,1.0,3,13,'["a warning"]',2.0);
CREATE TABLE collections (
	name VARCHAR(200) NOT NULL, 
	created_at DOUBLE NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "collections" VALUES('trips',1.7955734728266277313e+09);
CREATE TABLE sources (
	collection VARCHAR(200) NOT NULL, 
	uri VARCHAR NOT NULL, 
	asset_id VARCHAR(64) NOT NULL, 
	state VARCHAR NOT NULL, 
	PRIMARY KEY (collection, uri), 
	UNIQUE (collection, uri), 
	FOREIGN KEY(collection) REFERENCES collections (name), 
	FOREIGN KEY(asset_id) REFERENCES assets (asset_id)
);
INSERT INTO "sources" VALUES('trips','file:///film.mp4','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','s@v1');
CREATE INDEX ix_sources_asset_id ON sources (asset_id);
COMMIT;
