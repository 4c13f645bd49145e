import type { Command } from 'commander';
import path from 'node:path';
import type { DevNotice } from '../dev/dev-notice.ts';
import type { Dev, PastNotice } from '../dev/run-dev.ts';
import { watchKeys } from './dev-keys.ts';
import { toLines } from './dev-lines.ts';
import { logLine } from './output.ts';

interface DevFlags {
  readonly typecheck: boolean;
  readonly json: boolean;
}

export function addDev(program: Command): void {
  program
    .command('dev')
    .description('run from source, and swap on save')
    .argument('[entry]', 'the file to run; what the configuration or package.json names when absent')
    .option('--no-typecheck', 'without the type check in the background')
    .option('--json', 'its own lines as JSON objects', false)
    .action(async (file: string | undefined, { json, typecheck }: DevFlags) => {
      const directory = process.cwd();
      const entry = file === undefined ? undefined : path.relative(directory, path.resolve(file));
      const { runDev } = await import('../dev/run-dev.ts');
      const dev = await runDev({ directory, entry, typecheck, say: json ? sayJson : say });
      await untilQuit(dev, json ? () => undefined : printHistory);
      await dev.stop();
      process.exit(0);
    });
}

/** Resolves at the key, or the signal, that ends it. */
async function untilQuit(dev: Dev, showHistory: (dev: Dev) => void): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const release = watchKeys({
    r: () => dev.handoff(),
    u: () => dev.undo(),
    h: () => showHistory(dev),
    q: () => resolve(),
  });
  if (process.stdin.isTTY) logLine('keys: r hand off, u undo, h history, q quit');
  process.once('SIGTERM', () => resolve());
  process.once('SIGINT', () => resolve());
  await promise;
  release();
}

function say(notice: DevNotice): void {
  logLine(toLines(notice));
}

function sayJson(notice: DevNotice): void {
  process.stderr.write(`${JSON.stringify({ at: new Date().toISOString(), ...notice })}\n`);
}

function printHistory(dev: Dev): void {
  for (const { at, notice } of dev.history()) process.stderr.write(`${toHistoryLine(at, notice)}\n`);
}

function toHistoryLine(at: PastNotice['at'], notice: DevNotice): string {
  return `  ${at.toTimeString().slice(0, 8)}  ${toLines(notice).split('\n')[0] ?? ''}`;
}
