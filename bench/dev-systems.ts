/** Everything that puts a saved file into service, each as its own documentation has it, around the same small service. */

import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { findFreePort } from '../test/support/app.ts';

/** The module that is edited. */
const EDITED = 'version.ts';
const OUTPUT_CHARACTERS_MAX = 4_000;

const peers = fileURLToPath(new URL('node_modules', import.meta.url));
const commandLine = fileURLToPath(new URL('../bin/midflight.js', import.meta.url));

type Files = Readonly<Record<string, string>>;

export interface DevSystem {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  /** What it needs beside, or instead of, the plain service. */
  readonly files?: Files;
}

/** A service that is up under one system. */
export interface RunningService {
  readonly name: string;
  readonly port: number;
  save(version: string): void;
  /** The last of what it printed. */
  output(): string;
  hasExited(): boolean;
  stop(): void;
}

const server = (body: string, last = ''): string =>
  `import http from 'node:http';\n${body}.listen(Number(process.env['PORT']), '127.0.0.1');\n${last}`;

const service: Files = {
  'package.json': '{ "type": "module", "private": true }\n',
  'server.ts': server(
    `import { answer } from './routes.ts';\nhttp.createServer((_request, response) => response.end(answer()))`,
  ),
  'routes.ts': `import { greet } from './greet.ts';\nexport function answer(): string {\n  return greet();\n}\n`,
  'greet.ts': `import { version } from './version.ts';\nexport const greet = (): string => version;\n`,
};

/** hot-hook makes fresh what is imported dynamically, at each request. */
const hotHook: Files = {
  'package.json': '{ "type": "module", "private": true, "hotHook": { "boundaries": ["./routes.ts"] } }\n',
  'server.ts': server(`http.createServer(async (_request, response) => {
  const { answer } = await import('./routes.ts');
  response.end(answer());
})`),
};

/** dynohot takes JavaScript only, so the types are stripped in front of it. */
const dynohot: Files = {
  'server.ts': `${service['server.ts']}import.meta.hot.accept('./routes.ts');\n`,
  'strip.mjs': `import { register } from 'node:module';\nregister('./strip-hooks.mjs', import.meta.url);\n`,
  'strip-hooks.mjs': `import { readFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
export async function load(url, context, next) {
  if (!url.endsWith('.ts')) return next(url, context);
  const source = stripTypeScriptTypes(await readFile(new URL(url), 'utf8'));
  return { shortCircuit: true, format: 'module', source };
}
`,
};

const vite: Files = {
  'server.mjs': `import { createServer, createServerModuleRunner } from 'vite';
const vite = await createServer({
  configFile: false,
  appType: 'custom',
  logLevel: 'error',
  server: { middlewareMode: true, ws: false },
});
const runner = createServerModuleRunner(vite.environments.ssr);
${server(`http.createServer(async (_request, response) => {
  const { answer } = await runner.import('/routes.ts');
  response.end(answer());
})`)}`,
};

const bin = (name: string): string => path.join(peers, '.bin', name);
const node = process.execPath;

export const devSystems: readonly DevSystem[] = [
  { name: 'midflight dev', command: [node, commandLine, 'dev', 'server.ts'] },
  { name: 'bun --hot', command: [bin('bun'), '--hot', 'server.ts'] },
  { name: 'Vite, module runner', command: [node, 'server.mjs'], files: vite },
  { name: 'hot-hook', command: [node, '--import', 'hot-hook/register', 'server.ts'], files: hotHook },
  {
    name: 'dynohot',
    command: [node, '--import', './strip.mjs', '--import', 'dynohot', 'server.ts'],
    files: dynohot,
  },
  { name: 'node --watch', command: [node, '--watch', 'server.ts'] },
  { name: 'tsx watch', command: [bin('tsx'), 'watch', 'server.ts'] },
  { name: 'nodemon', command: [bin('nodemon'), '--watch', '.', '--ext', 'ts', '--exec', node, 'server.ts'] },
];

/** Starts the service at version `v0`; it need not be up yet. */
export async function startService(system: DevSystem): Promise<RunningService> {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-dev-'));
  const port = await findFreePort();
  const save = (version: string): void =>
    writeFileSync(path.join(directory, EDITED), `export const version: string = '${version}';\n`);
  for (const [name, text] of Object.entries({ ...service, ...system.files }))
    writeFileSync(path.join(directory, name), text);
  symlinkSync(peers, path.join(directory, 'node_modules'));
  save('v0');
  const [command, ...args] = system.command;
  const child = spawn(command, args, {
    cwd: directory,
    env: { ...process.env, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own, so that what it spawns ends with it.
    detached: true,
  });
  const output = keepOutput(child);
  const stop = (): void => {
    process.off('exit', stop);
    endGroup(child);
    rmSync(directory, { recursive: true, force: true });
  };
  process.on('exit', stop);
  return { name: system.name, port, save, output, stop, hasExited: () => child.exitCode !== null };
}

function keepOutput(child: ChildProcess): () => string {
  let output = '';
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-OUTPUT_CHARACTERS_MAX);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  return () => output.trimEnd();
}

function endGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
