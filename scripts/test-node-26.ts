/**
 * The tests on Node 26, beside the Node of the gate: it is installed into a temporary folder and put first on the path. What starts other
 * processes starts them on the same Node.
 *
 *   node scripts/test-node-26.ts [test files…]
 */

import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** Half as long again as in the gate: a nightly run has the time. */
const TEST_TIMEOUT_MS = 180_000;

const directory = mkdtempSync(path.join(tmpdir(), 'midflight-node-26-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
// The package has an install script, which fetches the binary.
writeFileSync(
  path.join(directory, 'package.json'),
  JSON.stringify({ private: true, allowScripts: { node: true } }),
);
run('npm', ['install', '--no-audit', '--no-fund', 'node@26'], directory);
const files = process.argv.slice(2);
const tests = files.length > 0 ? files : globSync('test/**/*.test.ts').toSorted();
const options = ['--test', '--test-concurrency=2', `--test-timeout=${TEST_TIMEOUT_MS}`];
run(path.join(directory, 'node_modules/.bin/node'), [...options, ...tests], process.cwd());

function run(command: string, args: readonly string[], cwd: string): void {
  const bin = path.join(directory, 'node_modules/.bin');
  const env = { ...process.env, PATH: `${bin}${path.delimiter}${process.env['PATH'] ?? ''}` };
  const { status, signal, error } = spawnSync(command, args, { cwd, env, stdio: 'inherit' });
  if (status === 0) return;
  console.error(`${command} failed (${error?.message ?? signal ?? `exit code ${status}`})`);
  process.exit(1);
}
