/** One generation: the graph of one release's modules in this process, and what belongs to it. */

import { MidflightError } from '../errors.ts';
import { differingAssets, type ManifestAssets } from '../protocol/manifest.ts';
import type { LoadedRelease } from './loaded-release.ts';
import { runInScope, type GenerationScope } from './generation-scope.ts';
import type { HotData, HotUpdate } from './hot-context.ts';
import type { HotModuleOptions } from './hot-module.ts';
import { createModuleGraph, type ModuleContext, type ModuleGraph } from './module-graph.ts';
import { createModuleLife, type ModuleLife } from './module-life.ts';
import { runAsModule, type ModuleOrigin } from './origin.ts';

export interface Generation {
  readonly scope: GenerationScope;
  readonly graph: ModuleGraph;
  /** By module path; shared with the generation before where the module is. */
  readonly lives: ReadonlyMap<string, ModuleLife>;
  readonly assets: ManifestAssets;
  /** What it was made from. */
  readonly release: LoadedRelease;
}

export interface GenerationOptions {
  readonly generation: number;
  readonly release: LoadedRelease;
  readonly previous: Generation | null;
  /** The package `midflight` as the app sees it, by subpath. */
  readonly midflightExports: Record<string, object>;
  /** The graph of the generation whose code runs now. */
  readonly currentGraph: () => ModuleGraph | undefined;
  /** Modules that can't be replaced in place. */
  readonly refused: ReadonlySet<string>;
  /** What the modules' `import.meta.hot` has in common. */
  readonly hot: Pick<HotModuleOptions, 'events' | 'onInvalidate' | 'onMessage'>;
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
  const inherited = new Map<string, HotData>();
  const graph: ModuleGraph = createModuleGraph({
    root: release.root,
    entry: manifest.entry,
    modules: manifest.modules,
    previous: previous?.graph,
    assetsDiffer: differingAssets(previous?.assets ?? {}, manifest.assets).length > 0,
    readCompiled: release.readCompiled,
    findMap: release.findMap,
    createContext: contextMaker({ ...options, scope, lives, inherited }),
    midflightExports: options.midflightExports,
    currentGraph: options.currentGraph,
    hasAccepted: acceptedIn(previous),
    refused: options.refused,
  });
  for (const [modulePath, life] of previous?.lives ?? []) {
    if (!manifest.modules.has(modulePath)) continue;
    if (graph.changed.has(modulePath)) {
      inherited.set(modulePath, life.hot.data);
      continue;
    }
    life.users.add(scope);
    lives.set(modulePath, life);
  }
  return { scope, graph, lives, assets: manifest.assets, release };
}

interface ContextOptions extends Pick<GenerationOptions, 'hot' | 'currentGraph'> {
  readonly scope: GenerationScope;
  readonly lives: Map<string, ModuleLife>;
  /** What versions before have left, by module. */
  readonly inherited: ReadonlyMap<string, HotData>;
}

/** A function of its own: what it returns lives as long as the generation, and must not hold the generation before. */
function contextMaker({
  hot,
  currentGraph,
  scope,
  lives,
  inherited,
}: ContextOptions): (modulePath: string) => ModuleContext {
  const createLife = (modulePath: string): ModuleLife =>
    createModuleLife({
      ...hot,
      path: modulePath,
      scope,
      data: { ...inherited.get(modulePath) },
      resolve: (specifier) => currentGraph()?.resolve(modulePath, specifier) ?? null,
    });
  return (modulePath: string): ModuleContext => {
    const life = lives.get(modulePath) ?? createLife(modulePath);
    lives.set(modulePath, life);
    const { timers, process } = life.lifetime;
    return { timers, process, hot: life.hot.context, run: (evaluate) => runAsModule(life.origin, evaluate) };
  };
}

function acceptedIn(previous: Generation | null): (modulePath: string, dependency: string | null) => boolean {
  return (modulePath, dependency) => previous?.lives.get(modulePath)?.hot.hasAccepted(dependency) === true;
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

/** Calls what accepted the modules that this generation, now current, has replaced in place. Throws what a callback throws. */
export function notifyAccepted({ scope, graph, lives }: Generation, before: Generation): void {
  const { inPlace, accepted } = graph.propagation;
  if (inPlace.size === 0) return;
  const updated = new Map([...inPlace].map((at) => [at, graph.namespace(at) ?? {}]));
  runInScope(scope, () => {
    // The versions that were replaced have accepted themselves, the modules that stay have accepted their dependencies.
    for (const at of inPlace) before.lives.get(at)?.hot.notify(new Map([[at, updated.get(at) ?? {}]]));
    for (const [importer, paths] of accepted) {
      lives.get(importer)?.hot.notify(new Map(paths.map((at) => [at, updated.get(at) ?? {}])));
    }
  });
}

/** The boundaries that a swap comes to, as events name them: modules replaced in place, importers that accepted one, the entry. */
export function toUpdates({ graph }: Generation): HotUpdate[] {
  const { inPlace, accepted } = graph.propagation;
  const toUpdate = (at: string, acceptedPath: string): HotUpdate => ({
    type: 'js-update',
    path: at,
    acceptedPath,
    timestamp: Date.now(),
  });
  const byImporter = [...accepted].flatMap(([at, paths]) => paths.map((path) => toUpdate(at, path)));
  const named = new Set(byImporter.map(({ acceptedPath }) => acceptedPath));
  const selves = [...inPlace].filter((at) => !named.has(at));
  if (graph.changed.has(graph.entry)) selves.push(graph.entry);
  return [...selves.map((at) => toUpdate(at, at)), ...byImporter];
}

/** Ends what no other generation shares. `successor` is the generation that is current then. */
export async function endGeneration(
  generation: Generation,
  status: 'retired' | 'aborted',
  successor: Generation | null,
): Promise<void> {
  const { scope, lives, graph } = generation;
  scope.status = status;
  if (status === 'aborted') graph.abandon();
  for (const { users } of lives.values()) users.delete(scope);
  const ended = [...lives].filter(([, { users }]) => users.size === 0).toReversed();
  // What a module disposes of may still need its timers.
  for (const [at, { hot, lifetime }] of ended) {
    const heir = successor?.lives.get(at)?.hot;
    const ending = hot.end({
      data: heir?.data ?? hot.data,
      isPruned: successor !== null && heir === undefined,
    });
    if (ending !== null) await ending;
    // What a connection started goes on until that connection ends; upgraded sockets may outlive their generation.
    lifetime.dispose({ keepWork: status === 'retired' });
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
