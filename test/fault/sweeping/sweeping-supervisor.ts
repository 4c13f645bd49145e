/**
 * A supervisor that notes each removal and renaming in `.midflight/steps` before it makes it, and ends by SIGKILL before the one whose number
 * is in `.midflight/kill-at`. Nobody lists the steps, so a new one is covered by itself.
 */

import fs from 'node:fs';
import fsPromises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

const killFile = '.midflight/kill-at';
const { appendFileSync, existsSync, readFileSync, unlinkSync } = fs;
let wanted = '';
let count = 0;

function step(name: string): void {
  if (!existsSync(killFile)) return;
  const text = readFileSync(killFile, 'utf8');
  if (text !== wanted) count = 0;
  wanted = text;
  appendFileSync('.midflight/steps', `${name}\n`);
  if (count++ !== Number(text)) return;
  unlinkSync(killFile);
  process.kill(process.pid, 'SIGKILL');
}

function watch(target: object, name: string): void {
  const original = (target as Record<string, (...args: unknown[]) => unknown>)[name];
  const stepping = (...args: unknown[]): unknown => {
    step(name);
    return original?.(...args);
  };
  Object.assign(target, { [name]: stepping });
}

for (const name of ['renameSync', 'rmSync']) watch(fs, name);
for (const name of ['rename', 'rm']) watch(fsPromises, name);
syncBuiltinESMExports();
await import(new URL('../../../dist/cli/supervisor-main.js', import.meta.url).href);
