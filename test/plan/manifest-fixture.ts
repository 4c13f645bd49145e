/** Manifests for tests of plans: a release of a small Node app, and what differs from it. */

import { LayeredMap } from '../../src/protocol/layered-map.ts';
import {
  FORMAT_VERSION,
  type Hazard,
  type Manifest,
  type ManifestModule,
  type ModuleHot,
} from '../../src/protocol/manifest.ts';
import { toPlan, type Plan, type PlanInput, type Policy } from '../../src/plan/plan.ts';

export interface ModuleFixture {
  /** Content; another text is another hash. */
  readonly code?: string;
  readonly imports?: readonly string[];
  readonly importsDynamically?: readonly string[];
  readonly exports?: readonly string[];
  readonly reexports?: readonly string[];
  readonly hazards?: readonly Hazard[];
  readonly states?: ManifestModule['states'];
  readonly usesLocation?: boolean;
  readonly hasComputedRequest?: boolean;
  readonly isComputedTarget?: boolean;
  readonly hot?: Partial<ModuleHot>;
}

export type ModuleFixtures = Readonly<Record<string, ModuleFixture>>;

/** A manifest with these modules, and with `overrides` in place of what a plain app has. */
export function toManifest(modules: ModuleFixtures, overrides: Partial<Manifest> = {}): Manifest {
  const entries = Object.entries(modules).map(([path, fixture]) => [path, toModule(path, fixture)] as const);
  return { ...plain, modules: LayeredMap.of(entries), ...overrides };
}

function toModule(path: string, fixture: ModuleFixture): ManifestModule {
  const { code = '', imports = [], importsDynamically = [], exports = [], reexports = [] } = fixture;
  return {
    path,
    kind: 'esm',
    hash: `${path} ${code} ${exports.join()} ${JSON.stringify([fixture.hazards, fixture.hot, fixture.states])}`,
    hasTopLevelAwait: false,
    requests: [
      ...imports.map((target) => toRequest(target, 'static')),
      ...importsDynamically.map((target) => toRequest(target, 'dynamic')),
    ],
    imports: [],
    localExports: exports,
    ignoresThis: [],
    indirectExports: reexports.map((name) => ({ name, specifier: './other.ts', imported: name })),
    starExports: [],
    hazards: fixture.hazards ?? [],
    states: fixture.states ?? [],
    hot: fixture.hot === undefined ? null : { ...indifferent, ...fixture.hot },
    usesLocation: fixture.usesLocation ?? false,
    hasComputedRequest: fixture.hasComputedRequest ?? false,
    isComputedTarget: fixture.isComputedTarget ?? false,
  };
}

/** Uses `import.meta.hot` and says nothing there. */
const indifferent: ModuleHot = {
  acceptsSelf: false,
  acceptedExports: null,
  acceptedDependencies: [],
  declines: false,
  live: [],
};

function toRequest(path: string, phase: 'static' | 'dynamic'): ManifestModule['requests'][number] {
  return { specifier: `./${path}`, phase, target: { kind: 'module', path } };
}

const plain: Manifest = {
  formatVersion: FORMAT_VERSION,
  id: '20260101T000000000Z-00000000',
  createdAt: '2026-01-01T00:00:00.000Z',
  commit: null,
  isDirty: false,
  kind: 'node',
  entry: 'server.ts',
  command: null,
  listen: [],
  modules: LayeredMap.of(),
  assets: {},
  dependenciesHash: null,
  nodeVersion: 'v24.0.0',
  nodeOptions: [],
  args: [],
  environment: {},
  environmentHash: null,
  workers: 1,
  contents: null,
  settings: {
    ready: 'listen',
    readyTimeoutMs: 30_000,
    stopSignal: 'SIGTERM',
    drainTimeoutMs: 30_000,
    quiesceTimeoutMs: 2_000,
    probationMs: 5_000,
    health: null,
    envFile: null,
    keep: 10,
    shared: [],
    upgraded: { policy: 'carry', spreadMs: 10_000 },
    policy: {
      maxRetained: 8,
      maxRssMib: null,
      probation: 'compare',
      strict: false,
      stateLoss: 'warn',
      allow: [],
    },
    hooks: { beforeApply: null, afterCommit: null, afterRollback: null, timeoutMs: 60_000 },
  },
};

/** A release of a program that is not Node. */
export const command: Partial<Manifest> = {
  kind: 'command',
  entry: null,
  command: ['./time-service'],
  listen: ['127.0.0.1:8080'],
  assets: { 'time-service': { hash: 'one', sizeBytes: 1 } },
};

export interface PlanFixture extends Partial<Omit<PlanInput, 'policy'>> {
  readonly next: Manifest;
  readonly policy?: Partial<Policy>;
}

/** The plan, with `auto` and no past where nothing is said. */
export function planFor({ current = null, next, problems = [], policy, ...rest }: PlanFixture): Plan {
  return toPlan({
    ...rest,
    current,
    next,
    problems,
    policy: { path: 'auto', unswappable: new Set<string>(), ...policy },
  });
}

/** The codes of a plan's reasons, in order. */
export function codesOf({ reasons }: Plan): string[] {
  return reasons.map(({ code }) => code);
}
