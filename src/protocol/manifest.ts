/**
 * What a release contains, as data. Written by `release/`, compared by `plan/`, loaded by `runtime/`.
 * All paths are POSIX paths relative to the release's root; nothing in here depends on where that root is.
 */

import { MidflightError } from '../errors.ts';
import { LayeredMap } from './layered-map.ts';
import type { UpgradedPolicy } from './messages.ts';
import type { AllowableCode, StateLoss } from './plan-policy.ts';

export const moduleKinds = ['esm', 'cjs', 'json'] as const;
/** How a module is evaluated. */
export type ModuleKind = (typeof moduleKinds)[number];

/** Where a specifier of one module leads. */
export type RequestTarget =
  | { readonly kind: 'module'; readonly path: string }
  /** A file that Node itself loads; `path` is relative to the release's root (mostly `node_modules/...`, may start with `../`). */
  | { readonly kind: 'external'; readonly path: string }
  /** `node:fs` and so on, always with the `node:` prefix. */
  | { readonly kind: 'builtin'; readonly name: string }
  /** The package `midflight` itself, answered by the runtime that runs. */
  | { readonly kind: 'midflight'; readonly subpath: string }
  /** Nothing was found: an error where the request is static, an error at run time where it is not. */
  | { readonly kind: 'missing'; readonly reason: string };

export const requestPhases = ['static', 'dynamic', 'require'] as const;
/** `static`: import/export from. `dynamic`: import() with a literal. `require`: require() with a literal. */
export type RequestPhase = (typeof requestPhases)[number];

export interface ModuleRequest {
  readonly specifier: string;
  readonly phase: RequestPhase;
  /** `static`: of `with { type: 'json' }`. */
  readonly type?: 'json';
  readonly target: RequestTarget;
}

/** One parameter of the compiled module function: the binding `name` of the module that `specifier` leads to. `*` is the namespace. */
export interface ImportBinding {
  readonly specifier: string;
  readonly name: string;
  /** Of `ns.name` where `ns` is a namespace, so that it may be missing. `callee`: of `ns.name()`, where `this` is the namespace. */
  readonly member?: 'value' | 'callee';
  /** True where it is only called: a live function may be called as it is in the current version, without the one that stands for
   *  all versions. */
  readonly isCalled?: true;
}

/** `export { imported as name } from 'specifier'`; `imported` is `*` for `export * as name`. */
export interface IndirectExport {
  readonly name: string;
  readonly specifier: string;
  readonly imported: string;
}

/** Something in a module that a swap can't undo or carry, found by analysis. */
export interface Hazard {
  readonly kind:
    | 'module-state'
    | 'timer'
    | 'process-listener'
    | 'side-effect'
    | 'worker-entry'
    | 'cluster'
    | 'native-addon';
  readonly line: number;
  readonly detail: string;
}

/** A call of `state()` in the text of a module. */
export interface StateUse {
  /** Null where it is computed. */
  readonly name: string | null;
  /** Null where it is computed; 0 where none is said. */
  readonly version: number | null;
  readonly line: number;
}

/** What a module says through `import.meta.hot`, as its text tells. */
export interface ModuleHot {
  /** `accept()` or `accept(callback)`. */
  readonly acceptsSelf: boolean;
  /** The names of `acceptExports()`, sorted; null where it is not called with literal names. */
  readonly acceptedExports: readonly string[] | null;
  /** The specifiers of `accept(specifiers, callback)`, sorted; computed ones are none. */
  readonly acceptedDependencies: readonly string[];
  readonly declines: boolean;
  /** The exports that keep their identity over versions; none in a module that does not accept itself. */
  readonly live: readonly LiveExport[];
}

/** A function or class that stays the same object while the module is replaced in place: an exported one, or a class that one extends. */
export interface LiveExport {
  /** The local name, or `default` for one without a name; the key of `$m.live`. */
  readonly name: string;
  readonly kind: 'function' | 'class';
  /** The source text of `extends`; `name from specifier` for an import. */
  readonly base: string | null;
  /** The private names of a class's instances: `#field`, and `#method()` also for an accessor. Static ones are of one version only. */
  readonly privates: readonly string[];
  readonly line: number;
}

export interface ManifestModule {
  readonly path: string;
  readonly kind: ModuleKind;
  /** Hex digest of the compiled code and of everything below but `requests`; names the file in the store. */
  readonly hash: string;
  /** Hex digest of its source map, which names that file in the store; absent for JSON. It may differ where the compiled code is
   *  the same, and makes no other module. */
  readonly mapHash?: string;
  /** True when the module itself contains top-level await. */
  readonly hasTopLevelAwait: boolean;
  readonly requests: readonly ModuleRequest[];
  /** ES modules: the parameters of the compiled function after `$m` and `$e`, in order. */
  readonly imports: readonly ImportBinding[];
  /** ES modules: names that the module writes on its own environment. CommonJS: the names its `module.exports` is known to have. */
  readonly localExports: readonly string[];
  /** ES modules: local exports that are always the same function, to which it makes no difference what `this` is. */
  readonly ignoresThis: readonly string[];
  readonly indirectExports: readonly IndirectExport[];
  /** Specifiers of `export * from`. CommonJS: of `module.exports = require()` re-exports. */
  readonly starExports: readonly string[];
  readonly hazards: readonly Hazard[];
  /** Absent in releases that were built before this was read. */
  readonly states?: readonly StateUse[];
  /** Null where `import.meta.hot` is not used, and for what is not an ES module. */
  readonly hot: ModuleHot | null;
  /** True when it knows the folder that it is in, so that other assets make it another module. */
  readonly usesLocation: boolean;
  /** True when it requests something that only run time tells. */
  readonly hasComputedRequest: boolean;
  /** True when no request names it: it is there for what only run time tells. */
  readonly isComputedTarget: boolean;
}

/** Names one version of one module. */
export function toModuleVersion({ path, hash }: Pick<ManifestModule, 'path' | 'hash'>): string {
  return `${path} ${hash}`;
}

/** The module part of a manifest, by path. */
export type ManifestModules = LayeredMap<ManifestModule>;

export interface ManifestFile {
  readonly hash: string;
  readonly sizeBytes: number;
}

/** The files of a release that are not modules, by path. */
export type ManifestAssets = Readonly<Record<string, ManifestFile>>;

/** The paths of the assets that are new, gone or different. */
export function differingAssets(current: ManifestAssets, next: ManifestAssets): string[] {
  const names = new Set([...Object.keys(current), ...Object.keys(next)]);
  return [...names].filter((name) => current[name]?.hash !== next[name]?.hash).toSorted();
}

/** A file or a link of a tree; `mode` is octal, such as `644`. */
export type InventoryEntry = (ManifestFile & { readonly mode: string }) | { readonly link: string };

/** The files and links of a tree, by path. */
export type Inventory = Readonly<Record<string, InventoryEntry>>;

/** Every byte of a release, so that it can be verified. */
export interface ReleaseContents {
  /** The app's tree without dependencies. A link into the app's own directory begins with `{app}`. */
  readonly files: Inventory;
  /** Digests of the store's files of compiled code, by the hash of the module. */
  readonly compiled: Readonly<Record<string, string>>;
  /** Digest of the inventory in `deps/<dependenciesHash>`; null where nothing was installed there. */
  readonly installedHash: string | null;
  /** Digest of the inventory, beside the tree, of what is in `node_modules` of the tree itself; null where there is none. */
  readonly ownDependenciesHash: string | null;
}

/** Changes with what a manifest and the compiled code that it names look like: a release of another one can't be run. */
export const FORMAT_VERSION = 4;

export interface Manifest {
  readonly formatVersion: number;
  readonly id: string;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  /** The commit that it was built from; null for a working tree outside git. */
  readonly commit: string | null;
  /** True when built from the working tree as it stood. */
  readonly isDirty: boolean;
  /** Where the app is in the tree, if that is a workspace with more than the app in it. */
  readonly appFolder?: string;
  readonly kind: 'node' | 'command';
  /** Node apps: the entry module's path. */
  readonly entry: string | null;
  readonly command: readonly string[] | null;
  readonly listen: readonly string[];
  readonly modules: ManifestModules;
  /** Every file of the tree that is not a module, dependency or build leftover. */
  readonly assets: ManifestAssets;
  /** Digest of the lockfile and of package.json's dependency fields; null without dependencies. */
  readonly dependenciesHash: string | null;
  readonly nodeVersion: string;
  /** `engines.node` of package.json; null without it, absent in older releases. */
  readonly nodeRange?: string | null;
  /** The installed versions of the packages that package.json names; absent in older releases. */
  readonly packages?: Readonly<Record<string, string>>;
  readonly nodeOptions: readonly string[];
  /** What the entry finds in `process.argv` after its own name. */
  readonly args: readonly string[];
  /** Variables that the start script of package.json sets. */
  readonly environment: Readonly<Record<string, string>>;
  /** Digest of the environment files' content; null without one. */
  readonly environmentHash: string | null;
  readonly workers: number;
  readonly settings: ReleaseSettings;
  /** Null in a release of an older Midflight, and in one that is not on disk: neither can be verified. */
  readonly contents: ReleaseContents | null;
}

/** When new code counts as ready. Node apps know the first two, programs all but `load`. */
export type Ready =
  | 'listen'
  | 'load'
  | 'pipe'
  | 'notify'
  | { readonly http: string }
  | { readonly line: string };

/** More processes than any machine has use for. */
export const WORKERS_MAX = 256;

export const stopSignals = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const;
export type StopSignal = (typeof stopSignals)[number];

/** How the health of new code is asked; one of the first three at most. */
export interface HealthSettings {
  readonly path: string | null;
  /** An address that it listens on. */
  readonly tcp: string | null;
  readonly command: string | null;
  readonly timeoutMs: number;
  readonly intervalMs: number;
  /** So many failed checks in a row are one too many. */
  readonly failures: number;
}

/** Where nothing is said. */
export const healthBefore = {
  path: null,
  tcp: null,
  command: null,
  timeoutMs: 5_000,
  intervalMs: 500,
  failures: 1,
} as const satisfies HealthSettings;

export const probationPolicies = ['compare', 'strict', 'faults'] as const;

/** Commands of the release for its own deploy. */
export interface HookSettings {
  readonly beforeApply: string | null;
  readonly afterCommit: string | null;
  readonly afterRollback: string | null;
  readonly timeoutMs: number;
}

/** How many releases stay: that many, and with `days` all that are no older, too. */
export type Keep = number | { readonly count: number; readonly days: number };

/** What the supervisor needs to know to run a release. */
export interface ReleaseSettings {
  readonly ready: Ready;
  readonly readyTimeoutMs: number;
  /** Programs: what asks one to end. */
  readonly stopSignal: StopSignal;
  readonly drainTimeoutMs: number;
  readonly quiesceTimeoutMs: number;
  readonly probationMs: number;
  /** Null where nothing is said of it; a `health()` of the entry is asked even then. */
  readonly health: HealthSettings | null;
  readonly envFile: string | null;
  readonly keep: Keep;
  /** Paths that every release has in common. */
  readonly shared: readonly string[];
  /** What becomes of WebSockets and streams of events when their process is to end. */
  readonly upgraded: UpgradedPolicy;
  readonly policy: {
    /** How many generations may be there still, after they have retired. */
    readonly maxRetained: number;
    /** How much memory a worker may have; null without a limit. */
    readonly maxRssMib: number | null;
    /** What besides faults brings the release before back. */
    readonly probation: (typeof probationPolicies)[number];
    /** What a plan warns of rejects it. */
    readonly strict: boolean;
    /** What becomes of a swap that would lose module-level state. */
    readonly stateLoss: StateLoss;
    /** Codes that reject nothing. */
    readonly allow: readonly AllowableCode[];
  };
  readonly hooks: HookSettings;
}

/** As it may have been written by an older version. */
type WrittenManifest = Omit<Manifest, 'modules' | 'settings' | 'contents'> & {
  readonly contents?: ReleaseContents | null;
  readonly modules: Record<string, ManifestModule>;
  readonly settings: Omit<ReleaseSettings, keyof typeof settingsBefore | 'policy' | 'health'> & {
    readonly health: Partial<HealthSettings> | null;
    readonly policy: Partial<ReleaseSettings['policy']>;
  };
};

/** What a release says of settings that there were not yet when it was built. */
export const settingsBefore = {
  stopSignal: 'SIGTERM',
  quiesceTimeoutMs: 2_000,
  upgraded: { policy: 'carry', spreadMs: 10_000 },
  hooks: { beforeApply: null, afterCommit: null, afterRollback: null, timeoutMs: 60_000 },
} as const;

/** What a release says of its policy that says nothing. */
export const policyBefore = {
  maxRetained: 0,
  maxRssMib: null,
  probation: 'compare',
  strict: false,
  stateLoss: 'warn',
  allow: [],
} as const;

/** Reads what JSON.stringify has made of a manifest. It was checked when it was written.
 *  Errors: ERR_MIDFLIGHT_RELEASE_OUTDATED. */
export function parseManifest(text: string): Manifest {
  const { modules, settings, ...rest } = JSON.parse(text) as WrittenManifest;
  if (rest.formatVersion !== FORMAT_VERSION) {
    throw new MidflightError('ERR_MIDFLIGHT_RELEASE_OUTDATED', [rest.id, rest.commit ?? 'working tree']);
  }
  const policy = { ...policyBefore, ...settings.policy };
  return {
    ...rest,
    modules: LayeredMap.of(Object.entries(modules)),
    settings: {
      ...settingsBefore,
      ...settings,
      policy,
      health: settings.health && { ...healthBefore, ...settings.health },
    },
    contents: rest.contents ?? null,
  };
}
