/** The Node process behind a proxy, and the version that is in service. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import { findFreePort, type TestApp } from '../../test/support/app.ts';
import { end } from './process.ts';

export interface Upstream {
  readonly port: number;
  stop(): Promise<void>;
}

export async function startUpstream(app: TestApp): Promise<Upstream> {
  const port = await findFreePort();
  const env = { ...process.env, PORT: String(port) };
  const child = spawn(process.execPath, ['server.ts'], {
    cwd: app.directory,
    env,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  process.once('exit', () => child.kill('SIGKILL'));
  await once(child, 'message');
  return { port, stop: async () => end(child, 0) };
}

/** As a new connection is told; undefined where none is answered. */
export async function fetchVersion(app: TestApp): Promise<string | undefined> {
  const request = http.get(app.origin, { agent: false, signal: AbortSignal.timeout(2_000) });
  try {
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    response.resume();
    const version = response.headers['x-version'];
    return typeof version === 'string' ? version : undefined;
  } catch {
    // Refused, or cut: not in service.
    return undefined;
  }
}
