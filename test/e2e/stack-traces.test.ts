/** Stack traces, breakpoints and profiles of an app that Midflight runs are in its TypeScript files. */

import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import WebSocket from 'ws';
import { createApp } from '../runtime/module-graph-fixture.ts';
import { commandLine, createTestApp, waitForLog } from '../support/app.ts';

/** Types shift the columns of everything that is behind them on its line. */
const source = `import { once } from 'node:events';
import { createServer } from 'node:http';
import { inspect } from 'node:util';

interface Item<T extends object = object> { readonly value: T }

class Service<T extends object> {
  private readonly items: Item<T>[] = [];
  add(this: Service<T>, item: Item<T>, then: (count: number) => void): void { this.items.push(item); then(this.items.length); }
  static async later<U>(this: void, value: U, ms: number = 1): Promise<U> { await new Promise<void>((resolve: () => void): void => { setTimeout(resolve, ms); }); throw new TypeError(String(value)); }
}

const traces: Record<string, () => Promise<string | undefined>> = {
  callback: async (): Promise<string | undefined> => { let error: Error | null = null as Error | null; new Service<object>().add({ value: {} }, (count: number): void => { error = new RangeError(String(count)); }); return error?.stack; },
  async: async (): Promise<string | undefined> => { try { await Service.later<number>(1 as number); } catch (error: unknown) { return (error as Error).stack; } },
  cause: async (): Promise<string | undefined> => inspect(new Error('outer' as string, { cause: new Error('inner' as string) })),
  sites: async (): Promise<string | undefined> => { const before = Error.prepareStackTrace; Error.prepareStackTrace = (_: Error, sites: NodeJS.CallSite[]): string => 'sites\\n' + sites.map((site) => '    at ' + site.getFileName() + ':' + site.getLineNumber() + ':' + site.getColumnNumber()).join('\\n'); const text = (new Error('x' as string) as Error).stack; Error.prepareStackTrace = before; return text; },
};

function spin(this: void, ms: number): number { const end: number = performance.now() + ms; let turns: number = 0; while (performance.now() < end) turns += 1; return turns; }

const server = createServer((request, response): void => {
  const name: string = (request.url ?? '/').slice(1); if (name === 'spin') return void response.end(String(spin(300 as number)));
  void (traces[name] as () => Promise<string | undefined>)().then((text: string | undefined): void => { response.end(text); });
});
server.listen(Number(process.env['PORT'] ?? 0), '127.0.0.1');
await once(server, 'listening');
console.log(JSON.stringify(server.address()));
`;
const lines = source.split('\n');

/** `line:column` of the one place that has the text. */
function placeOf(text: string): string {
  const line = lines.findIndex((candidate) => candidate.includes(text));
  return `${line + 1}:${(lines[line] ?? '').indexOf(text) + 1}`;
}

const expected: Readonly<Record<string, readonly string[]>> = {
  callback: [placeOf('new RangeError'), placeOf('then(this.items'), placeOf('add({ value')],
  async: [placeOf('new TypeError'), placeOf('await Service.later')],
  cause: [placeOf(`new Error('outer'`), placeOf(`new Error('inner'`)],
  sites: [placeOf(`new Error('x'`)],
};

function placesIn(stack: string): string[] {
  return [...stack.matchAll(/main\.ts:(\d+:\d+)\)?$/gm)].map(([, place = '']) => place);
}

async function getText(url: string): Promise<string> {
  const response = await fetch(url);
  return response.text();
}

test('traces in a worker have the lines and columns of the TypeScript file', async (t) => {
  const app = await createTestApp({
    files: { 'main.ts': source, 'package.json': '{"type":"module"}' },
    config: { entry: 'main.ts' },
  });
  t.after(() => app.dispose());
  await app.start();
  for (const [name, places] of Object.entries(expected)) {
    const stack = await app.get(`/${name}`);
    const found = placesIn(stack).filter((place) => places.includes(place));
    assert.deepEqual(found, places, stack);
    assert.match(stack, /\.midflight\/releases\/[^/]+\/app\/main\.ts:/);
  }
});

interface Session {
  readonly origin: string;
  readonly url: string;
  /** The script of main.ts, as the debugger is told of it. */
  readonly script: Script;
  readonly map: SourceMap;
  send(method: string, params?: object): Promise<Record<string, unknown>>;
  event(method: string): Promise<Record<string, unknown>>;
}

interface Script {
  readonly scriptId: string;
  readonly url: string;
  readonly sourceMapURL: string;
}

test('the debugger stops where a breakpoint is set in the TypeScript file, and a profile names its lines', async (t) => {
  const app = createApp(t, { 'main.ts': source });
  const child = spawn(process.execPath, ['--inspect=127.0.0.1:0', commandLine, 'run', 'main.ts'], {
    cwd: app.root,
  });
  const session = await attach(t, child, path.join(app.root, 'main.ts'));
  assert.equal(session.map.payload.sources[0], session.script.url);
  await stopsAt(session, placeOf('then(this.items'));
  await stopsAt(session, placeOf('new RangeError'));
  await profiles(session);
});

test('a debugger that is attached later finds the map in the store, and by it the file in the release', async (t) => {
  const app = await createTestApp({
    files: { 'src/main.ts': source, 'package.json': '{"type":"module"}' },
    config: { entry: 'src/main.ts', nodeOptions: ['--inspect-port=0'] },
  });
  t.after(() => app.dispose());
  const supervisor = await app.start();
  const [worker] = (await app.status()).workers;
  process.kill(worker?.pid ?? 0, 'SIGUSR1');
  await waitForLog(supervisor, app.log, /Debugger listening on/);
  const root = path.join(app.directory, '.midflight/releases', (await app.status()).release, 'app');
  const session = await attach(t, supervisor, path.join(root, 'src/main.ts'), {
    log: app.log(),
    origin: app.origin,
  });
  assert.match(session.script.sourceMapURL, /^file:.*\/maps\/[0-9a-f]{64}\.js\.map$/);
  await stopsAt(session, placeOf('new RangeError'));
});

/** Sets a breakpoint as a debugger does, by the map, and has the app run into it. */
async function stopsAt({ url, origin, script, map, send, event }: Session, place: string): Promise<void> {
  const [line = 0, column = 0] = place.split(':').map(Number);
  const lineNumber = line - 1;
  const columnNumber = Array.from({ length: 1000 }, (_, at) => at).find((at) => {
    const entry = map.findEntry(lineNumber, at);
    return (
      'originalLine' in entry && entry.originalLine === lineNumber && entry.originalColumn === column - 1
    );
  });
  const { breakpointId } = await send('Debugger.setBreakpointByUrl', { url, lineNumber, columnNumber });
  const paused = event('Debugger.paused');
  const answer = getText(`${origin}/callback`);
  const [frame] = (await paused)['callFrames'] as { location: Location; url: string }[];
  const location = frame?.location ?? { scriptId: '', lineNumber: 0, columnNumber: 0 };
  const entry = map.findEntry(location.lineNumber, location.columnNumber);
  assert.equal(location.scriptId, script.scriptId);
  assert.ok('originalLine' in entry);
  assert.equal(`${entry.originalLine + 1}:${entry.originalColumn + 1}`, place);
  await send('Debugger.removeBreakpoint', { breakpointId });
  await send('Debugger.resume');
  await answer;
}

interface Location {
  readonly scriptId: string;
  readonly lineNumber: number;
  readonly columnNumber: number;
}

async function profiles({ url, origin, map, send }: Session): Promise<void> {
  await send('Profiler.enable');
  await send('Profiler.start');
  await getText(`${origin}/spin`);
  const { profile } = (await send('Profiler.stop')) as {
    profile: { nodes: { callFrame: Location & { functionName: string; url: string } }[] };
  };
  const found = profile.nodes.find(({ callFrame }) => callFrame.functionName === 'spin')?.callFrame;
  assert.equal(found?.url, url);
  const entry = map.findEntry(found?.lineNumber ?? 0, found?.columnNumber ?? 0);
  assert.ok('originalLine' in entry);
  assert.equal(`${entry.originalLine + 1}:${entry.originalColumn + 1}`, placeOf('spin(this: void'));
}

async function attach(
  t: TestContext,
  child: ChildProcess,
  file: string,
  running?: { readonly log: string; readonly origin: string },
): Promise<Session> {
  t.after(() => child.kill('SIGTERM'));
  const { log, origin } = running ?? (await readStart(child));
  const [, debuggerUrl = ''] = /(ws:\/\/\S+)/.exec(log) ?? [];
  const socket = new WebSocket(debuggerUrl);
  t.after(() => socket.terminate());
  await once(socket, 'open');
  const waiting = new Map<string, (value: Record<string, unknown>) => void>();
  let count = 0;
  const event = (key: string): Promise<Record<string, unknown>> =>
    new Promise((resolve) => void waiting.set(key, resolve));
  const url = pathToFileURL(file).href;
  const isParsed = Promise.withResolvers<Script>();
  socket.on('message', (data: Buffer) => {
    const message = JSON.parse(data.toString()) as Message;
    const script = message.params as unknown as Script;
    if (message.method === 'Debugger.scriptParsed' && script.url === url) isParsed.resolve(script);
    const key = String(message.id ?? message.method);
    waiting.get(key)?.(message.result ?? message.params ?? {});
    waiting.delete(key);
  });
  const send = (method: string, params: object = {}): Promise<Record<string, unknown>> => {
    count += 1;
    socket.send(JSON.stringify({ id: count, method, params }));
    return event(String(count));
  };
  await send('Debugger.enable');
  const script = await isParsed.promise;
  return { origin, url, script, map: readMap(script), send, event };
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
}

/** Reads a map and its source's URL as a debugger does. */
function readMap({ url, sourceMapURL }: Script): SourceMap {
  const mapUrl = new URL(sourceMapURL, url);
  const text =
    mapUrl.protocol === 'data:'
      ? Buffer.from(mapUrl.pathname.split(',')[1] ?? '', 'base64').toString()
      : readFileSync(mapUrl, 'utf8');
  const payload = JSON.parse(text) as SourceMapPayload;
  const base = mapUrl.protocol === 'data:' ? url : mapUrl;
  const sources = payload.sources.map((name) => new URL(`${payload.sourceRoot ?? ''}${name}`, base).href);
  assert.deepEqual(sources, [url]);
  return new SourceMap({ ...payload, sources });
}

async function readStart(child: ChildProcess): Promise<{ log: string; origin: string }> {
  let log = '';
  child.stderr?.on('data', (chunk: Buffer) => (log += chunk.toString()));
  for await (const line of createInterface(child.stdout as NodeJS.ReadableStream)) {
    const { port } = JSON.parse(line) as { port: number };
    return { log, origin: `http://127.0.0.1:${port}` };
  }
  throw new Error(`ended before it served: ${log}`);
}
