/** The app that the tests of the paths deploy. */

import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { after, before, type TestContext } from 'node:test';
import { createTestApp, type Files, type TestApp } from '../support/app.ts';

export const server = `
import { createServer } from 'node:http';
import { greeting } from './greeting.ts';
createServer((request, response) => {
  if (request.url === '/now') process.emit('now');
  if (request.url === '/health') response.statusCode = greeting === 'ill' ? 500 : 200;
  response.end(JSON.stringify({ greeting, pid: process.pid }));
}).listen(Number(process.env.PORT), '127.0.0.1');
`;
export const config = {
  entry: 'server.ts',
  probationMs: 300,
  readyTimeoutMs: 60_000,
  drainTimeoutMs: 30_000,
};
export const toGreeting = (greeting: string): Files => ({
  'greeting.ts': `export const greeting: string = '${greeting}';\n`,
});

interface Answer {
  readonly greeting: string;
  readonly pid: number;
}

export interface Report {
  readonly path: string;
  readonly result: string;
  readonly release: string;
  readonly previous: string;
  readonly reasons: readonly { readonly code: string; readonly message: string }[];
  readonly error: { readonly code: string; readonly message: string } | null;
}

export interface StartedApp extends TestApp {
  readonly supervisor: ChildProcess;
}

async function start(overrides: object): Promise<StartedApp> {
  const app = await createTestApp({
    files: { 'server.ts': server, ...toGreeting('one') },
    config: { ...config, ...overrides },
  });
  return { ...app, supervisor: await app.start() };
}

export async function startApp(t: TestContext, overrides: object): Promise<StartedApp> {
  const app = await start(overrides);
  t.after(() => app.dispose());
  return app;
}

/** One app for the tests of a group, each of which goes on from where the one before has left it. */
export function shareApp(overrides: object = {}): () => StartedApp {
  let app: StartedApp | null = null;
  before(async () => void (app = await start(overrides)));
  after(async () => app?.dispose());
  return () => {
    assert.ok(app !== null);
    return app;
  };
}

export async function ask(app: TestApp, path?: string): Promise<Answer> {
  return JSON.parse(await app.get(path)) as Answer;
}

export async function deploy(app: TestApp, ...args: string[]): Promise<Report & { exitCode: number | null }> {
  const { json, exitCode, stderr } = await app.midflight('deploy', '--json', ...args);
  assert.ok('result' in json, `${JSON.stringify(json)} ${stderr}`);
  return { ...(json as unknown as Report), exitCode };
}
