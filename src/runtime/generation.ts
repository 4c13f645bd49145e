/** One generation: the graph of one release's modules in this process, and what belongs to it. */

import { MidflightError } from '../errors.ts';
import { ChunkedMap } from './chunked-map.ts';
import { differingAssets, type ManifestAssets } from '../protocol/manifest.ts';
import type { LoadedRelease } from './loaded-release.ts';
import { runInScope, type GenerationScope } from './generation-scope.ts';
import type { HotData, HotUpdate } from './hot-context.ts';
import type { HotModuleOptions } from './hot-module.ts';
import { createModuleGraph, type ModuleContext, type ModuleGraph } from './module-graph.ts';
import type { ModuleInstance } from './module-instance.ts';
import { createModuleLife, type ModuleLife, type ModuleLifeOptions } from './module-life.ts';
import type { Patient } from './health.ts';
import { ServiceMeter } from './service-meter.ts';
import { ModuleLives } from './module-lives.ts';
import { runAsModule, type ModuleOrigin } from './origin.ts';

export interface Generation {
  readonly scope: GenerationScope;
  readonly graph: ModuleGraph;
  /** By module path; shared with the generation before where the module is. */
  readonly lives: ModuleLives;
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
  /** The statuses of the generations that have a module. */
  readonly statusesOf: ModuleLifeOptions['statusesOf'];
  /** A module may have something open from now on. */
  readonly onOpened: ModuleLifeOptions['onOpened'];
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
    meter: new ServiceMeter(),
  };
  const contexts = createContexts();
  const graph: ModuleGraph = createModuleGraph({
    root: release.root,
    entry: manifest.entry,
    modules: manifest.modules,
    previous: previous?.graph,
    assetsDiffer: differingAssets(previous?.assets ?? {}, manifest.assets).length > 0,
    readCompiled: release.readCompiled,
    findMap: release.findMap,
    createContext: contexts.create,
    midflightExports: options.midflightExports,
    currentGraph: options.currentGraph,
    hasAccepted: acceptedIn(previous),
    refused: options.refused,
  });
  const differing = graph.instances.changedSince(previous?.graph.instances ?? ChunkedMap.of());
  const lives = new ModuleLives(previous?.lives.without(differing));
  contexts.open({ ...options, lives, inherited: dataOf(previous, graph.changed) });
  return { scope, graph, lives, assets: manifest.assets, release };
}

/** What versions before have left, by module. */
function dataOf(previous: Generation | null, paths: Iterable<string>): Map<string, HotData> {
  const inherited = new Map<string, HotData>();
  for (const at of paths) {
    const data = previous?.lives.get(at)?.opened.hot?.data;
    if (data !== undefined) inherited.set(at, data);
  }
  return inherited;
}

interface ContextOptions extends Pick<GenerationOptions, 'hot' | 'currentGraph' | 'statusesOf' | 'onOpened'> {
  readonly lives: ModuleLives;
  readonly inherited: ReadonlyMap<string, HotData>;
}

/** A function of its own: what it returns lives as long as the generation, and must not hold the generation before. */
function createContexts(): {
  readonly create: (modulePath: string) => ModuleContext;
  readonly open: (options: ContextOptions) => void;
} {
  let lives = new ModuleLives();
  let toLife: (modulePath: string) => ModuleLife;
  return {
    create: (modulePath) => {
      const known = lives.get(modulePath);
      const life = known ?? toLife(modulePath);
      if (known === undefined) lives.add(life);
      return toContext(life);
    },
    open: (options) => {
      lives = options.lives;
      toLife = lifeMaker(options);
    },
  };
}

function lifeMaker({
  hot,
  currentGraph,
  statusesOf,
  onOpened,
  inherited,
}: ContextOptions): (modulePath: string) => ModuleLife {
  return (modulePath) =>
    createModuleLife({
      ...hot,
      path: modulePath,
      statusesOf,
      onOpened,
      data: { ...inherited.get(modulePath) },
      resolve: (specifier) => currentGraph()?.resolve(modulePath, specifier) ?? null,
    });
}

function toContext(life: ModuleLife): ModuleContext {
  return {
    get timers() {
      return life.lifetime.timers;
    },
    get process() {
      return life.lifetime.process;
    },
    get hot() {
      return life.hot.context;
    },
    run: (evaluate) => runAsModule(life.origin, evaluate),
  };
}

function acceptedIn(previous: Generation | null): (modulePath: string, dependency: string | null) => boolean {
  return (modulePath, dependency) => {
    // Of a module that has not run only the text tells.
    const life = previous?.lives.get(modulePath);
    return life === undefined || life.opened.hot?.hasAccepted(dependency) === true;
  };
}

/** Loads, links and evaluates, as code of that generation. Rejects with what the code threw. */
export async function evaluateGeneration({ scope, graph }: Generation): Promise<void> {
  await runInScope(scope, async () => {
    await graph.load();
    await graph.evaluate();
  });
}

/** It, as its health is asked. */
export function toPatient({ scope, graph }: Generation): Patient {
  return { scope, namespace: () => graph.namespace(graph.entry) };
}

/** True when the generation has the very module instance that `origin` names. */
export function sharesOrigin({ lives }: Generation, origin: ModuleOrigin): boolean {
  return lives.get(origin.path)?.origin === origin;
}

/** Calls what accepted the modules that this generation, now current, has replaced in place. Throws what a callback throws. */
export function notifyAccepted({ scope, graph, lives }: Generation, before: Generation): void {
  const { inPlace, accepted } = graph.propagation;
  if (inPlace.size === 0) return;
  const updated = (paths: readonly string[]): Map<string, object> =>
    new Map(
      paths.flatMap((at) => {
        const namespace = graph.namespace(at);
        return namespace === null ? [] : [[at, namespace]];
      }),
    );
  runInScope(scope, () => {
    // The versions that were replaced have accepted themselves, the modules that stay have accepted their dependencies.
    for (const at of inPlace) before.lives.get(at)?.hot.notify(updated([at]));
    for (const [importer, paths] of accepted) lives.get(importer)?.hot.notify(updated(paths));
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

/** Ends what no other generation shares. `successor` is the generation that is current then, `others` are all but this one. */
export async function endGeneration(
  generation: Generation,
  status: 'retired' | 'aborted',
  { successor, others }: { readonly successor: Generation | null; readonly others: readonly Generation[] },
): Promise<void> {
  const { scope, graph } = generation;
  scope.status = status;
  for (const end of scope.endings ?? []) end();
  if (status === 'aborted') graph.abandon();
  // What a module disposes of may still need its timers.
  for (const { origin, opened } of ownLives(generation, others).toReversed()) {
    const { hot, lifetime } = opened;
    // A version that was dropped has none after it.
    const heir = status === 'aborted' ? undefined : successor?.lives.get(origin.path);
    const isPruned = successor !== null && !successor.graph.instances.has(origin.path);
    const ending = hot?.end({ data: heir?.opened.hot?.data ?? hot.data, isPruned }) ?? null;
    if (ending !== null) await ending;
    // What a connection started goes on until that connection ends; upgraded sockets may outlive their generation.
    lifetime?.dispose({ keepWork: status === 'retired' });
  }
}

/** The lives that no other generation has. */
export function ownLives({ lives }: Generation, others: readonly Generation[]): ModuleLife[] {
  const [first, ...rest] = others;
  const candidates = first === undefined ? [...lives] : lives.notIn(first.lives);
  return candidates.filter((life) => !rest.some((other) => other.lives.has(life)));
}

/** The instances that none of the others has: what a generation that has ended leaves. */
export function ownInstances({ graph }: Generation, others: readonly Generation[]): ModuleInstance[] {
  const [first, ...rest] = others;
  const { instances } = graph;
  const paths = first === undefined ? instances.keys() : instances.changedSince(first.graph.instances);
  return [...paths].flatMap((at) => {
    const instance = instances.get(at);
    const isShared = rest.some((other) => other.graph.instances.get(at) === instance);
    return instance === undefined || isShared ? [] : instance;
  });
}

/** The module that a file is for code of `scope`: in its own generation, else in one that is there. */
export function moduleAt(
  file: string,
  {
    scope,
    generations,
  }: { readonly scope: GenerationScope | undefined; readonly generations: readonly Generation[] },
): ModuleInstance | null {
  const own = generations.filter((generation) => generation.scope === scope);
  for (const { graph } of [...own, ...generations]) {
    const found = graph.moduleAt(file);
    if (found !== null) return found;
  }
  return null;
}

/** The trees that its modules read from: those of the releases that they were first part of. */
export function rootsOf({ graph }: Generation): string[] {
  return [...new Set([...graph.instances.values()].map(({ root }) => root))];
}

/** The timers and listeners of the modules that only this generation has, in words. */
export function describeOpen(generation: Generation, others: readonly Generation[]): string[] {
  const items = ownLives(generation, others).flatMap(({ opened }) => opened.lifetime?.open() ?? []);
  return items.map(({ kind, line }) => `${kind} at ${line}`);
}
