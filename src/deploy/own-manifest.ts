/** The manifest of a source tree that runs in this process without a release. */

import { FORMAT_VERSION, policyBefore, settingsBefore, type Manifest } from '../protocol/manifest.ts';

/** What a plan compares and a generation loads; all but the modules is of this process, which stays. */
export function toOwnManifest({
  entry,
  modules,
  assets,
  id,
}: Pick<Manifest, 'modules' | 'assets' | 'id'> & { readonly entry: string }): Manifest {
  return {
    formatVersion: FORMAT_VERSION,
    id,
    createdAt: '',
    commit: null,
    isDirty: true,
    kind: 'node',
    entry,
    command: null,
    listen: [],
    modules,
    assets,
    dependenciesHash: null,
    nodeVersion: process.version,
    nodeOptions: process.execArgv,
    args: [],
    environment: {},
    environmentHash: null,
    workers: 1,
    contents: null,
    settings: {
      ready: 'load',
      readyTimeoutMs: 0,
      stopSignal: 'SIGTERM',
      drainTimeoutMs: 0,
      quiesceTimeoutMs: 0,
      probationMs: 0,
      health: null,
      envFile: null,
      keep: 0,
      shared: [],
      upgraded: { policy: 'keep', spreadMs: 0 },
      policy: { ...policyBefore, probation: 'faults' },
      hooks: settingsBefore.hooks,
    },
  };
}
