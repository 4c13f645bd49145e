import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import path from 'node:path';
import { json } from 'node:stream/consumers';
import type { TestApp } from '../../test/support/app.ts';
import type { System } from './system.ts';

interface Status {
  readonly supervisor: { readonly pid: number };
  readonly workers: readonly { readonly state: string }[];
}

export function toMidflight(deployPath: 'swap' | 'handoff'): System {
  return {
    name: `Midflight, ${deployPath}`,
    async start(app) {
      await app.start();
      return {
        deploy: async () => (await app.midflight('deploy', '--path', deployPath)).exitCode,
        supervisorPid: async () => (await fetchStatus(app)).supervisor.pid,
        async findSupervisor() {
          const { supervisor, workers } = await fetchStatus(app);
          return workers.some(({ state }) => state === 'serving') ? supervisor.pid : null;
        },
        stop: async () => app.end(),
      };
    },
  };
}

/** What `midflight status --json` prints, without the time that a new process takes. */
async function fetchStatus(app: TestApp): Promise<Status> {
  const request = http.get({
    socketPath: path.join(app.directory, '.midflight/control.sock'),
    path: '/status',
    signal: AbortSignal.timeout(2_000),
  });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return (await json(response)) as Status;
}
