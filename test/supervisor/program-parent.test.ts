/** The process between the keeper and a program: what it passes on, and what it keeps away. */

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { toProgramCommandLine } from '../../src/supervisor/program-parent.ts';

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly printed: string;
}

interface RunOptions {
  readonly stopSignal?: NodeJS.Signals;
  /** Sent to the parent when the program has printed `go`. */
  readonly send?: NodeJS.Signals;
  readonly stdio?: readonly number[];
}

async function run(script: string, options: RunOptions = {}): Promise<Ended> {
  const { stopSignal = 'SIGTERM', send, stdio = [] } = options;
  const words = ['sh', '-c', script];
  const commandLine = toProgramCommandLine({ words, inheritedCount: 0, readyFifo: null, stopSignal });
  const child = spawn(commandLine.file, commandLine.args, {
    stdio: ['ignore', 'pipe', 'pipe', ...stdio],
    detached: true,
  });
  let printed = '';
  child.stderr?.resume();
  child.stdout?.on('data', (chunk: Buffer) => {
    printed += chunk.toString();
    if (send !== undefined && printed.endsWith('go\n')) child.kill(send);
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return { code, signal, printed };
}

const endings: readonly (readonly [string, number | null, NodeJS.Signals | null])[] = [
  ['exit 0', 0, null],
  ['exit 3', 3, null],
  ['kill -KILL $$', null, 'SIGKILL'],
  ['kill -TERM $$', null, 'SIGTERM'],
  ['ulimit -c 0; kill -SEGV $$', 139, null],
  ['exec /not/there', 127, null],
];

for (const [script, code, signal] of endings) {
  test(`a program that ends by "${script}" is known to`, async () => {
    assert.deepEqual(await run(script), { code, signal, printed: '' });
  });
}

test('LISTEN_PID is the pid of the program itself', async () => {
  assert.equal((await run('[ "$LISTEN_PID" = $$ ] && echo the same')).printed, 'the same\n');
});

for (const [sender, kill] of [
  ['a program', 'kill'],
  ['a child of a program', '/bin/kill'],
] as const) {
  test(`${sender} that ends the parent of the program ends nothing`, async () => {
    const script = `for each in 1 2 3; do ${kill} -TERM $PPID; done; sleep 0.1; echo serves on`;
    assert.deepEqual(await run(script), { code: 0, signal: null, printed: 'serves on\n' });
  });
}

test('SIGTERM reaches the program, and its exit code comes back', async () => {
  const script = 'trap "exit 7" TERM; echo go; while :; do sleep 0.02; done';
  assert.equal((await run(script, { send: 'SIGTERM' })).code, 7);
});

test('SIGTERM becomes the signal that the program wants', async () => {
  const script = 'trap "echo quit; exit 0" QUIT; echo go; while :; do sleep 0.02; done';
  assert.equal((await run(script, { send: 'SIGTERM', stopSignal: 'SIGQUIT' })).printed, 'go\nquit\n');
});

/** Without the one that the shell has open while it reads the folder. */
const listOpen = 'cd /proc/$$/fd; for fd in *; do [ -e "$fd" ] && printf "%s " "$fd"; done; true';

test('no signal is ignored or blocked in a program, and only its own descriptors are open', async () => {
  const script = `grep -E "SigIgn|SigBlk" /proc/self/status; ${listOpen}`;
  // Such as a shell or a service manager may leave open.
  const { printed } = await run(script, { stdio: [1, 2, 1, 2, 1, 2, 1, 2, 1] });
  assert.equal(printed, `SigBlk:\t${'0'.repeat(16)}\nSigIgn:\t${'0'.repeat(16)}\n0 1 2 `);
});

test('what Node has opened itself is not inherited by a child', () => {
  const code = `const { execFileSync } = require('node:child_process');
    const list = () => process.stdout.write(execFileSync('sh', ['-c', process.argv[1]]) + '\\n');
    list();
    Array.from({ length: 40 }, () => require('node:net').createServer().listen(0, '127.0.0.1'));
    setTimeout(() => process.exit(list()), 50);`;
  const { stdout } = spawnSync(process.execPath, ['-e', code, listOpen], { encoding: 'utf8' });
  const [before = '', after] = stdout.split('\n');
  assert.match(before, /^0 1 2 /);
  assert.equal(after, before);
});
