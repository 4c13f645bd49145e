/**
 * One version of one app module in this process: its environment, what it is linked with, how far it is evaluated.
 * An unchanged module's instance is shared by all generations that have it.
 *
 * Invariants
 * 1. An instance refers to instances that are at most as new as itself: nothing that is shared keeps a replaced version alive.
 *    Exceptions are `home`, and what leads to a module that was replaced in place; `adopt()` of a graph sees to both.
 * 2. The environment has plain data properties only, written by the module itself; those that are not yet there are in their
 *    temporal dead zone.
 *
 * status             | event                          | next
 * unlinked           | linked with all it imports     | linked
 * linked             | evaluation starts              | evaluating
 * evaluating         | ended, or threw                | evaluated
 * evaluating         | it or a dependency awaits      | evaluating-async
 * evaluating-async   | ended, or threw                | evaluated
 */

import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { MidflightError } from '../errors.ts';
import type { ManifestModule, ModuleKind, RequestPhase } from '../protocol/manifest.ts';
import type { LinkDependency, LinkNode } from '../protocol/resolve-export.ts';
import type { ForeignModule } from './externals.ts';
import type { ModuleGraph } from './module-graph.ts';
import type { ModuleSlot } from './module-slot.ts';

/** What a generation gives to its modules in place of the global. */
export interface ModuleContext {
  readonly timers: object;
  readonly process: object;
  /** `import.meta.hot`. */
  readonly hot?: object;
  /** Evaluates the module, so that what it starts is known to be its own. */
  readonly run?: <Result>(evaluate: () => Result) => Result;
}

/** The bindings that a module exports, by name. */
export type Environment = Record<string, unknown>;

/** What the compiled code of a module returns when it is run once. */
export type CompiledModule = (...parameters: unknown[]) => unknown;

/** Where a request of an instance leads. */
export type InstanceTarget =
  | { readonly kind: 'module'; readonly node: ModuleInstance }
  | ForeignModule
  | { readonly kind: 'missing'; readonly reason: string };

export type ModuleStatus =
  | 'unlinked'
  | 'linking'
  | 'linked'
  | 'evaluating'
  | 'evaluating-async'
  | 'evaluated';

/** The parts of ECMA-262's Cyclic Module Record that evaluation uses. 16.2.1.6 */
export interface Evaluation {
  status: ModuleStatus;
  error: { readonly value: unknown } | null;
  /** The running function; null before it is linked and after it has ended. */
  generator: Iterator<unknown> | AsyncIterator<unknown> | null;
  dfsIndex: number;
  dfsAncestorIndex: number;
  cycleRoot: ModuleInstance | null;
  asyncOrder: number | 'unset' | 'done';
  asyncParents: ModuleInstance[];
  pendingAsyncCount: number;
  capability: PromiseWithResolvers<void> | null;
}

/** A CommonJS module that has been started, or JSON that has been read. */
export interface CommonJsState {
  readonly module: NodeJS.Module;
}

/** Where instances find the graph that they belong to; one for all that the current graph has. */
export interface GraphHome {
  graph: ModuleGraph | null;
}

export interface ModuleInstance extends LinkNode<ModuleInstance> {
  readonly manifest: ManifestModule;
  /** The app's tree in the release that it was first part of. */
  readonly root: string;
  readonly filename: string;
  readonly url: string;
  readonly environment: Environment;
  /** What all code of the module holds, and nobody else for longer. */
  readonly token: object;
  readonly targets: Map<string, InstanceTarget>;
  readonly evaluation: Evaluation;
  /** CommonJS: names that importers use besides those that the source was seen to export. */
  readonly wantedNames: Set<string>;
  /** What it shares with the versions that it replaces in place, and that replace it. */
  slot: ModuleSlot | null;
  home: GraphHome;
  readonly graph: ModuleGraph;
  compiled: CompiledModule | null;
  /** Gives the running code other import parameters; null where these can't change. */
  relink: ((...parameters: unknown[]) => void) | null;
  commonJs: CommonJsState | null;
  namespace: object | null;
  loading: Promise<void> | null;
}

export interface InstanceOptions {
  readonly root: string;
  readonly manifest: ManifestModule;
  readonly graph: ModuleGraph;
  /** The compiled code, when a version before had the same. */
  readonly compiled: CompiledModule | null;
  readonly slot: ModuleSlot | null;
}

/** Makes an instance that is linked with nothing yet; `targets` are filled in when all of the graph's are there. */
export function createInstance({ root, manifest, graph, compiled, slot }: InstanceOptions): ModuleInstance {
  const filename = path.join(root, manifest.path);
  const targets = new Map<string, InstanceTarget>();
  return {
    manifest,
    root,
    filename,
    url: pathToFileURL(filename).href,
    environment: createEnvironment(manifest.kind),
    token: {},
    targets,
    evaluation: createEvaluation(),
    wantedNames: new Set(),
    slot,
    home: { graph },
    get graph() {
      return graphAt(this.home);
    },
    compiled,
    relink: null,
    commonJs: null,
    namespace: null,
    loading: null,
    dependency: (specifier, phase) => toDependency(targets.get(targetKey(specifier, phase))),
  };
}

function graphAt({ graph }: GraphHome): ModuleGraph {
  if (graph === null) throw new MidflightError('ERR_MIDFLIGHT_INTERNAL', ['a module without a graph']);
  return graph;
}

/** The key of a request in `targets`. */
export function targetKey(specifier: string, phase: RequestPhase): string {
  return `${phase} ${specifier}`;
}

/** The modules of the app that must be evaluated before this one, in order. */
export function staticDependencies({ manifest, targets }: ModuleInstance): ModuleInstance[] {
  return manifest.requests.flatMap(({ specifier, phase }) => {
    const target = phase === 'static' ? targets.get(targetKey(specifier, phase)) : undefined;
    return target?.kind === 'module' ? [target.node] : [];
  });
}

/** True when its code has begun to run. */
export function hasRun({ manifest, evaluation, commonJs }: ModuleInstance): boolean {
  if (manifest.kind !== 'esm') return commonJs !== null;
  return evaluation.status.startsWith('evaluat');
}

let view: ModuleGraph | null = null;

/** Links as a graph has it: where a shared module leads to one that was replaced in place, that is the graph's version. */
export function viewedFrom<Result>(graph: ModuleGraph, act: () => Result): Result {
  const before = view;
  view = graph;
  try {
    return act();
  } finally {
    view = before;
  }
}

function toDependency(target: InstanceTarget | undefined): LinkDependency<ModuleInstance> {
  if (target === undefined || target.kind === 'missing') return { kind: 'missing' };
  if (target.kind !== 'module' || target.node.slot === null || view === null) return target;
  return { kind: 'module', node: view.instances.get(target.node.manifest.path) ?? target.node };
}

/** An empty object that V8 keeps in its fast form, which it does not for `Object.create(null)`. Stack traces name what a
 *  function is called on by its constructor, and Node's say `Module.f` for `ns.f()`. */
function createEnvironment(kind: ModuleKind): Environment {
  const Environment = function Module() {} as unknown as new () => Environment;
  Environment.prototype = kind === 'esm' ? uninitialized : emptyPrototype;
  return new Environment();
}

const emptyPrototype: object = Object.freeze(Object.create(null) as object);

/** Where a binding that has no value yet is looked for. As a prototype it costs nothing once there is one. */
const uninitialized: object = new Proxy(emptyPrototype, {
  get: (_, name) => {
    throw new ReferenceError(`Cannot access '${String(name)}' before initialization`);
  },
});

function createEvaluation(): Evaluation {
  return {
    status: 'unlinked',
    error: null,
    generator: null,
    dfsIndex: 0,
    dfsAncestorIndex: 0,
    cycleRoot: null,
    asyncOrder: 'unset',
    asyncParents: [],
    pendingAsyncCount: 0,
    capability: null,
  };
}
