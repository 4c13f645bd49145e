/** `midflight dev` on a tree of files, for a test: what it says, as objects, and what it serves. */

import { spawn, type ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createInterface } from 'node:readline';
import { exchange } from '../../scripts/load/exchange.ts';
import type { DevNotice } from '../../src/dev/dev-notice.ts';
import { commandLine, findFreePort, type Files } from './app.ts';

type Notice<Type extends DevNotice['type']> = Extract<DevNotice, { readonly type: Type }>;

export interface TestDev {
  readonly directory: string;
  readonly port: number;
  readonly origin: string;
  /** What the app has printed. */
  output(): string;
  /** Everything that was said, as lines. */
  log(): string;
  write(files: Files): void;
  /** The first notice of this kind that comes after the last one that was waited for. */
  next<Type extends DevNotice['type']>(
    type: Type,
    matches?: (notice: Notice<Type>) => boolean,
  ): Promise<Notice<Type>>;
  /** All notices of a kind so far. */
  all<Type extends DevNotice['type']>(type: Type): Notice<Type>[];
  get(pathname?: string): Promise<string>;
  /** Resolves when the app has printed it. */
  prints(wanted: RegExp): Promise<void>;
  /** Resolves when the app answers so. */
  answers(wanted: string, pathname?: string): Promise<void>;
  start(...args: string[]): ChildProcess;
  dispose(): Promise<void>;
}

/** Writes the files; nothing runs yet. */
export async function createTestDev(
  files: Files,
  environment: Readonly<Record<string, string>> = {},
): Promise<TestDev> {
  const directory = mkdtempSync(path.join(realpathSync(tmpdir()), 'midflight-dev-'));
  const port = await findFreePort();
  const notices: DevNotice[] = [];
  const news = new EventEmitter<{ notice: []; printed: [] }>().setMaxListeners(0);
  const started: ChildProcess[] = [];
  let seen = 0;
  let log = '';
  let output = '';

  const start = (...args: string[]): ChildProcess => {
    const child = spawn(process.execPath, [commandLine, 'dev', '--json', ...args], {
      cwd: directory,
      env: { ...process.env, PORT: String(port), ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    started.push(child);
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      news.emit('printed');
    });
    createInterface(child.stderr).on('line', (line) => {
      log += `${line}\n`;
      if (line.startsWith('{')) notices.push(JSON.parse(line) as DevNotice);
      news.emit('notice');
    });
    child.once('exit', () => news.emit('notice'));
    return child;
  };

  const write = (written: Files): void => {
    for (const [name, content] of Object.entries(written)) {
      mkdirSync(path.dirname(path.join(directory, name)), { recursive: true });
      writeFileSync(path.join(directory, name), content);
    }
  };

  const origin = `http://127.0.0.1:${port}`;
  const get = (pathname = '/'): Promise<string> => exchange({ url: `${origin}${pathname}`, agent: false });
  write(files);

  return {
    directory,
    port,
    origin,
    output: () => output,
    log: () => log,
    write,
    get,
    start,
    async next(type, matches = () => true) {
      const deadline = AbortSignal.timeout(60_000);
      deadline.addEventListener('abort', () => news.emit('notice'));
      for (;;) {
        while (seen < notices.length) {
          const notice = notices[seen++] as Notice<typeof type>;
          if (notice.type === type && matches(notice)) return notice;
        }
        if (deadline.aborted || started.every((child) => child.exitCode !== null))
          throw new Error(`no ${type}:\n${log}${output}`);
        await once(news, 'notice');
      }
    },
    all: (type) => notices.filter((notice) => notice.type === type) as Notice<typeof type>[],
    async prints(wanted) {
      while (!wanted.test(output)) await once(news, 'printed');
    },
    async answers(wanted, pathname) {
      const deadline = AbortSignal.timeout(60_000);
      for (let answer = ''; answer !== wanted; answer = await get(pathname)) {
        if (deadline.aborted) throw new Error(`answers ${answer}, not ${wanted}:\n${log}`);
        // The app may need the same processor.
        await sleep(5);
      }
    },
    async dispose() {
      for (const child of started) {
        if (child.exitCode !== null || child.signalCode !== null) continue;
        child.kill('SIGTERM');
        await once(child, 'exit');
      }
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** A client that keeps one connection; `isSame` says whether all answers came over it. */
export function createKeptConnection(origin: string): {
  get(pathname?: string): Promise<string>;
  connectionCount(): number;
  close(): void;
} {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ports = new Set<number | undefined>();
  agent.on('free', (socket: { localPort?: number }) => ports.add(socket.localPort));
  return {
    get: (pathname = '/') => exchange({ url: `${origin}${pathname}`, agent }),
    connectionCount: () => ports.size,
    close: () => agent.destroy(),
  };
}

/** Starts it at a terminal of its own, as script(1) of util-linux gives one. */
export function startAtTerminal(
  dev: TestDev,
  entry: string,
): {
  press(key: string): void;
  shows(pattern: RegExp): Promise<void>;
  readonly ended: Promise<number | null>;
  close(): void;
} {
  const command = `'${process.execPath}' '${commandLine}' dev ${entry}`;
  const child = spawn('script', ['-qefc', command, '/dev/null'], {
    cwd: dev.directory,
    env: { ...process.env, PORT: String(dev.port), NO_COLOR: '1' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let shown = '';
  child.stdout.on('data', (chunk: Buffer) => {
    shown += chunk.toString().replaceAll('\r', '');
    child.emit('shown');
  });
  const ended = once(child, 'close').then(([exitCode]) => exitCode as number | null);
  return {
    press: (key) => void child.stdin.write(key),
    ended,
    close: () => void child.kill(),
    async shows(pattern) {
      while (!pattern.test(shown)) {
        const isOver = await Promise.race([once(child, 'shown').then(() => false), ended.then(() => true)]);
        if (isOver) throw new Error(`ended before ${pattern}:\n${shown}`);
      }
    },
  };
}
