/** One generation: the graph of one release's modules in this process, and what belongs to it. */

import { MidflightError } from '../errors.ts';
import { differingAssets, type ManifestAssets } from '../protocol/manifest.ts';
import type { LoadedRelease } from './loaded-release.ts';
import { runInScope, type GenerationScope } from './generation-scope.ts';
import { createModuleGraph, type ModuleGraph } from './module-graph.ts';
import { createModuleLife, type ModuleLife } from './module-life.ts';
import { runAsModule, type ModuleOrigin } from './origin.ts';

export interface Generation {
  readonly scope: GenerationScope;
  readonly graph: ModuleGraph;
  /** By module path; shared with the generation before where the module is. */
  readonly lives: ReadonlyMap<string, ModuleLife>;
  readonly assets: ManifestAssets;
}

export interface GenerationOptions {
  readonly generation: number;
  readonly release: LoadedRelease;
  readonly previous: Generation | null;
  /** The package `midflight` as the app sees it, by subpath. */
  readonly midflightExports: Record<string, object>;
  /** The graph of the generation whose code runs now. */
  readonly currentGraph: () => ModuleGraph | undefined;
}

/** Makes a generation with its graph; nothing is loaded yet. */
export function createGeneration(options: GenerationOptions): Generation {
  const { release, previous } = options;
  const { manifest } = release;
  if (manifest.entry === null) throw new MidflightError('ERR_MIDFLIGHT_ENTRY_UNKNOWN');
  const scope: GenerationScope = {
    generation: options.generation,
    release: release.id,
    status: 'preparing',
    inFlightCount: 0,
  };
  const lives = new Map<string, ModuleLife>();
  const graph: ModuleGraph = createModuleGraph({
    root: release.root,
    entry: manifest.entry,
    modules: manifest.modules,
    previous: previous?.graph,
    assetsDiffer: differingAssets(previous?.assets ?? {}, manifest.assets).length > 0,
    readCompiled: release.readCompiled,
    createContext(modulePath) {
      const life = lives.get(modulePath) ?? createModuleLife(modulePath, scope);
      lives.set(modulePath, life);
      const { timers, process } = life.lifetime;
      return { timers, process, run: (evaluate) => runAsModule(life.origin, evaluate) };
    },
    midflightExports: options.midflightExports,
    currentGraph: options.currentGraph,
  });
  for (const [modulePath, life] of previous?.lives ?? []) {
    if (graph.changed.has(modulePath) || !(modulePath in manifest.modules)) continue;
    life.users.add(scope);
    lives.set(modulePath, life);
  }
  return { scope, graph, lives, assets: manifest.assets };
}

/** Loads, links and evaluates, as code of that generation. Rejects with what the code threw. */
export async function evaluateGeneration({ scope, graph }: Generation): Promise<void> {
  await runInScope(scope, async () => {
    await graph.load();
    await graph.evaluate();
  });
}

/** True when the generation has the very module instance that `origin` names. */
export function sharesOrigin({ lives }: Generation, origin: ModuleOrigin): boolean {
  return lives.get(origin.path)?.origin === origin;
}

/** Tells what it owns that its status has changed. */
export function noticeStatus({ lives }: Generation): void {
  for (const { lifetime } of lives.values()) lifetime.statusChanged();
}

/** Ends what no other generation shares. */
export function endGeneration({ scope, lives }: Generation, status: 'retired' | 'aborted'): void {
  scope.status = status;
  for (const { users, lifetime } of lives.values()) {
    users.delete(scope);
    // What a connection started goes on until that connection ends; upgraded sockets may outlive their generation.
    if (users.size === 0) lifetime.dispose({ keepWork: status === 'retired' });
  }
}

/** The trees that its modules read from: those of the releases that they were first part of. */
export function rootsOf({ graph }: Generation): string[] {
  return [...new Set([...graph.instances.values()].map(({ root }) => root))];
}

/** What still keeps a generation, in words. */
export function describePins({ scope, lives }: Generation): string[] {
  const own = [...lives.values()].filter(({ users }) => users.size === 1);
  const open = own.flatMap(({ lifetime }) => lifetime.open().map(({ kind, line }) => `${kind} at ${line}`));
  return [...(scope.inFlightCount > 0 ? [`${scope.inFlightCount} requests in flight`] : []), ...open];
}
