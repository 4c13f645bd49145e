/** The record's schema over time, and a record that is damaged. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test, type TestContext } from 'node:test';
import { backUp } from '../../src/deploy/back-up.ts';
import { openHistory } from '../../src/deploy/history.ts';
import { noteProved, openRecord } from '../../src/deploy/open-record.ts';
import { schemaSteps } from '../../src/deploy/record-schema.ts';
import type { MidflightError } from '../../src/errors.ts';
import { FORMAT_VERSION } from '../../src/protocol/manifest.ts';
import { toHome, type Home } from '../../src/release/home.ts';
import { recordCommitted } from './committed-deploy.ts';

/** As it was before it had a number. */
const unnumbered = `
  PRAGMA journal_mode = WAL;
  CREATE TABLE IF NOT EXISTS pointer (name TEXT PRIMARY KEY, release TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS scale (id INTEGER PRIMARY KEY CHECK (id = 1), workers INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS unswappable (module_version TEXT PRIMARY KEY, at TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS deploy (
    id INTEGER PRIMARY KEY, release TEXT, previous TEXT, path TEXT NOT NULL, result TEXT NOT NULL,
    reasons TEXT NOT NULL, started_at TEXT NOT NULL, ended_at TEXT, timings TEXT NOT NULL, evidence TEXT
  ) STRICT;
  INSERT INTO pointer VALUES ('current', 'b'), ('proved', 'a');
  INSERT INTO scale VALUES (1, 3);
  INSERT INTO deploy VALUES (7, 'a', NULL, 'none', 'committed', '[]', '2026-11-20T00:00:00.000Z', NULL, '{}', NULL);
`;

function createHome(t: TestContext, releases: readonly string[] = []): Home {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-record-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const home = toHome(directory);
  mkdirSync(home.directory);
  for (const id of releases) {
    mkdirSync(path.join(home.releases, id), { recursive: true });
    const manifest = { formatVersion: FORMAT_VERSION, id, modules: {}, settings: {} };
    writeFileSync(path.join(home.releases, id, 'manifest.json'), JSON.stringify(manifest));
  }
  return home;
}

function open(home: Home): { readonly log: string; readonly history: ReturnType<typeof openHistory> } {
  let log = '';
  const history = openRecord(home, (message) => (log += message));
  return { history, log };
}

test('a database without a number gets the steps that it lacks, and keeps what it has', (t) => {
  const { database: file } = createHome(t);
  const old = new DatabaseSync(file);
  old.exec(unnumbered);
  old.close();
  for (let count = 0; count < 2; count++) {
    const history = openHistory(file);
    assert.deepEqual([history.current(), history.proved(), history.scaledTo()], ['b', 'a', 3]);
    const [row] = history.list(1);
    assert.deepEqual([row?.id, row?.action], [7, null]);
    assert.equal(history.notice(), null);
    history.close();
  }
  const database = new DatabaseSync(file);
  assert.equal(database.prepare('PRAGMA user_version').get()?.['user_version'], schemaSteps.length);
  database.close();
});

test('a newer database is refused with a sentence, unless it says that this one can work with it', (t) => {
  const { database: file } = createHome(t);
  openHistory(file).close();
  const database = new DatabaseSync(file);
  const newer = schemaSteps.length + 1;
  database.exec(`ALTER TABLE deploy ADD COLUMN more TEXT; PRAGMA user_version = ${newer}`);
  const history = openHistory(file);
  history.begin('deploy', null);
  history.close();
  database.exec(`UPDATE oldest_reader SET version = ${newer}`);
  assert.throws(() => openHistory(file), {
    code: 'ERR_MIDFLIGHT_RECORD_NEWER',
    message: new RegExp(`schema ${newer}, this one knows ${schemaSteps.length}`),
  });
  database.close();
});

test('a step that fails leaves the database as it was', (t) => {
  const { database: file } = createHome(t);
  const database = new DatabaseSync(file);
  // In the way of a later step.
  database.exec(`${unnumbered} CREATE TABLE notice (id INTEGER)`);
  assert.throws(() => openHistory(file), /notice/);
  assert.equal(database.prepare('PRAGMA user_version').get()?.['user_version'], 0);
  assert.equal(
    database.prepare(`SELECT name FROM sqlite_schema WHERE name = 'oldest_reader'`).get(),
    undefined,
  );
  database.close();
});

for (const [what, damage] of Object.entries({
  'is no database': () => Buffer.from('not a database, but long enough to be taken for one'.repeat(100)),
  'is damaged further inside': (content: Buffer) => content.fill(0x55, 4_096, content.length),
})) {
  test(`a record that ${what} is kept aside, and another begins with the release that was noted as proved`, (t) => {
    const home = createHome(t, ['20260101T000000000Z-a', '20260102T000000000Z-b', '20260103T000000000Z-c']);
    const history = openHistory(home.database);
    for (let count = 0; count < 40; count++) history.noteUnswappable(`${count}`.padStart(500, '-'));
    history.close();
    noteProved(home, '20260102T000000000Z-b');
    writeFileSync(home.database, damage(readFileSync(home.database)));
    const begun = open(home);
    assert.deepEqual(
      [begun.history.current(), begun.history.proved()],
      ['20260102T000000000Z-b', '20260102T000000000Z-b'],
    );
    assert.match(
      begun.log,
      /damaged.*20260102T000000000Z-b is taken to be current, the last one that was noted as proved/,
    );
    assert.equal(begun.history.notice()?.message, begun.log);
    begun.history.close();
    const aside = readdirSync(home.directory).filter((name) => name.startsWith('midflight.db.damaged-'));
    assert.equal(aside.length, 1);
    const again = open(home);
    assert.equal(again.log, '');
    recordCommitted(again.history, 'c');
    assert.equal(again.history.notice(), null);
    again.history.close();
  });
}

test('where nothing is noted, the newest release on disk that can be read is taken, and none where there is none', (t) => {
  const home = createHome(t, ['20260101T000000000Z-a', '20260102T000000000Z-b']);
  mkdirSync(path.join(home.releases, '20260103T000000000Z-c'));
  writeFileSync(path.join(home.releases, '20260103T000000000Z-c/manifest.json'), '{"id":');
  writeFileSync(home.database, 'x'.repeat(4_096));
  const { history, log } = open(home);
  assert.equal(history.current(), '20260102T000000000Z-b');
  assert.match(log, /the newest of those on disk/);
  history.close();
  const empty = createHome(t);
  writeFileSync(empty.database, 'x'.repeat(4_096));
  const begun = open(empty);
  assert.equal(begun.history.current(), null);
  assert.match(begun.log, /made of the source/);
  begun.history.close();
});

test('a copy has what was committed, also while another process writes', (t) => {
  const home = createHome(t);
  const history = openHistory(home.database);
  const file = path.join(home.appDirectory, "it's a copy.db");
  history.setCurrent('a');
  execFileSync(process.execPath, [
    '--input-type=module',
    '-e',
    `import { DatabaseSync } from 'node:sqlite'; const d = new DatabaseSync(process.argv[1]); d.exec("INSERT INTO pointer VALUES ('proved', 'z')")`,
    home.database,
  ]);
  history.copyTo(file);
  assert.throws(() => history.copyTo(file), { code: 'ERR_MIDFLIGHT_USAGE' });
  const nowhere = path.join(home.appDirectory, 'nowhere/copy.db');
  assert.throws(
    () => history.copyTo(nowhere),
    (error: MidflightError) => error.details[0] === nowhere,
  );
  history.close();
  for (const folder of [path.dirname(nowhere), file])
    assert.throws(() => backUp(home, path.join(folder, 'copy.db')), {
      code: 'ERR_MIDFLIGHT_USAGE',
      message: /no file can be made in .* \(E/,
    });
  const copy = openHistory(file);
  assert.deepEqual([copy.current(), copy.proved()], ['a', 'z']);
  copy.close();
  assert.ok(existsSync(home.database));
});

test('what a deploy came to and could not be written is written before the next begins', (t) => {
  const home = createHome(t);
  const history = openHistory(home.database);
  const id = history.begin('deploy', null);
  const database = new DatabaseSync(home.database);
  database.exec(`CREATE TRIGGER full BEFORE UPDATE ON deploy BEGIN SELECT RAISE(ABORT, 'full'); END`);
  const outcome = {
    release: 'a',
    previous: null,
    path: 'swap',
    result: 'rejected',
    reasons: [],
    timings: {},
    evidence: null,
  } as const;
  assert.throws(() => history.end(id, outcome));
  database.exec('DROP TRIGGER full');
  database.close();
  assert.equal(history.list(1)[0]?.result, 'running');
  history.begin('deploy', null);
  assert.equal(history.list(2)[1]?.result, 'rejected');
  history.close();
});
