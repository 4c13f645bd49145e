/** The record: which release is current, which one is good, and what every deploy came to. SQLite, WAL. */

import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { MidflightError } from '../errors.ts';
import type { Reason } from '../plan/reason.ts';
import type { Accepted } from '../release/trust.ts';
import { CORRUPT, explainRecordProblem } from './record-problem.ts';
import { migrate } from './record-schema.ts';

export const deployResults = ['committed', 'rolled-back', 'rejected', 'unchanged', 'interrupted'] as const;
export type DeployResult = (typeof deployResults)[number];

/** What was asked for; `handoff` is what Midflight does by itself where memory grows. */
export type DeployAction = 'deploy' | 'rollback' | 'start' | 'handoff';

export interface DeployRecord {
  readonly id: number;
  /** Null where an older Midflight has written it. */
  readonly action: DeployAction | null;
  readonly release: string | null;
  readonly previous: string | null;
  readonly path: string;
  readonly result: DeployResult | 'running';
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
  /** The highest generation that there was. */
  generationCount(): number;
  setGenerationCount(count: number): void;
  begin(action: DeployAction, previous: string | null): number;
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
  /** The releases that some deploy was about, in the order in which they last were, oldest first: not what a clock says. */
  deployedReleases(): readonly string[];
  /** Something that an operator has to know of the record itself. */
  notify(message: string): void;
  /** The last such notice; null where a release was committed since. */
  notice(): { readonly at: string; readonly message: string } | null;
  /** Reads all of it. Errors: ERR_MIDFLIGHT_RECORD_CORRUPT. */
  check(): void;
  /** A consistent copy, also while deploys write. Errors: ERR_MIDFLIGHT_USAGE where there is such a file. */
  copyTo(file: string): void;
  close(): void;
}

/** With a write-ahead log, what was committed outlives a power cut only if each commit waits for the disk: a deploy has a handful. */
const settings = `
  PRAGMA busy_timeout = 5000;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
`;

/** Opens or makes the database. All that its methods throw is of the catalog where it can be.
 *  Errors: ERR_MIDFLIGHT_RECORD_NEWER, ERR_MIDFLIGHT_RECORD_CORRUPT, ERR_MIDFLIGHT_RECORD_UNWRITABLE, ERR_MIDFLIGHT_DISK_FULL. */
export function openHistory(file: string): History {
  try {
    const database = open(file);
    return explaining(toHistory(database), file);
  } catch (error) {
    throw explainRecordProblem(error, file);
  }
}

function open(file: string): DatabaseSync {
  const database = new DatabaseSync(file);
  try {
    database.exec(settings);
    migrate(database, file);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function explaining(history: History, file: string): History {
  const entries = Object.entries(history) as [string, (...args: unknown[]) => unknown][];
  const explained = entries.map(([name, method]) => [
    name,
    (...args: unknown[]): unknown => {
      try {
        return method(...args);
      } catch (error) {
        throw explainRecordProblem(error, file);
      }
    },
  ]);
  return Object.fromEntries(explained) as History;
}

function toHistory(database: DatabaseSync): History {
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
  /** What deploys have come to where the disk was full: written before the next one begins. */
  const unwritten = new Map<number, DeployOutcome>();
  const end = (id: number, outcome: DeployOutcome): void => {
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
    unwritten.delete(id);
  };
  return {
    current: () => pointer('current'),
    proved: () => pointer('proved'),
    setCurrent: (release) => point('current', release),
    setProved: (release) => point('proved', release),
    generationCount: () => Number(pointer('generation') ?? 0),
    setGenerationCount: (count) => point('generation', String(count)),
    scaledTo() {
      const row = database.prepare('SELECT workers FROM scale').get();
      return row === undefined ? null : Number(row['workers']);
    },
    setScaledTo(count) {
      if (count === null) database.exec('DELETE FROM scale');
      else database.prepare('INSERT OR REPLACE INTO scale VALUES (1, ?)').run(count);
    },
    begin(action, previous) {
      for (const [id, outcome] of unwritten) end(id, outcome);
      const insert = database.prepare(
        `INSERT INTO deploy (action, previous, path, result, reasons, started_at, timings) VALUES (?, ?, 'none', 'running', '[]', ?, '{}')`,
      );
      return Number(insert.run(action, previous, new Date().toISOString()).lastInsertRowid);
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
      unwritten.set(id, outcome);
      end(id, outcome);
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
    deployedReleases: () =>
      database
        .prepare('SELECT release FROM deploy WHERE release IS NOT NULL GROUP BY release ORDER BY max(id)')
        .all()
        .map((row) => String(row['release'])),
    notify(message) {
      const at = new Date().toISOString();
      database
        .prepare('INSERT OR REPLACE INTO notice VALUES ((SELECT coalesce(max(id), 0) + 1 FROM deploy), ?, ?)')
        .run(at, message);
    },
    notice() {
      const row = database
        .prepare(
          `SELECT at, message FROM notice WHERE id > coalesce((SELECT max(id) FROM deploy WHERE result = 'committed'), 0)
           ORDER BY id DESC LIMIT 1`,
        )
        .get();
      return row === undefined ? null : { at: String(row['at']), message: String(row['message']) };
    },
    check() {
      const [row] = database.prepare('PRAGMA quick_check(1)').all();
      const said = String(row?.['quick_check']);
      if (said !== 'ok') throw Object.assign(new Error(said), { errcode: CORRUPT });
    },
    copyTo(file) {
      if (existsSync(file)) throw new MidflightError('ERR_MIDFLIGHT_USAGE', [`${file} is there already`]);
      try {
        database.prepare('VACUUM INTO ?').run(file);
      } catch (error) {
        // Of the disk that the copy is on, which may be another.
        throw explainRecordProblem(error, file);
      }
    },
    close: () => database.close(),
  };
}

function toRecord(row: Record<string, unknown>): DeployRecord {
  const text = (key: string): string | null => (typeof row[key] === 'string' ? row[key] : null);
  return {
    id: Number(row['id']),
    action: text('action') as DeployAction | null,
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
