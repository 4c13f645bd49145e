/** The record: which release is current, which one is good, and what every deploy came to. SQLite, WAL. */

import { DatabaseSync } from 'node:sqlite';
import type { Reason } from '../plan/reason.ts';
import type { Accepted } from '../release/trust.ts';

export const deployResults = ['committed', 'rolled-back', 'rejected', 'unchanged'] as const;
export type DeployResult = (typeof deployResults)[number];

export interface DeployRecord {
  readonly id: number;
  readonly release: string | null;
  readonly previous: string | null;
  readonly path: string;
  readonly result: DeployResult | 'running' | 'interrupted';
  readonly reasons: readonly Reason[];
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly endedAt: string | null;
  readonly timings: Readonly<Record<string, number>>;
  readonly evidence: string | null;
}

export type DeployOutcome = Pick<
  DeployRecord,
  'release' | 'previous' | 'path' | 'reasons' | 'timings' | 'evidence'
> & {
  readonly result: DeployResult;
};

export interface History {
  /** The release that serves, also when it has not passed probation yet. */
  current(): string | null;
  /** The last release that passed probation: what comes up after a crash. */
  proved(): string | null;
  setCurrent(release: string): void;
  setProved(release: string): void;
  /** How many workers the operator wants; null for as many as the release says. */
  scaledTo(): number | null;
  setScaledTo(count: number | null): void;
  begin(previous: string | null): number;
  /** What is known of a deploy that is at work. */
  note(id: number, known: Pick<DeployRecord, 'release' | 'path'>): void;
  end(id: number, outcome: DeployOutcome): void;
  /** Marks what another supervisor was at work on. */
  interrupt(evidence: string): void;
  /** Newest first. */
  list(limit: number): readonly DeployRecord[];
  /** Null where no deploy has this number. */
  find(id: number): DeployRecord | null;
  /** Versions of modules that could not be evaluated in a running process, and could in a fresh one. */
  unswappable(): ReadonlySet<string>;
  noteUnswappable(moduleVersion: string): void;
  /** The newest statement that was accepted: nothing older is. */
  highestAccepted(): Accepted | null;
  setHighestAccepted(accepted: Accepted): void;
  /** A release that served before the one named, most recent first. */
  servedBefore(release: string): string | null;
  close(): void;
}

const schema = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  PRAGMA busy_timeout = 5000;
  CREATE TABLE IF NOT EXISTS pointer (name TEXT PRIMARY KEY, release TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS scale (id INTEGER PRIMARY KEY CHECK (id = 1), workers INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS unswappable (module_version TEXT PRIMARY KEY, at TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS accepted (id INTEGER PRIMARY KEY CHECK (id = 1), counter INTEGER NOT NULL, digest TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS deploy (
    id INTEGER PRIMARY KEY, release TEXT, previous TEXT, path TEXT NOT NULL, result TEXT NOT NULL,
    reasons TEXT NOT NULL, started_at TEXT NOT NULL, ended_at TEXT, timings TEXT NOT NULL, evidence TEXT
  ) STRICT;
`;

/** Opens or makes the database. */
export function openHistory(file: string): History {
  const database = new DatabaseSync(file);
  database.exec(schema);
  const pointer = (name: string): string | null => {
    const row = database.prepare('SELECT release FROM pointer WHERE name = ?').get(name);
    return row === undefined ? null : String(row['release']);
  };
  const point = (name: string, release: string): void => {
    database
      .prepare(
        'INSERT INTO pointer VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET release = excluded.release',
      )
      .run(name, release);
  };
  return {
    current: () => pointer('current'),
    proved: () => pointer('proved'),
    setCurrent: (release) => point('current', release),
    setProved: (release) => point('proved', release),
    scaledTo() {
      const row = database.prepare('SELECT workers FROM scale').get();
      return row === undefined ? null : Number(row['workers']);
    },
    setScaledTo(count) {
      if (count === null) database.exec('DELETE FROM scale');
      else database.prepare('INSERT OR REPLACE INTO scale VALUES (1, ?)').run(count);
    },
    begin(previous) {
      const insert = database.prepare(
        `INSERT INTO deploy (release, previous, path, result, reasons, started_at, timings) VALUES (NULL, ?, 'none', 'running', '[]', ?, '{}')`,
      );
      return Number(insert.run(previous, new Date().toISOString()).lastInsertRowid);
    },
    note(id, { release, path }) {
      database.prepare('UPDATE deploy SET release = ?, path = ? WHERE id = ?').run(release, path, id);
    },
    interrupt(evidence) {
      database
        .prepare(
          `UPDATE deploy SET result = 'interrupted', ended_at = ?, evidence = ? WHERE result = 'running'`,
        )
        .run(new Date().toISOString(), evidence);
    },
    end(id, outcome) {
      database
        .prepare(
          `UPDATE deploy SET release = ?, previous = ?, path = ?, result = ?, reasons = ?, ended_at = ?, timings = ?, evidence = ? WHERE id = ?`,
        )
        .run(
          outcome.release,
          outcome.previous,
          outcome.path,
          outcome.result,
          JSON.stringify(outcome.reasons),
          new Date().toISOString(),
          JSON.stringify(outcome.timings),
          outcome.evidence,
          id,
        );
    },
    list: (limit) =>
      database.prepare('SELECT * FROM deploy ORDER BY id DESC LIMIT ?').all(limit).map(toRecord),
    find(id) {
      const row = database.prepare('SELECT * FROM deploy WHERE id = ?').get(id);
      return row === undefined ? null : toRecord(row);
    },
    unswappable() {
      const rows = database.prepare('SELECT module_version FROM unswappable').all();
      return new Set(rows.map((row) => String(row['module_version'])));
    },
    noteUnswappable(version) {
      database
        .prepare('INSERT OR REPLACE INTO unswappable VALUES (?, ?)')
        .run(version, new Date().toISOString());
    },
    highestAccepted() {
      const row = database.prepare('SELECT counter, digest FROM accepted').get();
      return row === undefined ? null : { counter: Number(row['counter']), digest: String(row['digest']) };
    },
    setHighestAccepted({ counter, digest }) {
      database.prepare('INSERT OR REPLACE INTO accepted VALUES (1, ?, ?)').run(counter, digest);
    },
    servedBefore(release) {
      const row = database
        .prepare(
          `SELECT release FROM deploy WHERE result = 'committed' AND release IS NOT NULL AND release <> ?
           AND id < coalesce((SELECT max(id) FROM deploy WHERE result = 'committed' AND release = ?), 1 << 62) ORDER BY id DESC LIMIT 1`,
        )
        .get(release, release);
      return row === undefined ? null : String(row['release']);
    },
    close: () => database.close(),
  };
}

function toRecord(row: Record<string, unknown>): DeployRecord {
  const text = (key: string): string | null => (typeof row[key] === 'string' ? row[key] : null);
  return {
    id: Number(row['id']),
    release: text('release'),
    previous: text('previous'),
    path: text('path') ?? 'none',
    result: (text('result') ?? 'interrupted') as DeployRecord['result'],
    reasons: JSON.parse(text('reasons') ?? '[]') as Reason[],
    startedAt: text('started_at') ?? '',
    endedAt: text('ended_at'),
    timings: JSON.parse(text('timings') ?? '{}') as Record<string, number>,
    evidence: text('evidence'),
  };
}
