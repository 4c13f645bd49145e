/** The catalog of errors and the class that carries its codes. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { catalog, MidflightError, toFailure, type ErrorCode } from '../src/errors.ts';
import { toErrorReport, toWorkerError } from '../src/protocol/messages.ts';

const repository = fileURLToPath(new URL('..', import.meta.url));
const codes = Object.keys(catalog) as ErrorCode[];

test('every code says who it belongs to, and has an exit code that is not 0', () => {
  for (const code of codes) {
    assert.match(code, /^ERR_MIDFLIGHT(?:_[A-Z]+)+$/);
    assert.ok([1, 2, 3, 4].includes(catalog[code].exitCode), code);
  }
});

test('every message puts its details in and leaves no hole', () => {
  for (const code of codes) {
    const format: (...details: readonly string[]) => string = catalog[code].message;
    const details = Array.from({ length: format.length }, (_, index) => `<${index}>`);
    const { message } = new MidflightError(code, details);
    assert.doesNotMatch(message, /undefined|\[object/, code);
    for (const detail of details) assert.ok(message.includes(detail), `${code}: ${detail}`);
  }
});

test('an error has its code, its details as text, its cause and its exit code', () => {
  const cause = new Error('why');
  const error = new MidflightError('ERR_MIDFLIGHT_WORKER_NOT_READY', [1_500, 'no server listens'], { cause });
  assert.equal(error.name, 'MidflightError');
  assert.deepEqual(error.details, ['1500', 'no server listens']);
  assert.equal(error.cause, cause);
  assert.equal(error.exitCode, 3);
  assert.match(error.message, /after 1500 ms: no server listens; .*readyTimeoutMs/);
});

test('instanceof holds between two copies of the class', async () => {
  const copy = (await import(`${new URL('../src/errors.ts', import.meta.url).href}?copy`)) as {
    readonly MidflightError: typeof MidflightError;
  };
  assert.notEqual(copy.MidflightError, MidflightError);
  assert.ok(new copy.MidflightError('ERR_MIDFLIGHT_USAGE', ['x']) instanceof MidflightError);
  assert.ok(!(new Error('x') instanceof MidflightError));
  assert.ok(!((null as unknown) instanceof MidflightError));
});

test('an error keeps its code, message and exit code on the way from a worker', () => {
  const error = new MidflightError('ERR_MIDFLIGHT_HEALTH_FAILED', ['/health', 'it answered 500']);
  const report = JSON.parse(JSON.stringify(toErrorReport(error))) as ReturnType<typeof toErrorReport>;
  const revived = toWorkerError(report);
  assert.ok(revived instanceof MidflightError);
  assert.deepEqual([revived.code, revived.message, revived.exitCode], [error.code, error.message, 3]);
});

test('what is not an error crosses processes as text', () => {
  const report = toErrorReport('just text');
  assert.deepEqual(report, { code: 'ERR_UNKNOWN', message: 'just text', stack: 'just text' });
  assert.match(toWorkerError(report).message, /just text/);
});

test('what bind(2) said to a worker is told as an address that can not be bound', () => {
  const message = 'listen EADDRINUSE: address already in use 127.0.0.1:80';
  const failure = toWorkerError({ code: 'EADDRINUSE', message, stack: message });
  assert.equal(failure.code, 'ERR_MIDFLIGHT_LISTEN_FAILED');
  assert.match(failure.message, /^127\.0\.0\.1:80 .*EADDRINUSE/);
  assert.equal(failure.exitCode, 1);
});

test("the app's own error is told as code that threw, with its stack", () => {
  const failure = toWorkerError(toErrorReport(new RangeError('not today')));
  assert.deepEqual([failure.code, failure.exitCode], ['ERR_MIDFLIGHT_EVALUATION_FAILED', 3]);
  assert.match(failure.message, /RangeError: not today[\s\S]*errors\.test\.ts/);
});

test('a failure has the code, message and exit code of its error', () => {
  const failure = toFailure(new MidflightError('ERR_MIDFLIGHT_NOT_RUNNING', ['/srv/app']));
  assert.deepEqual([failure.code, failure.exitCode], ['ERR_MIDFLIGHT_NOT_RUNNING', 4]);
  assert.match(failure.message, /^Nothing runs in \/srv\/app/);
});

test('an error without a code of the catalog is told as a mistake of Midflight itself, with its stack', () => {
  const failure = toFailure(new TypeError('not a function'));
  assert.deepEqual([failure.code, failure.exitCode], ['ERR_MIDFLIGHT_INTERNAL', 1]);
  assert.match(failure.message, /TypeError: not a function[\s\S]*errors\.test\.ts/);
});

test('the command line tells an older Node what it needs', () => {
  const pretend = `Object.defineProperty(process.versions, 'node', { value: '20.19.0' }); Object.defineProperty(process, 'version', { value: 'v20.19.0' });`;
  const script = `${pretend} require(${JSON.stringify(path.join(repository, 'bin/midflight.js'))});`;
  const { status, stderr } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
  assert.equal(status, 1);
  const { message } = new MidflightError('ERR_MIDFLIGHT_NODE_TOO_OLD', ['v20.19.0']);
  assert.equal(stderr, `midflight: ERR_MIDFLIGHT_NODE_TOO_OLD ${message}\n`);
});
