/**
 * The schema of the record, as the steps that have made it. `PRAGMA user_version` says how many a database has had.
 *
 * 1. A step that is in use is never changed; what is to be different is another step.
 * 2. Steps only add, so that a supervisor that an upgrade has failed for goes on with what its successor has made. One that
 *    does more raises `OLDEST_READER` to its own number.
 */

import type { DatabaseSync } from 'node:sqlite';
import { MidflightError } from '../errors.ts';

/** In order; each is run once, in one transaction with its number. The first finds databases that had no number yet. */
export const schemaSteps: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS pointer (name TEXT PRIMARY KEY, release TEXT NOT NULL) STRICT;
   CREATE TABLE IF NOT EXISTS scale (id INTEGER PRIMARY KEY CHECK (id = 1), workers INTEGER NOT NULL) STRICT;
   CREATE TABLE IF NOT EXISTS unswappable (module_version TEXT PRIMARY KEY, at TEXT NOT NULL) STRICT;
   CREATE TABLE IF NOT EXISTS deploy (
     id INTEGER PRIMARY KEY, release TEXT, previous TEXT, path TEXT NOT NULL, result TEXT NOT NULL,
     reasons TEXT NOT NULL, started_at TEXT NOT NULL, ended_at TEXT, timings TEXT NOT NULL, evidence TEXT
   ) STRICT;`,
  `CREATE TABLE oldest_reader (id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL) STRICT;
   CREATE TABLE IF NOT EXISTS accepted (id INTEGER PRIMARY KEY CHECK (id = 1), counter INTEGER NOT NULL, digest TEXT NOT NULL) STRICT;
   CREATE TABLE notice (id INTEGER PRIMARY KEY, at TEXT NOT NULL, message TEXT NOT NULL) STRICT;
   CREATE INDEX deploy_release ON deploy (release);`,
  `ALTER TABLE deploy ADD COLUMN action TEXT`,
];

/** The lowest schema whose Midflight can work with a database of this one. */
const OLDEST_READER = 1;

/** Brings a database up to date. Errors: ERR_MIDFLIGHT_RECORD_NEWER. */
export function migrate(database: DatabaseSync, file: string): void {
  if (isReadable(database, file)) return;
  database.exec('BEGIN IMMEDIATE');
  try {
    // Another process may have been quicker.
    const from = toVersion(database);
    for (const step of schemaSteps.slice(from)) database.exec(step);
    if (from < schemaSteps.length) {
      database.prepare('INSERT OR REPLACE INTO oldest_reader VALUES (1, ?)').run(OLDEST_READER);
      database.exec(`PRAGMA user_version = ${schemaSteps.length}`);
    }
    database.exec('COMMIT');
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

/** False where steps are missing. */
function isReadable(database: DatabaseSync, file: string): boolean {
  const known = schemaSteps.length;
  const version = toVersion(database);
  if (version <= known) return version === known;
  const row = database.prepare('SELECT version FROM oldest_reader').get();
  if (row !== undefined && Number(row['version']) <= known) return true;
  throw new MidflightError('ERR_MIDFLIGHT_RECORD_NEWER', [file, String(version), String(known)]);
}

function toVersion(database: DatabaseSync): number {
  return Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
}
