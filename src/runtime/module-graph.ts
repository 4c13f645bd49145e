/**
 * A generation's graph: the app's modules of one release, in this process. Unchanged modules that lead to nothing changed
 * are the same instances, live objects and all, as in the graph before.
 *
 * Owns: the instances that it made, and the context that its modules run in.
 * Order: createModuleGraph → load → evaluate → adopt, the last when its generation has become the current one.
 */

import { realpathSync } from 'node:fs';
import { toImporters, type Importers } from '../protocol/importers.ts';
import { LayeredMap } from '../protocol/layered-map.ts';
import {
  requestPhases,
  type ManifestModule,
  type ManifestModules,
  type ModuleRequest,
} from '../protocol/manifest.ts';
import { propagate, type Propagation } from '../protocol/propagate.ts';
import { ChunkedMap } from './chunked-map.ts';
import { compileInstance } from './compile-instance.ts';
import { createModuleRequire, moduleOf } from './evaluate-commonjs.ts';
import { importModule, requireEsm } from './evaluate-import.ts';
import { evaluate } from './evaluate.ts';
import { midflightModule } from './externals.ts';
import { findModule } from './find-module.ts';
import { createOwn, fillAllTargets, instanceAt, ownOf } from './graph-instances.ts';
import { loadClosure } from './link-load.ts';
import { namespaceOf } from './link-namespace.ts';
import { link, whenLinked } from './link.ts';
import { replaceInPlace } from './replace-in-place.ts';
import {
  hasRun,
  targetKey,
  type CompiledModule,
  type GraphHome,
  type ModuleContext,
  type ModuleInstance,
} from './module-instance.ts';
import type { MapLocation } from './source-positions.ts';

export type { ModuleContext } from './module-instance.ts';

export interface ModuleGraphOptions {
  /** Absolute path of the app's tree. */
  readonly root: string;
  readonly entry: string;
  readonly modules: ManifestModules;
  readonly readCompiled: (module: ManifestModule) => string;
  /** Where the source map of a module is; positions are those of the compiled code without. */
  readonly findMap?: (module: ManifestModule) => MapLocation | null;
  /** The graph that this one shares unchanged modules with. It is not kept. */
  readonly previous?: ModuleGraph | undefined;
  /** True when the files that are not modules differ from those of the graph before. */
  readonly assetsDiffer?: boolean;
  /** Whether a module of the graph before has accepted itself (null), or a dependency by its path. Its text tells without this. */
  readonly hasAccepted?: (path: string, dependency: string | null) => boolean;
  /** Modules that can't be replaced in place: they are evaluated again with all that imports them. */
  readonly refused?: ReadonlySet<string>;
  /** Asked once for each module that runs in this graph. */
  readonly createContext: (path: string) => ModuleContext;
  /** The package `midflight` by subpath, '' for the package itself. */
  readonly midflightExports: Readonly<Record<string, object>>;
  /** The graph of the running code's generation, for an `import(x)` in a module that several have. */
  readonly currentGraph?: () => ModuleGraph | undefined;
}

/** The graphs that follow each other in one process. */
export interface Lineage {
  /** Of the modules that the current graph has. */
  readonly home: GraphHome;
  /** The paths of modules that are, or were, replaced in place. */
  readonly slotted: Set<string>;
}

export interface ModuleGraph {
  readonly entry: string;
  /** The modules that are not shared with the graph before: changed ones and all that lead to them. */
  readonly changed: ReadonlySet<string>;
  /** What is replaced in place, and who accepted what. */
  readonly propagation: Propagation;
  readonly modules: ManifestModules;
  readonly instances: ChunkedMap<ModuleInstance>;
  /** Modules that were changed last time, and failed since: they are evaluated again. */
  readonly failures: Set<string>;
  readonly lineage: Lineage;
  /** Compiles and links all that the entry imports; runs nothing of the app.
   *  Errors: ERR_MIDFLIGHT_MODULE_UNRESOLVED, ERR_MIDFLIGHT_EXPORT_MISSING, ERR_MIDFLIGHT_EXPORT_AMBIGUOUS. */
  readonly load: () => Promise<void>;
  /** Evaluates the entry and all that it imports. Rejects with what the app threw. */
  readonly evaluate: () => Promise<void>;
  /** True when since then the code that is current has begun to run what is to be replaced, so that this has to be evaluated, too. */
  readonly isOutrun: () => boolean;
  /** Makes this the graph that shared modules belong to. Call it when its generation becomes current, also by rollback. */
  readonly adopt: () => void;
  /** This graph will never be current: what it was about to replace stays. */
  readonly abandon: () => void;
  /** No generation has these instances any more. From now on each lives only as long as its code does that somebody captured,
   *  and not as long as that of any other. */
  readonly letGo: (instances: readonly ModuleInstance[]) => void;
  /** The module whose own code threw when the graph was evaluated. */
  readonly failedModule: () => string | null;
  /** A module that waits at its own top-level await. */
  readonly waitingModule: () => string | null;
  /** The namespace of a module; null for one that is not there or was not evaluated. */
  readonly namespace: (path: string) => object | null;
  readonly contextOf: (path: string) => ModuleContext;
  readonly readCompiled: (instance: ModuleInstance) => string;
  readonly compile: (instance: ModuleInstance) => CompiledModule;
  readonly import: (
    importer: ModuleInstance,
    specifier: unknown,
    options?: ImportCallOptions,
  ) => Promise<object>;
  readonly requireEsm: (instance: ModuleInstance, importer: string) => unknown;
  readonly createRequire: (instance: ModuleInstance) => NodeJS.Require;
  readonly moduleOf: (instance: ModuleInstance) => NodeJS.Module;
  readonly midflight: (subpath: string) => object;
  /** The `module` of the entry, when that is CommonJS. */
  readonly mainModule: () => NodeJS.Module | undefined;
  /** The module at a file, or at the file that is meant by one without its extension. Shared modules name files of the
   *  release that they were first part of; those are the same modules. */
  readonly moduleAt: (file: string) => ModuleInstance | null;
  /** The path of the module that a specifier of another leads to; null where it leads to none of the app's. */
  readonly resolve: (importer: string, specifier: string) => string | null;
  /** True when the code that runs now is of the generation that has this graph. */
  readonly isRunning: () => boolean;
  /** The graph in which a computed request of `instance` is answered. */
  readonly currentFor: (instance: ModuleInstance) => ModuleGraph;
}

/** Makes the graph of a release; nothing is read or run yet. */
export function createModuleGraph(options: ModuleGraphOptions): ModuleGraph {
  const root = realpathSync.native(options.root);
  const importers = toImporters(options.modules);
  const propagation = propagateFrom(options, importers);
  const changed = new Set(propagation.reevaluated.keys());
  const { entry } = options;
  const { readCompiled, findMap, createContext, midflightExports, currentGraph, modules } = options;
  const lineage = options.previous?.lineage ?? { home: { graph: null }, slotted: new Set() };
  let instances = ChunkedMap.of<ModuleInstance>();
  let knownRoots: readonly string[] | null = null;
  let started: readonly ModuleInstance[] = [];
  const released = new Map<string, WeakRef<ModuleInstance>>();
  const roots = (): readonly string[] =>
    (knownRoots ??= [...new Set([root, ...[...instances.values()].map((instance) => instance.root)])]);
  const graph: ModuleGraph = {
    entry,
    changed,
    propagation,
    modules,
    get instances() {
      return instances;
    },
    failures: new Set(),
    lineage,
    load: async () => {
      for (const instance of ownOf(graph)) instance.slot?.stage(instance);
      started = rootsOf(graph);
      for (const instance of started) await loadRoot(instance);
    },
    evaluate: async () => {
      for (const instance of started) await evaluate(instance);
    },
    isOutrun: () => rootsOf(graph).some((instance) => !hasRun(instance)),
    adopt: () => {
      adoptInstances(graph);
      replaceInPlace(graph, importers);
    },
    abandon: () => {
      for (const instance of ownOf(graph)) instance.slot?.unstage(instance);
    },
    letGo: (gone) => {
      started = [];
      for (const instance of gone) released.set(instance.manifest.path, new WeakRef(instance));
      instances = instances.with(gone.map(({ manifest }) => [manifest.path, undefined] as const));
    },
    failedModule: () => findFailed(instances),
    waitingModule: () => [...instances.values()].find(isWaiting)?.manifest.path ?? null,
    namespace: (at) => findNamespace(instances.get(at)),
    contextOf: cacheContexts(createContext),
    readCompiled: ({ manifest }) => readCompiled(manifest),
    compile: (instance) => (instance.compiled = compileInstance(instance, { readCompiled, findMap })),
    import: importModule,
    requireEsm,
    createRequire: (instance) => createModuleRequire(instance),
    moduleOf,
    midflight: (subpath) => midflightModule(midflightExports, subpath),
    mainModule: () => instances.get(entry)?.commonJs?.module,
    moduleAt: (file) => findModule((at) => instances.get(at) ?? released.get(at)?.deref(), roots(), file),
    resolve: (importer, specifier) => findTarget(instances.get(importer), specifier),
    isRunning: () => currentGraph?.() === graph,
    currentFor: (instance) => {
      const current = currentGraph?.();
      return current?.instances.get(instance.manifest.path) === instance ? current : instance.graph;
    },
  };
  const own = createOwn({ root, graph, modules, previous: options.previous });
  instances = (options.previous?.instances ?? instances).with(own);
  fillAllTargets(graph, { root, midflightExports });
  return graph;
}

function cacheContexts(create: (path: string) => ModuleContext): (path: string) => ModuleContext {
  const contexts = new Map<string, ModuleContext>();
  return (at) => {
    const context = contexts.get(at) ?? create(at);
    contexts.set(at, context);
    return context;
  };
}

/** Shared modules belong to the graph that is current; what it does not share goes back to the graph before, in which its work
 *  in flight ends. */
function adoptInstances(graph: ModuleGraph): void {
  const { lineage, instances } = graph;
  const before = lineage.home.graph;
  for (const at of instances.changedSince(before?.instances ?? ChunkedMap.of())) {
    const left = before?.instances.get(at);
    const come = instances.get(at);
    if (left !== undefined) left.home = { graph: before };
    if (come !== undefined) come.home = lineage.home;
  }
  lineage.home.graph = graph;
}

function findNamespace(instance: ModuleInstance | undefined): object | null {
  return instance === undefined || !hasRun(instance) ? null : namespaceOf(instance);
}

function findTarget(importer: ModuleInstance | undefined, specifier: string): string | null {
  const keys = requestPhases.map((phase) => targetKey(specifier, phase));
  const target = keys.map((key) => importer?.targets.get(key)).find((found) => found?.kind === 'module');
  return target?.kind === 'module' ? target.node.manifest.path : null;
}

/** A failure spreads to the importers, so it began where nothing that is imported has failed. */
function findFailed(instances: ChunkedMap<ModuleInstance>): string | null {
  const failed = [...instances.values()].filter(({ evaluation }) => evaluation.error !== null);
  const first = failed.find(({ targets }) =>
    [...targets.values()].every(
      (target) => target.kind !== 'module' || target.node.evaluation.error === null,
    ),
  );
  return (first ?? failed[0])?.manifest.path ?? null;
}

/** Others wait for what they import. */
function isWaiting({ manifest, evaluation }: ModuleInstance): boolean {
  const { asyncOrder, pendingAsyncCount } = evaluation;
  return manifest.hasTopLevelAwait && typeof asyncOrder === 'number' && pendingAsyncCount === 0;
}

/** Changed are modules that differ, that are new or failed before, or that would read other assets; and from these on every
 *  module that leads to one, up to a boundary. */
function propagateFrom(
  { modules, previous, assetsDiffer, hasAccepted, refused }: ModuleGraphOptions,
  importers: Importers,
): Propagation {
  const differing = modules.changedSince(previous?.modules ?? LayeredMap.of());
  const outdated = assetsDiffer === true ? [...modules.values()].filter((module) => module.usesLocation) : [];
  const changed = new Set([
    ...differing.filter((at) => isChanged(modules.get(at), previous?.instances.get(at))),
    ...outdated.map((module) => module.path),
    ...[...(refused ?? []), ...(previous?.failures ?? [])].filter((at) => modules.has(at)),
  ]);
  return propagate({
    before: (at) => previous?.instances.get(at)?.manifest,
    after: modules,
    importers,
    changed: [...changed],
    hasAccepted: (at, dependency) => {
      const isStuck = dependency === null && previous?.instances.get(at)?.slot?.isStuck === true;
      return !isStuck && hasAccepted?.(at, dependency) !== false;
    },
    ...(refused === undefined ? {} : { refused }),
  });
}

function isChanged(module: ManifestModule | undefined, before: ModuleInstance | undefined): boolean {
  if (module === undefined) return false;
  if (before === undefined) return true;
  const { hash, requests } = before.manifest;
  return hash !== module.hash || !isSameRequests(requests, module.requests);
}

function isSameRequests(left: readonly ModuleRequest[], right: readonly ModuleRequest[]): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}

/** Where loading and evaluation start: importers of what is replaced in place may be shared, and lead to it no more. What
 *  nobody has imported yet goes on waiting for that. */
function rootsOf({ entry, instances, propagation }: ModuleGraph): ModuleInstance[] {
  const replaced = [...propagation.inPlace].map((at) => instanceAt(instances, at));
  const wanted = replaced.filter(({ slot }) => {
    const before = slot?.current ?? null;
    return before === null || hasRun(before);
  });
  const ordered = wanted.length > 1 ? inImportOrder(wanted, instances) : wanted;
  return [...new Set([...ordered, instanceAt(instances, entry)])];
}

/** What is imported comes first, also by way of modules that stay, which no evaluation goes through. */
function inImportOrder(
  wanted: readonly ModuleInstance[],
  instances: ChunkedMap<ModuleInstance>,
): ModuleInstance[] {
  const visited = new Set<string>();
  const ordered: ModuleInstance[] = [];
  const visit = (instance: ModuleInstance): void => {
    if (visited.has(instance.manifest.path)) return;
    visited.add(instance.manifest.path);
    for (const { phase, target } of instance.manifest.requests) {
      const next = phase !== 'dynamic' && target.kind === 'module' ? instances.get(target.path) : undefined;
      if (next !== undefined) visit(next);
    }
    ordered.push(instance);
  };
  for (const instance of wanted) visit(instance);
  return ordered.filter((instance) => wanted.includes(instance));
}

async function loadRoot(instance: ModuleInstance): Promise<void> {
  await loadClosure(instance);
  link(instance);
  await whenLinked();
}
