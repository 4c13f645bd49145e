/** Small apps in a temporary folder, compiled and run in a graph. */

import { mkdtempSync, mkdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import type { MidflightError } from '../../src/errors.ts';
import type { ManifestModules } from '../../src/protocol/manifest.ts';
import { toInlineMap, toMapName } from '../../src/protocol/source-map.ts';
import { compileModules } from '../../src/release/compile-modules.ts';
import { createModuleGraph, type ModuleGraph } from '../../src/runtime/module-graph.ts';

export type Files = Readonly<Record<string, string>>;

export interface App {
  readonly root: string;
  readonly entry: string;
  readonly store: Map<string, string>;
}

export interface CompiledApp {
  readonly modules: ManifestModules;
  readonly problems: readonly MidflightError[];
}

/** Writes an app; the first file that is called `main.*` is its entry. */
export function createApp(t: TestContext, files: Files): App {
  const root = realpathSync(mkdtempSync(path.join(tmpdir(), 'midflight-graph-')));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const entry = Object.keys(files).find((name) => name.startsWith('main.')) ?? 'main.js';
  const app = { root, entry, store: new Map<string, string>() };
  change(
    app,
    files['package.json'] === undefined ? { 'package.json': '{"type":"module"}', ...files } : files,
  );
  return app;
}

/** Writes files of an app anew. */
export function change({ root }: App, files: Files): void {
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(root, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}

export async function compile({ root, entry, store }: App): Promise<CompiledApp> {
  return await compileModules({
    root,
    entry,
    writeCompiled: (hash, code) => void store.set(hash, code),
    writeMap: (mapHash, map) => void store.set(toMapName(mapHash), map),
  });
}

export interface GraphSettings {
  readonly previous?: ModuleGraph;
  readonly midflightExports?: Record<string, object>;
  readonly timers?: object;
}

/** Compiles the app as it stands and makes its graph; nothing is loaded. */
export async function graphOf(app: App, settings: GraphSettings = {}): Promise<ModuleGraph> {
  const { modules } = await compile(app);
  // The closure below lives as long as the graph, and must not hold the graph before.
  const { timers = globalThis } = settings;
  return createModuleGraph({
    root: app.root,
    entry: app.entry,
    modules,
    previous: settings.previous,
    readCompiled: ({ hash }) => app.store.get(hash) ?? '',
    findMap: ({ mapHash, path: at }) => {
      const map = mapHash === undefined ? undefined : app.store.get(toMapName(mapHash));
      return map === undefined ? null : { url: toInlineMap(map, path.join(app.root, at)), read: () => map };
    },
    createContext: () => ({ timers, process }),
    midflightExports: settings.midflightExports ?? {},
  });
}

export type Namespace = Record<string, unknown>;

/** Loads and evaluates a graph; gives the entry's namespace. */
export async function run(graph: ModuleGraph): Promise<Namespace> {
  await graph.load();
  await graph.evaluate();
  return graph.namespace(graph.entry) as Namespace;
}
