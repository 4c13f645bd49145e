/** A real app for a test: a git repository in a temporary directory, its supervisor, and the command line on it. */

import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import http, { type IncomingMessage } from 'node:http';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { callControl } from '../../src/console/control-client.ts';
import { toHome } from '../../src/release/home.ts';
import { readStat } from './processes.ts';

export const repository = fileURLToPath(new URL('../..', import.meta.url));
export const commandLine = path.join(repository, 'bin/midflight.js');

/** What a command of Midflight came to. `json` is the last line of its output, where that is JSON. */
export interface CommandOutcome {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly json: Readonly<Record<string, unknown>>;
}

export type Files = Readonly<Record<string, string>>;

/** Code of an app: it answers when its directory has a file `answer`, and not by the clock. */
export const answerWhenTold = (expression: string): string =>
  `const held = setInterval(() => {
    if (!process.getBuiltinModule('node:fs').existsSync('answer')) return;
    clearInterval(held);
    response.end(${expression});
  }, 10);`;

export interface TestApp {
  readonly directory: string;
  readonly port: number;
  readonly origin: string;
  /** Everything that `start` and the app have printed so far. */
  log(): string;
  /** Resolves when that matches; rejects when all that was started has ended, and nothing of its output is left to come. */
  printed(pattern: RegExp): Promise<void>;
  write(files: Files): void;
  /** Writes and commits; returns the commit. */
  commit(files: Files): string;
  midflight(...args: string[]): Promise<CommandOutcome>;
  /** Resolves when the app serves; rejects with the output when `start` ends before. */
  start(...args: string[]): Promise<ChildProcess>;
  /** Starts without waiting for anything. */
  spawnStart(...args: string[]): ChildProcess;
  status(): Promise<{
    supervisor: { pid: number };
    workers: { pid: number; generation: number; state: string; open?: number; inFlight?: number }[];
    release: string;
    isStopping: boolean;
  }>;
  /** Over a new connection: one that was kept alive may still lead to the process before. */
  get(pathname?: string): Promise<string>;
  /** Ends all that was started. */
  end(): Promise<void>;
  dispose(): Promise<void>;
}

export interface TestAppOptions {
  readonly files: Files;
  readonly config?: Readonly<Record<string, unknown>> | ((port: number) => object);
  /** Copy this folder of the repository first. */
  readonly from?: string;
  /** Let the app find the packages that this repository has installed, or those of the named folder. */
  readonly linkPackages?: boolean | string;
  readonly git?: boolean;
  readonly environment?: NodeJS.ProcessEnv;
  /** What runs `midflight start`; nothing where it is not said. */
  readonly launcher?: readonly string[];
  /** What runs `start`, and nothing else; that of this repository where it is not said. */
  readonly startFile?: string;
  /** Start in a process group of its own, as a shell does. */
  readonly ownGroup?: boolean;
  /** Gets all that `start` and the app print, as it comes. */
  onOutput?(text: string): void;
}

/** Makes the app; nothing runs yet. Call `dispose()` at the end of the test. */
export async function createTestApp(options: TestAppOptions): Promise<TestApp> {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-test-'));
  const port = await findFreePort();
  const environment = { ...process.env, PORT: String(port), HOST: '127.0.0.1', ...options.environment };
  const started: ChildProcess[] = [];
  let log = '';
  let openCount = 0;
  const news = new EventEmitter<{ change: [] }>().setMaxListeners(0);

  const git = (...args: string[]): string => {
    const identity = [
      '-c',
      'user.name=Test',
      '-c',
      'user.email=test@example.test',
      '-c',
      'commit.gpgsign=false',
    ];
    const result = spawnSync('git', [...identity, ...args], { cwd: directory, encoding: 'utf8' });
    if (result.status !== 0) throw new Error(`git ${args.join(' ')}: ${result.stderr}`);
    return result.stdout.trim();
  };

  const write = (files: Files): void => {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(path.dirname(path.join(directory, name)), { recursive: true });
      writeFileSync(path.join(directory, name), content);
    }
  };

  const commit = (files: Files): string => {
    write(files);
    git('add', '--all');
    git('commit', '--quiet', '--allow-empty', '--message', 'change');
    return git('rev-parse', 'HEAD');
  };

  const spawnStart = (...args: string[]): ChildProcess => {
    const [file, ...words] = [
      ...(options.launcher ?? []),
      process.execPath,
      options.startFile ?? commandLine,
      'start',
      ...args,
    ];
    const child = spawn(file ?? '', words, {
      cwd: directory,
      env: environment,
      detached: options.ownGroup === true,
    });
    started.push(child);
    openCount++;
    child.once('close', () => {
      openCount--;
      news.emit('change');
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        log += chunk.toString();
        options.onOutput?.(chunk.toString());
        child.emit('printed');
        news.emit('change');
      });
    }
    return child;
  };

  if (options.from !== undefined) {
    cpSync(path.join(repository, options.from), directory, {
      recursive: true,
      filter: (file) => !/node_modules|\.midflight/.test(path.relative(repository, file)),
    });
  }
  const packages = options.linkPackages === true ? 'node_modules' : options.linkPackages;
  if (typeof packages === 'string')
    symlinkSync(path.join(repository, packages), path.join(directory, 'node_modules'));
  write(options.files);
  const { config } = options;
  if (config !== undefined) {
    const value = typeof config === 'function' ? config(port) : config;
    write({ 'midflight.config.json': JSON.stringify(value) });
  }
  write({ '.gitignore': 'node_modules\n.midflight\n' });
  if (options.git !== false) {
    git('init', '--quiet', '--initial-branch=main');
    commit({});
  }

  const app: TestApp = {
    directory,
    port,
    origin: `http://127.0.0.1:${port}`,
    log: () => log,
    async printed(pattern) {
      while (!pattern.test(log)) {
        if (openCount === 0) throw new Error(`ended before ${pattern}:\n${log}`);
        await once(news, 'change');
      }
    },
    write,
    commit,
    spawnStart,
    midflight: async (...args) => run(args, directory, environment),
    async start(...args) {
      const from = log.length;
      const child = spawnStart(...args);
      await waitForLog(child, () => log.slice(from), /midflight serving /);
      return child;
    },
    status: async () => (await callControl(toHome(directory), { method: 'GET', path: '/status' })) as never,
    get: async (pathname = '/') => get(`http://127.0.0.1:${port}${pathname}`),
    async end() {
      for (const child of started) {
        if (child.exitCode !== null || child.signalCode !== null) continue;
        child.kill('SIGTERM');
        // What is in flight is waited for: a long poll whose client has gone, for all of the usual drainTimeoutMs.
        const timer = setTimeout(() => child.kill('SIGKILL'), 45_000);
        await once(child, 'exit');
        clearTimeout(timer);
      }
      endOrphans(directory);
    },
    async dispose() {
      await app.end();
      // Who was killed may still end.
      rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    },
  };
  return app;
}

/** What a keeper has left that was killed. */
function endOrphans(directory: string): void {
  const file = path.join(directory, '.midflight/processes.json');
  if (!existsSync(file)) return;
  for (const { pid, startTime } of JSON.parse(readFileSync(file, 'utf8')) as {
    pid: number;
    startTime: string;
  }[]) {
    if (readStat(pid)?.includes(` ${startTime} `) !== true) continue;
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  }
}

/** Resolves when what was printed matches; rejects when the process ends first. */
export async function waitForLog(child: ChildProcess, log: () => string, pattern: RegExp): Promise<void> {
  while (!pattern.test(log())) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`ended before ${pattern}:\n${log()}`);
    const waiting = new AbortController();
    const { signal } = waiting;
    await Promise.race([once(child, 'printed', { signal }), once(child, 'close', { signal })]);
    waiting.abort();
  }
}

async function get(url: string): Promise<string> {
  const request = http.get(url, { agent: false, signal: AbortSignal.timeout(30_000) });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return text(response);
}

async function run(args: readonly string[], cwd: string, env: NodeJS.ProcessEnv): Promise<CommandOutcome> {
  const child = spawn(process.execPath, [commandLine, ...args], {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const [exitCode] = (await once(child, 'close')) as [number | null];
  const last = stdout.trimEnd().split('\n').at(-1) ?? '';
  return { exitCode, stdout, stderr, json: /^[[{]/.test(last) ? JSON.parse(last) : {} };
}

/** Below those that the kernel gives to clients: one of them may be a client's by the time that somebody listens. */
const PORT_MIN = 12_000;
const PORT_MAX = 32_000;

/** A port of 127.0.0.1 on which nobody listens, and which no other test process gets before this one ends. */
export async function findFreePort(): Promise<number> {
  for (;;) {
    const port = randomInt(PORT_MIN, PORT_MAX);
    const reservation = createServer().listen(`\0midflight-test-port-${port}`).unref();
    if (!(await isListening(reservation))) continue;
    const server = createServer().listen(port, '127.0.0.1');
    if (!(await isListening(server))) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}

async function isListening(server: Server): Promise<boolean> {
  return once(server, 'listening').then(
    () => true,
    () => false,
  );
}

/** Reads a file of this repository. */
export function readRepositoryFile(name: string): string {
  return readFileSync(path.join(repository, name), 'utf8');
}
