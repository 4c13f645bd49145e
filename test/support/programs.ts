/** Programs that are not the agent's, started as the supervisor starts them. */

import { mkdtempSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import type { TestContext } from 'node:test';
import type { Manifest, ReleaseSettings } from '../../src/protocol/manifest.ts';
import { spawnCommandWorker, type CommandWorker } from '../../src/supervisor/command-worker.ts';
import { createListeners, type Listeners } from '../../src/supervisor/listeners.ts';
import { createLocalHost } from '../../src/supervisor/local-host.ts';
import type { ProcessHost } from '../../src/supervisor/process-host.ts';
import { command, toManifest } from '../plan/manifest-fixture.ts';

export interface Programs {
  readonly directory: string;
  readonly host: ProcessHost;
  readonly listeners: Listeners;
  start(options: ProgramOptions): Promise<CommandWorker>;
  /** Resolves when a program has printed what matches, with its first group. */
  prints(pattern: RegExp): Promise<string>;
}

export interface ProgramOptions {
  readonly command: readonly string[];
  readonly listen?: readonly string[];
  readonly settings?: Partial<ReleaseSettings>;
}

/** What is started ends with the test. */
export function createPrograms(t: TestContext): Programs {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-programs-'));
  const listeners = createListeners();
  let printed = '';
  const sink = new PassThrough().on('data', (chunk: Buffer) => (printed += chunk.toString()));
  const host = createLocalHost({ listeners, sinks: [sink] });
  const started: CommandWorker[] = [];
  t.after(async () => {
    for (const worker of started) worker.kill('SIGKILL');
    await Promise.all(started.map(async ({ exited }) => exited));
    listeners.close();
    rmSync(directory, { recursive: true, force: true });
  });
  return {
    directory,
    host,
    listeners,
    async prints(pattern) {
      for (;;) {
        const found = pattern.exec(printed);
        if (found !== null) return found[1] ?? '';
        await once(sink, 'data');
      }
    },
    async start({ command: words, listen = ['127.0.0.1:0'], settings }) {
      const plain = toManifest({}, { ...command, command: words, listen });
      const manifest: Manifest = { ...plain, settings: { ...plain.settings, ...settings } };
      const location = { root: directory, store: directory } as never;
      const release = { manifest, location };
      const worker = await spawnCommandWorker({ host, release, appDirectory: directory, label: null });
      started.push(worker);
      return worker;
    },
  };
}

/** A server in one line of Node: what follows `listening` runs when it listens. */
export function toServer(answer: string, listening = ''): string[] {
  const code = `const http = require('node:http'); const fs = require('node:fs');
    const server = http.createServer((request, response) => { ${answer} }).listen({ fd: 3 }, () => { ${listening} });`;
  return [process.execPath, '-e', code];
}
