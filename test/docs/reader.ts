/** Somebody who reads a page and does what it says, step by step: with the command line, an editor and curl. */

import assert from 'node:assert/strict';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { commandLine, findFreePort, waitForLog } from '../support/app.ts';
import { readText } from './markdown.ts';

const run = promisify(execFile);

interface Step {
  readonly commands: string;
  readonly output: string;
}

/** Each block of commands is a step; the block of text below it is what it prints. Port 3000 is another one each time. */
export async function followPage(t: TestContext, page: string): Promise<void> {
  const port = String(await findFreePort());
  const steps = [...readText(page).matchAll(/^```sh\n(.*?)^```\n(?:\n^```text\n(.*?)^```)?/gms)].map(
    ([, commands = '', output = '']): Step => ({
      commands: commands.replaceAll('3000', port),
      output: output.replaceAll('3000', port),
    }),
  );
  assert.ok(steps.length > 3);
  const reader = createReader(t);
  for (const step of steps) await reader.follow(step);
}

/** Somebody with two terminals. */
function createReader(t: TestContext): { follow(step: Step): Promise<void> } {
  const directory = mkdtempSync(path.join(realpathSync(tmpdir()), 'midflight-guide-'));
  symlinkSync(commandLine, path.join(directory, 'midflight'));
  const identity = { NAME: 'Test', EMAIL: 'test@example.test' };
  const env: NodeJS.ProcessEnv = { ...process.env, PATH: `${directory}:${process.env['PATH'] ?? ''}` };
  for (const [key, value] of Object.entries(identity))
    env[`GIT_AUTHOR_${key}`] = env[`GIT_COMMITTER_${key}`] = value;
  let cwd = directory;
  let foreground: ChildProcess | null = null;
  let log = '';

  const end = async (): Promise<void> => {
    if (foreground === null || foreground.exitCode !== null) return;
    foreground.kill('SIGTERM');
    await once(foreground, 'exit');
  };
  t.after(async () => {
    await end();
    rmSync(directory, { recursive: true, force: true });
  });

  const start = async (words: readonly string[]): Promise<void> => {
    await end();
    log = '';
    foreground = spawn(process.execPath, [commandLine, ...words], { cwd, env });
    for (const stream of [foreground.stdout, foreground.stderr])
      stream?.on('data', (chunk: Buffer) => {
        log += chunk.toString();
        foreground?.emit('printed');
      });
  };

  const isSaid = (line: string): boolean =>
    /^(?:serving|swapped|not swapped|mended|midflight (?:serving|worker))/.test(line);

  return {
    async follow({ commands, output }) {
      const [, words] = /^midflight ((?:dev|start)(?: .*)?)$/m.exec(commands) ?? [];
      const rest = commands.replace(/^midflight (?:dev|start)(?: .*)?$/m, '');
      const { stdout } = await run('bash', ['--norc', '-euc', rest], { cwd, env });
      const [, folder] = /^mkdir (\w+) && cd \1\b/m.exec(commands) ?? [];
      if (folder !== undefined) cwd = path.join(directory, folder);
      if (words !== undefined) await start(words.split(' '));
      const lines = output.split(/(?<=\n)/);
      const expected = lines.filter((line) => !isSaid(line)).join('');
      assert.equal(withoutIds(stdout), withoutIds(expected), commands);
      for (const line of lines.filter(isSaid)) {
        assert.ok(foreground !== null);
        await waitForLog(foreground, () => log, toPattern(line));
        log = '';
      }
    },
  };
}

/** Digests, commits and ids of releases and plans are others each time; that two are the same is seen. */
function withoutIds(text: string): string {
  const seen: string[] = [];
  return text.replaceAll(
    /\b(?:[0-9a-f]{64}|\d{8}T\d{9}Z-[0-9a-f]{8}|(?<=commit )[0-9a-f]{9}|(?<=plan +)[0-9a-f]{32})\b/g,
    (id) => {
      if (!seen.includes(id)) seen.push(id);
      return `<${seen.indexOf(id)}>`;
    },
  );
}

/** Times and process ids are others each time. */
function toPattern(line: string): RegExp {
  const text = line.trimEnd().replace(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);
  return new RegExp(
    text
      .replaceAll(/\d+(?:\\\.\d+)? m?s\b/g, String.raw`[\d.]+ m?s`)
      .replace(/(pid|worker) \d+/, String.raw`$1 \d+`),
  );
}
