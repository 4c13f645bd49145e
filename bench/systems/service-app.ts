/** The service of `bench/service/` in a directory of its own, under one system. */

import { setTimeout as sleep } from 'node:timers/promises';
import { installDebianPackages } from '../../scripts/debian-packages.ts';
import { createTestApp, type TestApp } from '../../test/support/app.ts';
import { waitUntil } from './process.ts';
import type { RunningSystem, Settings, System } from './system.ts';
import { fetchVersion } from './upstream.ts';

export interface ServiceApp extends RunningSystem {
  readonly app: TestApp;
  /** Deploys the version and waits until new connections reach it; gives what that took. */
  deployAndWait(version: string): Promise<number>;
  findSupervisor(): Promise<number | null>;
}

/** Resolves when the system serves `v0`. */
export async function startServiceApp(
  system: System,
  settings: Settings,
  environment: NodeJS.ProcessEnv = {},
): Promise<ServiceApp> {
  installDebianPackages(system.packages ?? []);
  const isOurs = system.name.startsWith('Midflight');
  const { drainMs, workers } = settings;
  const app = await createTestApp({
    from: 'bench/service',
    files: system.files ?? {},
    config: isOurs
      ? {
          entry: system.entry ?? 'server.ts',
          workers,
          drainTimeoutMs: drainMs,
          probationMs: PROBATION_MS,
          // Before clients meet a new worker it has answered a request.
          health: { path: '/' },
        }
      : undefined,
    environment,
    linkPackages: isOurs ? true : 'bench/node_modules',
  });
  const running = await system.start(app, settings);
  const waitForVersion = async (version: string): Promise<void> =>
    waitUntil(async () => (await fetchVersion(app)) === version, { what: `${system.name}, ${version}` });
  await waitForVersion('v0');
  return {
    ...running,
    app,
    findSupervisor: running.findSupervisor ?? (async () => null),
    async deployAndWait(version) {
      app.commit({ 'version.ts': `export const version: string = '${version}';\n` });
      const startedAt = performance.now();
      const deploying = running.deploy(version).then((exitCode) => {
        if (exitCode !== 0)
          throw new Error(`${system.name}: the deploy of ${version} ended with ${exitCode}`);
      });
      const serving = waitForVersion(version).then(() => performance.now() - startedAt);
      const [tookMs] = await Promise.all([serving, deploying]);
      return tookMs;
    },
    async stop() {
      await running.stop();
      await app.dispose();
    },
  };
}

/** The others have none; its time is that of the next deploy. */
const PROBATION_MS = 1_000;

/** Deploys again and again, `periodMs` from start to start; gives when each began and what it took. */
export async function deployRepeatedly(
  service: ServiceApp,
  { count, periodMs, log }: { count: number; periodMs: number; log: (line: string) => void },
): Promise<readonly { readonly atMs: number; readonly tookMs: number }[]> {
  const deploys: { atMs: number; tookMs: number }[] = [];
  for (let index = 1; index <= count; index++) {
    const atMs = Date.now();
    const tookMs = await service.deployAndWait(`v${index}`);
    deploys.push({ atMs, tookMs });
    if (index % 5 === 0) log(`  ${index} of ${count}`);
    await sleep(Math.max(0, atMs + periodMs - Date.now()));
  }
  return deploys;
}
